"""`remask stats`."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from lsp_server.command_line.cli import app
from lsp_server.tally import Tally, tally_path


def run(*words: str) -> str:
    """Return what the command prints."""
    result = CliRunner().invoke(app, ["stats", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_it_tells_what_was_right_by_confidence() -> None:
    """Language by language and tenth by tenth; and forgets when told to."""
    tally = Tally(tally_path())
    for end in ("accepted", "typed", "passed", "partly"):
        tally.end("python", 0.85, end)
    tally.flush()

    said = run()
    assert "python" in said
    assert "80-90 %" in said
    assert "50%" in said
    assert json.loads(run("--json"))["by_language"]["python"]["accepted"] == 1

    run("--reset")
    assert "No ghost text was shown yet" in run()
