"""VS Code: the extension as its users meet it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import doubtful

if TYPE_CHECKING:
    from support.vscode import Workbench

pytestmark = [pytest.mark.vscode, pytest.mark.e2e]

_RUNNING_MEAN = """total, means = 0.0, []
    for count, value in enumerate(values, start=1):
        total += value
        means.append(total / count)
    return means"""

REPLIES: list[dict[str, Any]] = [
    doubtful.REPLY,
    {"when": r"return a$", "texts": [" + b"]},
    {"when": r"many\($", "texts": ["one,\n    two)"]},
    {"when": r"slow = $", "texts": ["late"], "n_steps": 20, "step_s": 0.1},
    {"when": r"endless = $", "texts": ["aa bb"], "endless": True, "n_steps": 2, "step_s": 0.1},
    {"when": r"fail = 1?$", "fail": "internal"},
    {"when": r"^def add\(a, b\):\n    $", "texts": ["total = a + b\n    return total"]},
    {
        "when": r"running mean\.\"\"\"\n    $",
        "texts": [_RUNNING_MEAN],
        "n_steps": 8,
        "step_s": 0.5,
    },
    {"when": r"some = a$", "texts": ["first"], "others": [["second"]]},
    {"when": r"wrong\($", "texts": ["right"]},
    {"when": r"nothing = 1$", "texts": [""]},
    {"texts": ["new()"], "others": [["newer()"]], "n_steps": 2},
]


#: The strongest of the heat map's colours.
COLOURED = "rgba(220, 50, 47, 0.45)"


def test_the_extension_starts_its_server(code: Workbench) -> None:
    """Installed from its own .vsix, active without being asked."""
    code.open("x = 1\n")
    assert code.ask("return vscode.extensions.getExtension('remask.remask').isActive")
    code.select((0, 4, 0, 5))
    code.until(lambda: "Rewrite selection" in titles(code), "a code action")


def titles(code: Workbench) -> list[str]:
    """Return what the light bulb offers for the selection."""
    return list(
        code.ask("""
        const { document, selection } = vscode.window.activeTextEditor;
        const found = await vscode.commands.executeCommand(
          'vscode.executeCodeActionProvider', document.uri, selection, 'refactor.rewrite.remask');
        return found.map((action) => action.title);
        """)
    )


def test_ghost_text_is_shown_and_accepted(code: Workbench) -> None:
    """Tab puts it in, the cursor ends behind it, one undo takes it back and no more."""
    code.open("def add(a, b):\n    return \n")
    code.select((1, 11, 1, 11))
    code.type_for_ghost("a", " + b")
    code.shoot("ghost")
    code.press("Tab")
    code.becomes("def add(a, b):\n    return a + b\n")
    assert code.cursor == (1, 16)
    code.press("Control+z")
    code.becomes("def add(a, b):\n    return a\n")


def test_only_what_is_sure_enough_is_shown(code: Workbench) -> None:
    """The same stretch as in any other front."""
    code.open("total =\n")
    code.select((0, 7, 0, 7))
    code.type_for_ghost(" ", doubtful.SURE)


def test_what_the_model_doubts_is_coloured_until_the_text_changes(code: Workbench) -> None:
    """The tokens that the model would not say, on request; the text is untouched."""
    code.open("x = bad()\n")
    code.select((0, 4, 0, 9))
    code.run("remask.scores")
    code.until(lambda: COLOURED in code.coloured, "a doubted token")
    code.shoot("scores")
    assert code.text == "x = bad()\n"
    code.select((0, 9, 0, 9))
    code.page.keyboard.type("!")
    code.until(lambda: COLOURED not in code.coloured, "the colour to go")


def test_ghost_text_word_by_word(code: Workbench) -> None:
    """VS Code's own key for it works on ours."""
    code.open("def add(a, b):\n    return \n")
    code.select((1, 11, 1, 11))
    code.type_for_ghost("a", " + b")
    code.press("Control+ArrowRight")
    code.becomes("def add(a, b):\n    return a \n")
    code.until(lambda: code.ghost == "+ b", "the rest")
    code.press("Control+ArrowRight")
    code.becomes("def add(a, b):\n    return a + \n")


