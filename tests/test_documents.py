"""What the pages tell people to type is what the commands take; the README's figures are measured.

Placeholders are words in capitals. Nothing that is typed here is run: see `test_newcomer` and
`test_packages` for what is.
"""

from __future__ import annotations

import argparse
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from support.editors import ROOT

from lsp_server.command_line.cli import HANDED_OVER, app
from model_runtime.__main__ import COMMANDS, functions_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
#: A command in a line of its own, continued lines with it, or between backticks in a sentence.
_TYPED = re.compile(r"^ {4,}(remask (?:.*\\\n)*.*)$|`(remask [^`]+)`", re.MULTILINE)
#: Where a command ends and the shell goes on, or a comment does.
_END = re.compile(r"\s(?:&&|\|\|?|;|#)\s")


def typed() -> Iterator[tuple[Path, str]]:
    """Yield each command that a page tells people to type."""
    for page in PAGES:
        for found in _TYPED.finditer(page.read_text("utf-8")):
            command = (found[1] or found[2]).replace("\\\n", " ")
            yield page, _END.split(command)[0]


def words_of(command: str) -> list[str]:
    """Return a command's words, one of each choice: `models|pull` is `models`."""
    return [word.split("|")[0] for word in shlex.split(command)[1:]]


def unknown_to_runtime(words: list[str]) -> list[str]:
    """Return which options of a command that is handed over nobody knows."""
    parser = argparse.ArgumentParser()
    configure, _ = functions_of(words[0], COMMANDS[words[0]][0])
    configure(parser)
    for word in words[1:]:
        nested = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        if nested and word in nested[0].choices:
            parser = nested[0].choices[word]
        elif nested and not word.startswith("-"):
            return [word]
    return [option for option in options(words) if option not in parser._option_string_actions]


def unknown_to_server(words: list[str]) -> list[str]:
    """Return which options of one of the language server's own commands nobody knows."""
    group: Any = typer.main.get_command(app)
    command = group.commands.get(words[0]) if words and not words[0].startswith("-") else group
    if command is None:
        return words[:1]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return [option for option in options(words) if option not in {*known, "--help"}]


def options(words: list[str]) -> list[str]:
    """Return the long options among some words."""
    return [word.split("=")[0] for word in words if word.startswith("--")]


@pytest.mark.parametrize(("page", "command"), sorted(set(typed())), ids=lambda one: str(one)[-60:])
def test_a_command_is_one_that_there_is(page: Path, command: str) -> None:
    """Its name, and each of its options."""
    words = words_of(command)
    if words[:2] == ["eval", "make-project-tasks"]:
        # Of a part of the language server, with an option of its own.
        assert set(options(words)) <= {"--out"}
    elif words[:1] and words[0] in HANDED_OVER:
        assert unknown_to_runtime(words) == [], page.name
    else:
        assert unknown_to_server(words) == [], page.name


def test_commands_are_found() -> None:
    """The pages are read as people read them."""
    found = [command for _, command in typed()]
    assert "remask lsp" in found
    assert any(len(words_of(command)) > 8 for command in found)
    assert len(set(found)) > 30


#: A figure is a number with what it counts.
_FIGURE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) ?(?=%|ms\b|s\b|times\b|wrong\b|per\b)")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
_LINK = re.compile(r"\]\((docs/[\w-]+\.md)\)")


def figures() -> Iterator[tuple[str, list[str]]]:
    """Yield each figure of the README, and the pages that its paragraph names as its source."""
    for paragraph in (ROOT / "README.md").read_text("utf-8").split("\n\n"):
        pages = _LINK.findall(paragraph)
        # What a table or a list says is set by us, not measured.
        if not paragraph.startswith(("|", "-", "    ")):
            for found in _FIGURE.finditer(paragraph.replace("\n", " ")):
                yield found[1], pages


def is_measured(figure: str, page: str) -> bool:
    """Say whether a number of a page is this one, rounded as it is."""
    n_decimals = len(figure.partition(".")[2])
    text = (ROOT / page).read_text("utf-8").replace(",", "")
    numbers = (float(number) for number in _NUMBER.findall(text))
    # A second may be told in thousandths.
    return any(
        f"{number * unit:.{n_decimals}f}" == figure for number in numbers for unit in (1, 0.001)
    )


@pytest.mark.parametrize(("figure", "pages"), list(figures()))
def test_a_figure_of_the_readme_stands_on_a_page_that_a_command_made(
    figure: str, pages: list[str]
) -> None:
    """The paragraph links to that page, and the page says which command it is of."""
    made = [page for page in pages if "Made by" in (ROOT / page).read_text("utf-8")]
    assert any(is_measured(figure, page) for page in made)


def test_figures_are_found_and_checked() -> None:
    """A figure that nobody measured is noticed."""
    assert len(list(figures())) >= 5
    assert not is_measured("123.45", "docs/keyboard.md")


def test_the_results_lead_through_every_page_that_a_command_made() -> None:
    """A page of figures is found from there; each is made by a command that the page names."""
    results = (ROOT / "docs" / "results.md").read_text("utf-8")
    made = [
        page.name
        for page in (ROOT / "docs").glob("*.md")
        if re.search(r"\bMade by\s+`?remask (eval|bench)", page.read_text("utf-8"))
    ]
    assert "keyboard.md" in made
    assert [name for name in made if f"]({name})" not in results] == []
