"""What Remask promises its users line by line, and the tests that each line is kept.

Complaints: what users of other tools wrote again and again, in the threads of llama.vim,
llama.vscode, Continue, minuet, llm.nvim, copilot and others. Bad input: what is not as it should
be, from a selection to a disk.
"""

from __future__ import annotations

import re

import pytest
from support.editors import ROOT

NEOVIM_EDITS, NEOVIM_GHOST = "e2e/neovim/test_edits.py", "e2e/neovim/test_ghost.py"
VSCODE = "e2e/vscode/test_vscode.py"
VSCODE_PLACES = "e2e/vscode/test_places.py"
NEOVIM_WINDOWS, NEOVIM_REPEAT = "e2e/neovim/test_windows.py", "e2e/neovim/test_repeat.py"
INLINE = "lsp_server/features/test_inline_completion.py"

#: Each complaint, and tests by their file; every one that has to do with editing is tried in both.
COMPLAINTS = {
    "part of a line was selected, the whole line was changed": {
        NEOVIM_EDITS: ["test_the_visual_selection_is_rewritten_to_the_character"],
        VSCODE: ["test_the_light_bulb_edits_the_selection"],
    },
    "the indentation was wrong": {
        NEOVIM_EDITS: ["test_lines_keep_their_indentation"],
        VSCODE: ["test_a_command_fills_lines_in_one_step_of_undo"],
    },
    "the cursor was somewhere else after accepting": {
        NEOVIM_GHOST: ["test_accepting_puts_it_in_and_the_cursor_behind_it"],
        VSCODE: ["test_ghost_text_is_shown_and_accepted"],
    },
    "what was typed meanwhile was there twice, or the ghost text was for another text": {
        NEOVIM_GHOST: [
            "test_typing_along_is_counted",
            "test_typing_on_cancels_and_a_stale_reply_is_dropped",
        ],
        VSCODE: ["test_ghost_text_follows_what_is_typed"],
        INLINE: ["test_typing_on_drops_the_result", "test_writing_along_asks_no_model"],
    },
    "the buffer was shown twice, and the edit went to the other window's cursor": {
        NEOVIM_WINDOWS: [
            "test_the_cursor_is_that_of_the_window_in_use",
            "test_accepting_goes_by_the_window_in_use",
        ],
    },
    "ghost text and the completion menu showed on top of each other, and both wanted Tab": {
        "e2e/neovim/test_menus.py": [
            "test_ghost_text_gives_way_to_a_plugins_menu",
            "test_the_documented_maps_give_tab_to_whoever_shows",
        ],
        VSCODE: ["test_tab_is_the_completion_menus_while_it_shows"],
    },
    "the model worked for a file that is read-only, and then nothing happened": {
        NEOVIM_WINDOWS: ["test_what_takes_no_change_is_told_before_the_model_works"],
        VSCODE_PLACES: [
            "test_a_read_only_file_is_told_before_the_model_works",
            "test_an_edit_that_is_not_taken_is_told",
        ],
    },
    "after accepting inside brackets there was one closer too many": {
        NEOVIM_REPEAT: ["test_a_closer_that_stands_there_is_typed_over"],
        VSCODE_PLACES: ["test_a_closer_that_stands_there_is_typed_over"],
    },
    "what was accepted could not be repeated": {
        NEOVIM_REPEAT: ["test_dot_repeats_it_with_what_was_typed", "test_a_macro_repeats_it"],
    },
    "in a notebook a cell knew nothing of the others": {
        "lsp_server/test_notebooks.py": ["test_the_other_cells_stand_around_a_cell"],
        VSCODE_PLACES: ["test_a_cell_of_a_notebook_is_filled_from_the_others"],
    },
    "undo lost more than the edit, or took many steps": {
        NEOVIM_EDITS: ["test_one_undo_takes_all_of_an_edit_back"],
        NEOVIM_GHOST: ["test_one_undo_takes_back_what_was_accepted_and_no_more"],
        VSCODE: [
            "test_ghost_text_is_shown_and_accepted",
            "test_a_command_fills_lines_in_one_step_of_undo",
        ],
    },
    "a rejected edit counted as an applied one": {
        NEOVIM_EDITS: [
            "test_a_result_can_be_reviewed_first",
            "test_a_stale_edit_of_the_servers_is_refused",
        ],
        VSCODE: ["test_a_result_can_be_reviewed_first"],
        "lsp_server/features/test_commands.py": ["test_a_refused_edit_is_not_counted_as_applied"],
    },
    "special tokens, or a chat's chatter, were in the text": {
        "model_runtime/modes/test_control_tokens.py": ["test_no_fill_has_control_tokens"],
        "model_runtime/engines/test_remote_parts.py": [
            "test_tokens_are_no_text",
            "test_answer_is_unwrapped",
        ],
        "e2e/neovim/test_default_model.py": ["test_a_selection_is_filled_and_ghost_text_comes"],
        "e2e/vscode/test_default_model.py": ["test_a_selection_is_filled"],
    },
    "nothing came, and nobody knew why": {
        NEOVIM_GHOST: ["test_silence_is_explained"],
        VSCODE: [
            "test_the_status_item_says_why_nothing_came",
            "test_an_empty_suggestion_is_explained",
            "test_a_language_that_is_off_asks_no_model",
        ],
    },
    "Tab did not do what it did before: in the completion menu, in a snippet, to indent": {
        NEOVIM_GHOST: [
            "test_tab_stays_the_users",
            "test_it_never_shows_beside_the_completion_menu",
            "test_a_snippet_keeps_its_place",
        ],
        VSCODE: [
            "test_tab_is_the_completion_menus_while_it_shows",
            "test_tab_goes_to_a_snippets_next_place",
            "test_tab_indents_where_there_is_no_ghost_text",
        ],
    },
    "the processor was busy though nobody typed, or where it was turned off": {
        NEOVIM_GHOST: ["test_an_idle_editor_is_quiet", "test_files_that_are_off_ask_no_model"],
        VSCODE: ["test_a_language_that_is_off_asks_no_model", "test_secrets_are_left_alone"],
        INLINE: [
            "test_typing_on_in_the_pause_asks_no_model",
            "test_a_newer_request_ends_the_older",
            "test_an_automatic_request_far_from_the_line_end_asks_no_model",
        ],
    },
}