def test_ghost_text_line_by_line(code: Workbench) -> None:
    """VS Code's own command for it takes the first line of several."""
    code.open("x = many\n")
    code.select((0, 8, 0, 8))
    code.page.keyboard.type("(")
    code.until(lambda: code.ghost.startswith("one,"), "ghost text")
    code.run("editor.action.inlineSuggest.acceptNextLine")
    code.until(lambda: code.text.startswith("x = many(one,"), "the line")
    assert "two)" not in code.text


def test_ghost_text_follows_what_is_typed(code: Workbench) -> None:
    """Typing along leaves the rest of it."""
    code.open("x = many\n")
    code.select((0, 8, 0, 8))
    code.page.keyboard.type("(")
    code.until(lambda: code.ghost.startswith("one,"), "ghost text")
    code.page.keyboard.type("o")
    code.until(
        lambda: code.text.startswith("x = many(o") and code.ghost.startswith("ne,"), "the rest"
    )
    code.press("Tab")
    code.becomes("x = many(one,\n    two)\n")


def test_tab_indents_where_there_is_no_ghost_text(code: Workbench) -> None:
    """And Escape takes ghost text away for good."""
    code.open("def add(a, b):\n    return \n")
    code.select((1, 11, 1, 11))
    code.type_for_ghost("a", " + b")
    code.press("Escape")
    code.until(lambda: code.ghost == "", "no ghost text")
    code.select((0, 0, 0, 0))
    code.press("Tab")
    code.becomes("    def add(a, b):\n    return a\n")


def test_ghost_text_can_be_turned_off(code: Workbench) -> None:
    """By a command, for everybody; a request by key gives nothing either."""
    code.open("def add(a, b):\n    return \n")
    code.run("remask.toggleInline")
    code.until(
        lambda: (
            code.ask("return vscode.workspace.getConfiguration('remask').get('inline.enabled')")
            is False
        ),
        "the setting",
    )
    code.select((1, 11, 1, 11))
    code.page.keyboard.type("a")
    code.run("editor.action.inlineSuggest.trigger")
    code.page.wait_for_timeout(1000)
    assert code.ghost == ""


@pytest.mark.parametrize("title", ["Infill selection", "Rewrite selection", "Repair selection"])
def test_the_light_bulb_edits_the_selection(code: Workbench, title: str) -> None:
    """Resolved when chosen; to the character; one step of undo."""
    code.open("π = öld + rest\n")
    code.select((0, 4, 0, 7))
    code.until(lambda: title in titles(code), "a code action")
    menu = code.light_bulb()
    code.shoot("light-bulb")
    menu.get_by_text(title).click()
    code.becomes("π = new() + rest\n")
    code.focus()
    code.press("Control+z")
    code.becomes("π = öld + rest\n")


def test_a_problem_is_repaired_from_the_light_bulb(code: Workbench) -> None:
    """The quick fix of somebody else's diagnostic repairs its line."""
    code.open("old()\n")
    code.ask("""
        const { document } = vscode.window.activeTextEditor;
        const range = new vscode.Range(0, 0, 0, 3);
        globalThis.problems ??= vscode.languages.createDiagnosticCollection('test');
        globalThis.problems.set(document.uri, [new vscode.Diagnostic(range, 'old is gone')]);
    """)
    code.select((0, 1, 0, 1))
    code.light_bulb().get_by_text("Repair: old is gone").click()
    code.becomes("new()\n")
    code.ask("globalThis.problems.clear()")


@pytest.mark.parametrize("command", ["infillSelection", "rewriteSelection", "repairSelection"])
def test_each_mode_has_a_command(code: Workbench, command: str) -> None:
    """For keys, and for those who never look at light bulbs."""
    code.open("a = old + rest\n")
    code.select((0, 4, 0, 7))
    code.run(f"remask.{command}")
    code.becomes("a = new() + rest\n")


