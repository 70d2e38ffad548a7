"""What users of other tools complained of, again and again, and the tests that it is not so here.

The threads are of llama.vim, llama.vscode, Continue, minuet, llm.nvim, copilot and others.
"""

from __future__ import annotations

import re

import pytest
from support.editors import ROOT

NEOVIM_EDITS, NEOVIM_GHOST = "e2e/neovim/test_edits.py", "e2e/neovim/test_ghost.py"
VSCODE = "e2e/vscode/test_vscode.py"
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


@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_each_complaint_is_tried(complaint: str) -> None:
    """A test that was renamed or taken out is missed here."""
    for file, wanted in COMPLAINTS[complaint].items():
        text = (ROOT / "tests" / file).read_text()
        found = re.findall(r"^(?:async )?def (test_\w+)\(", text, re.MULTILINE)
        assert set(wanted) <= set(found), file
