"""What a report may hold."""

from __future__ import annotations

import pytest

from lsp_server.command_line.report import for_others, redacted


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "2026-12-01 02:07:27,864 INFO model_runtime.service.server client 1: edit request",
            "2026-12-01 02:07:27,864 INFO model_runtime.service.server client 1: edit request",
        ),
        (
            "2026-12-01 02:07:27,864 WARNING model_runtime.weights.fetch /home/ann/a b.gguf 'x y'",
            "2026-12-01 02:07:27,864 WARNING model_runtime.weights.fetch … b.gguf …",
        ),
        ("2026-12-01 02:07:27,864 INFO httpx GET https://example.org/secret", ""),
        ("ValueError: def my_secret():", ""),
        ("    my_secret = 1", ""),
        (
            '  File "/home/ann/venv/lib/site-packages/torch/nn.py", line 3, in forward',
            "  File site-packages/torch/nn.py, line 3, in forward",
        ),
        ('  File "/home/ann/secret/own.py", line 3, in go', "  File own.py, line 3, in go"),
    ],
)
def test_only_our_own_lines_are_shown(line: str, shown: str) -> None:
    """A message of somebody else's may quote anything; a frame tells where, not whose."""
    assert redacted(line) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("in /home/ann/run", "in …"),
        (r"in C:\Users\ann\run", "in …"),
        (
            "The runtime died. It last said: def my_secret():\n x",
            "The runtime died. It last said: …",
        ),
        (
            "a bug, number 1 in its log: KeyError: 'my_secret'",
            "a bug, number 1 in its log: KeyError: …",
        ),
        ("Unknown model 'mine'; allowed: a, b", "Unknown model …; allowed: a, b"),
    ],
)
def test_findings_lose_what_is_the_users(text: str, shown: str) -> None:
    """Paths, quotes, and what a process said that may have quoted a buffer."""
    assert for_others(text) == shown