def test_a_command_fills_lines_in_one_step_of_undo(code: Workbench) -> None:
    """Indentation and neighbours stay."""
    code.open("def add(a, b):\n    pass\n\nx = 1\n")
    code.select((1, 4, 1, 8))
    code.run("remask.infillSelection")
    code.becomes("def add(a, b):\n    total = a + b\n    return total\n\nx = 1\n")
    code.focus()
    code.press("Control+z")
    code.becomes("def add(a, b):\n    pass\n\nx = 1\n")


def test_holes_and_several_cursors(code: Workbench) -> None:
    """Every marker of the document; several selections are filled together too."""
    code.open("a = ___\nb = ___\n")
    code.select((0, 0, 0, 0))
    code.run("remask.fillHoles")
    code.becomes("a = new()\nb = new()\n")
    code.focus()
    code.press("Control+z")
    code.becomes("a = ___\nb = ___\n")
    code.open("a = old\nb = old\n", "b.py")
    code.select((0, 4, 0, 7), (1, 4, 1, 7))
    code.run("remask.infillSelection")
    code.becomes("a = new()\nb = new()\n")


def test_an_instruction_is_asked_for(code: Workbench) -> None:
    """An empty answer means nothing in particular; Escape means no."""
    code.open("a = old\n")
    code.select((0, 4, 0, 7))
    code.run("remask.instruct")
    asked = code.shows(".quick-input-widget input")
    code.press("Escape")
    asked.wait_for(state="hidden")
    code.run("remask.instruct")
    code.shows(".quick-input-widget input")
    code.page.keyboard.type("make it new")
    code.press("Enter")
    code.becomes("a = new()\n")


def test_an_untitled_document_works(code: Workbench) -> None:
    """It has no file, and no folder."""
    code.ask("""
        const content = 'a = old\\n';
        const document = await vscode.workspace.openTextDocument({ content, language: 'python' });
        await vscode.window.showTextDocument(document);
    """)
    code.select((0, 4, 0, 7))
    code.run("remask.rewriteSelection")
    code.becomes("a = new()\n")


def test_the_canvas_is_drawn_and_can_be_cancelled(code: Workbench) -> None:
    """Live in the text, with a progress whose button ends it; then all is as it was."""
    code.open("endless = old\n")
    code.select((0, 10, 0, 13))
    code.run("remask.rewriteSelection")
    code.until(lambda: "░" in code.drawn, "the canvas")
    progress = code.shows(".notification-list-item")
    code.shoot("progress")
    assert "Remask: rewrite" in progress.inner_text()
    progress.hover()
    progress.get_by_text("Cancel").click()
    code.until(lambda: code.drawn == "", "an undrawn canvas")
    assert code.text == "endless = old\n"


def test_drawing_can_be_turned_off(code: Workbench) -> None:
    """One setting."""
    code.set("remask.drafts", False)  # noqa: FBT003  # a JSON value
    code.open("endless = old\n")
    code.select((0, 10, 0, 13))
    code.run("remask.rewriteSelection")
    progress = code.shows(".notification-list-item")
    assert code.drawn == ""
    progress.hover()
    progress.get_by_text("Cancel").click()
    progress.wait_for(state="detached")


def test_a_late_result_is_dropped(code: Workbench) -> None:
    """The user's own change stays, and nothing else comes."""
    code.open("slow = old\n")
    code.select((0, 7, 0, 10))
    code.run("remask.rewriteSelection")
    code.until(lambda: code.drawn, "the canvas")
    code.ask("""
        await vscode.window.activeTextEditor.edit(
          (edit) => edit.insert(new vscode.Position(1, 0), 'mine'));
    """)
    code.until(lambda: "the result is dropped" in code.status, "the end")
    code.until(lambda: code.drawn == "", "an undrawn canvas")
    assert code.text == "slow = old\nmine"