DOCUMENTS, SERVER = "e2e/lsp/test_documents.py", "e2e/lsp/test_server.py"
RUNTIME, FETCH = "model_runtime/service/test_server.py", "model_runtime/weights/test_fetch.py"

#: What is wrong, and tests that a plain message comes of it and nothing is lost.
BAD_INPUT = {
    "a selection outside the document, or reversed": {
        DOCUMENTS: ["test_what_can_not_be_filled_is_said"],
        "lsp_server/test_documents.py": [
            "test_a_line_outside_the_document_is_refused",
            "test_a_reversed_selection_is_refused",
        ],
    },
    "an empty file, or a language that nobody knows": {
        DOCUMENTS: ["test_any_language_and_an_empty_document_can_be_filled"],
    },
    "a file that is too large, or binary": {
        DOCUMENTS: ["test_what_can_not_be_filled_is_said"],
        "e2e/lsp/test_command_line.py": ["test_what_can_not_be_done_is_said"],
    },
    "a byte order mark, CRLF, mixed line ends, tabs": {
        DOCUMENTS: ["test_a_document_keeps_its_line_ends"],
        "e2e/lsp/test_command_line.py": ["test_odd_files_keep_their_bytes"],
    },
    "a form feed, U+2028 and the like inside of a line": {
        DOCUMENTS: ["test_edits_behind_odd_characters_stay_in_step"],
    },
    "astral characters before the selection, in each encoding": {
        DOCUMENTS: ["test_each_encoding_is_exact_behind_astral_characters"],
    },
    "a document closed or edited while the model works": {
        SERVER: ["test_a_stale_result_is_dropped"],
        "lsp_server/command_line/test_terminal.py": [
            "test_a_file_that_changed_is_left_alone",
            "test_a_file_that_is_gone_stays_gone",
        ],
    },
    "a runtime that is killed in the middle": {
        SERVER: ["test_a_killed_runtime_is_replaced"],
        "model_runtime/http/test_runtime.py": ["test_runtime_that_is_killed"],
    },
    "a runtime on its way out": {
        "lsp_server/runtime/test_client.py": ["test_request_that_meets_a_leaving_runtime"],
        "model_runtime/http/test_runtime.py": ["test_request_that_meets_a_leaving_runtime"],
    },
    "frames that are garbage, too large or cut": {
        "model_runtime/test_framing.py": [
            "test_garbage_is_a_frame_error_or_nothing",
            "test_frame_over_the_limit_is_refused_in_time",
            "test_cut_message_is_noticed",
        ],
        RUNTIME: [
            "test_garbage_closes_that_connection_only",
            "test_oversized_frame_closes_the_connection",
            "test_any_bytes_leave_the_server_standing",
        ],
        "lsp_server/runtime/test_client.py": [
            "test_runtime_that_breaks_the_protocol",
            "test_unsendable_request",
        ],
    },
    "two servers that start the runtime at once": {
        "e2e/test_runtime_process.py": ["test_two_servers_at_once_share_one_runtime"],
        "e2e/lsp/test_process.py": ["test_two_editors_share_one_runtime"],
    },
    "a full disk while downloading, or writing": {
        FETCH: ["test_no_room_from_the_start", "test_no_room_in_the_middle"],
        "lsp_server/command_line/test_terminal.py": ["test_a_full_disk_costs_nothing"],
    },
    "a corrupt cache": {
        FETCH: ["test_corrupt_cache_is_replaced", "test_corrupt_partial_file_is_started_over"],
        "model_runtime/engines/test_loading.py": ["test_a_corrupt_cache_is_made_again"],
    },
    "messages of the editor's that make no sense": {
        "e2e/lsp/test_process.py": [
            "test_garbage_from_the_client_does_not_end_the_server",
            "test_bytes_that_are_no_message_are_passed_over",
        ],
        "lsp_server/test_server.py": [
            "test_a_request_may_go_without_params",
            "test_what_can_not_be_read_is_refused",
        ],
    },
    "an engine on another machine that fails": {
        "e2e/lsp/test_remote_engines.py": [
            "test_each_failure_is_one_clear_message",
            "test_ghost_text_fails_without_a_message",
        ],
        "e2e/neovim/test_live.py": ["test_a_remote_engine_fails_in_every_way"],
    },
}
PROMISES = COMPLAINTS | BAD_INPUT


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_is_tried(promise: str) -> None:
    """A test that was renamed or taken out is missed here."""
    for file, wanted in PROMISES[promise].items():
        text = (ROOT / "tests" / file).read_text()
        found = re.findall(r"^(?:async )?def (test_\w+)\(", text, re.MULTILINE)
        assert set(wanted) <= set(found), file