@pytest.mark.parametrize("verb", ["accept", "reject"])
def test_a_result_can_be_reviewed_first(code: Workbench, verb: str) -> None:
    """Shown as a diff; only accepting it changes the document."""
    code.set("remask.review", True)  # noqa: FBT003  # a JSON value
    code.open("a = old\nb = 2\n")
    code.select((0, 4, 0, 7))
    code.run("remask.rewriteSelection")
    code.shows(".monaco-diff-editor")
    code.until(lambda: code.reviewed == "a = new()\nb = 2\n", "the diff")
    code.shoot("review")
    texts = code.ask("return vscode.workspace.textDocuments.map((each) => each.getText())")
    assert "a = old\nb = 2\n" in texts
    name = "Accept Reviewed Edit" if verb == "accept" else "Reject Reviewed Edit"
    code.shows(f".editor-actions [aria-label*='{name}']").click()
    code.becomes("a = new()\nb = 2\n" if verb == "accept" else "a = old\nb = 2\n")
    code.page.locator(".monaco-diff-editor").wait_for(state="detached")


def test_a_review_shows_another_result(code: Workbench) -> None:
    """In place of the one before; where the model has no other, that stays, and it is told."""
    code.set("remask.review", True)  # noqa: FBT003  # a JSON value
    code.open("a = old\n")
    code.select((0, 4, 0, 7))
    code.run("remask.rewriteSelection")
    code.until(lambda: code.reviewed == "a = new()\n", "the first result")
    code.shows(".editor-actions [aria-label*='Next Alternative']").click()
    code.until(lambda: code.reviewed == "a = newer()\n", "another result")
    code.shoot("review-next")
    code.shows(".editor-actions [aria-label*='Next Alternative']").click()
    code.shows(".notification-list-item:has-text('no other result')")
    assert code.reviewed == "a = newer()\n"
    code.shows(".editor-actions [aria-label*='Accept Reviewed Edit']").click()
    code.becomes("a = newer()\n")


def test_ghost_text_has_alternatives(code: Workbench) -> None:
    """VS Code's own keys show them in turn."""
    code.set("remask.alternatives", 2)
    code.open("some = \n")
    code.select((0, 7, 0, 7))
    code.type_for_ghost("a", "first")
    code.press("Alt+]")
    code.until(lambda: code.ghost == "second", "another")
    code.press("Tab")
    code.becomes("some = asecond\n")


def test_tab_is_the_completion_menus_while_it_shows(code: Workbench) -> None:
    """What the menu has selected goes in, and nothing of ours."""
    code.open("alphabet = 1\nalp\n")
    code.select((1, 3, 1, 3))
    code.run("editor.action.triggerSuggest")
    code.shows(".suggest-widget .monaco-list-row.focused")
    code.press("Tab")
    code.becomes("alphabet = 1\nalphabet\n")


def test_tab_goes_to_a_snippets_next_place(code: Workbench) -> None:
    """As long as no ghost text shows."""
    code.open("\n")
    code.ask("""
        await vscode.workspace.getConfiguration().update(
          'remask.inline.enabled', false, vscode.ConfigurationTarget.Global);
        await vscode.window.activeTextEditor.insertSnippet(
          new vscode.SnippetString('f(${1:one}, ${2:two})'));
    """)
    code.page.keyboard.type("a")
    code.press("Tab")
    code.page.keyboard.type("b")
    code.becomes("f(a, b)\n")


def test_a_language_that_is_off_asks_no_model(code: Workbench) -> None:
    """And the status says that it is."""
    code.set("remask.disabledLanguages", ["python"])
    code.open("def add(a, b):\n    return \n")
    code.select((1, 11, 1, 11))
    code.page.keyboard.type("a")
    code.until(lambda: "Remask is off for python" in code.status, "the reason")
    assert code.ghost == ""


def test_the_walkthrough_shows_how_to_begin(code: Workbench) -> None:
    """Installing, selecting, writing on: a page of its own."""
    code.ask("""
        await vscode.commands.executeCommand(
          'workbench.action.openWalkthrough', 'remask.remask#start', false);
    """)
    page = code.shows(".gettingStartedContainer")
    page.get_by_text("Get started with Remask").first.wait_for()
    code.shoot("walkthrough")
    for title in ("Install the server", "Select code and fill it", "Write on"):
        page.get_by_text(title, exact=True).first.wait_for()


def test_the_status_item_tells_model_device_and_problems(code: Workbench) -> None:
    """Busy while the model works; then what works, and where."""
    code.open("slow = old\n")
    code.select((0, 7, 0, 10))
    code.run("remask.rewriteSelection")
    code.until(lambda: code.drawn, "the canvas")
    code.until(lambda: code.is_busy, "a busy item")
    code.becomes("slow = late\n")
    code.until(lambda: "scripted · none" in code.status, "model and device")
    code.until(lambda: not code.is_busy, "an idle item")


def test_the_status_item_says_why_nothing_came(code: Workbench) -> None:
    """No message pops up for ghost text, but the status has the reason, and offers the log."""
    code.open("fail = \n")
    code.select((0, 7, 0, 7))
    code.page.keyboard.type("1")
    code.until(lambda: "scripted failure" in code.status, "the reason")
    code.page.locator("[id='status.languageStatus']").first.hover()
    fix = code.shows(".hover-language-status .right a:has-text('Show log')")
    code.shoot("status")
    assert code.ghost == ""
    assert code.page.locator(".notification-list-item").count() == 0
    fix.click()
    code.shows(".output-view, [id='workbench.panel.output']")


def test_an_empty_suggestion_is_explained(code: Workbench) -> None:
    """The model was asked, and had nothing to say."""
    code.open("nothing = \n")
    code.select((0, 10, 0, 10))
    code.page.keyboard.type("1")
    code.until(lambda: "suggests nothing" in code.status, "the reason")


def test_a_failed_command_is_told(code: Workbench) -> None:
    """The user asked, so he hears."""
    code.open("fail = old\n")
    code.select((0, 7, 0, 10))
    code.run("remask.rewriteSelection")
    code.shows(".notification-list-item:has-text('scripted failure')")
    assert code.text == "fail = old\n"


def test_secrets_are_left_alone(code: Workbench) -> None:
    """A file that looks like one is never sent."""
    code.open("TOKEN=\n", ".env")
    code.select((0, 6, 0, 6))
    code.page.keyboard.type("a")
    code.until(lambda: "may hold secrets" in code.status, "the reason")
    assert code.ghost == ""


def test_a_server_that_died_comes_back(code: Workbench) -> None:
    """By itself."""
    code.open("a = old\n")
    code.ask(_KILL_SERVER)
    code.select((0, 4, 0, 7))
    code.until(lambda: "Rewrite selection" in titles(code), "the server again")
    code.run("remask.rewriteSelection")
    code.becomes("a = new()\n")


def test_a_canvas_of_lines_is_drawn_line_by_line(code: Workbench) -> None:
    """In place of the lines it replaces, not as one long line."""
    code.open(
        '"""Statistics over a stream of numbers."""\n\n\n'
        "def running_mean(values: list[float]) -> list[float]:\n"
        '    """Return the running mean."""\n'
        "    means = []\n"
        "    for i in range(len(values)):\n"
        "        part = values[: i + 1]\n"
        "        means.append(sum(part) / len(part))\n"
        "    return means\n\n\n"
        "def largest(values: list[float]) -> float:\n"
        '    """Return the largest value."""\n'
        "    return max(values)\n",
        "statistics.py",
    )
    code.run("workbench.action.closeSidebar")
    code.select((5, 4, 9, 16))
    code.run("remask.rewriteSelection")
    # The notification is there by then, and a good part of the text.
    code.shows(".notification-list-item")
    code.until(lambda: len(code.drawn) > 3 * code.drawn.count("░") > 0, "half a canvas")
    assert code.drawn.count("|") >= 2
    code.shoot("lines")
    code.until(lambda: "enumerate" in code.text, "the edit")


_KILL_SERVER = """
const fs = require('node:fs');
const children = fs.readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
for (const child of children.trim().split(' ')) {
  if (fs.readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('lsp_server')) {
    process.kill(Number(child), 'SIGKILL');
  }
}
"""
