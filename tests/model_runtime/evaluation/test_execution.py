"""Completed programs are judged by what they do, and can't do harm on the way."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from model_runtime.evaluation import execution
from model_runtime.evaluation.execution import RunLimits, run_program

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("program", "verdict", "words"),
    [
        ("assert 1 + 1 == 2", "pass", ""),
        ("assert 1 + 1 == 3, 'three'", "fail", "AssertionError: three"),
        ("undefined", "error", "NameError: name 'undefined' is not defined"),
        ("if True", "error", "SyntaxError: expected ':' (<completed>, line 1)"),
        ("x = 'a' * (1 << 33)", "error", "MemoryError: "),
        ("raise SystemExit(0)", "error", "SystemExit: 0"),
        ("import os; os._exit(0)", "error", "died without a report, exit status 0"),
        ("def f():\n    return f()\nf()", "error", "RecursionError: maximum recursion depth"),
        ("print('pass'); import sys; sys.stdout.flush(); 1 / 0", "error", "ZeroDivisionError: "),
        ("import numpy", "error", "ModuleNotFoundError: No module named 'numpy'"),
        ("import model_runtime", "error", "ModuleNotFoundError: No module named 'model_runtime'"),
        ("import os; assert os.listdir('.') == []", "pass", ""),
        ("import os; assert 'HOME' not in os.environ", "pass", ""),
        ("assert __name__ == '__main__'", "pass", ""),
        ("assert input() == ''", "error", "EOFError: EOF when reading a line"),
    ],
)
def test_a_program_gets_the_verdict_it_earned(program: str, verdict: str, words: str) -> None:
    """Only a program that comes to its last line passes; the others say how they ended."""
    result = run_program(program)
    assert result.verdict == verdict
    assert result.words.startswith(words)


def test_an_endless_program_runs_out_of_time() -> None:
    """A loop ends at the limit, whether it computes or waits."""
    for program in ("while True:\n    pass", "import threading\nthreading.Event().wait()"):
        result = run_program(program, RunLimits(wall_s=0.5))
        assert (result.verdict, result.words) == ("timeout", "no end in 0.5 s")


def test_a_program_cannot_write_large_files() -> None:
    """What a program writes to disk is bounded."""
    program = "with open('f', 'wb') as file:\n    file.write(b'x' * 5000)"
    assert run_program(program, RunLimits(file_bytes=4000)).words.startswith("OSError")
    assert run_program(program, RunLimits(file_bytes=6000)).verdict == "pass"


def test_a_program_cannot_reach_a_server_here() -> None:
    """Not even this machine's own loopback is in reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = f"import socket\nsocket.create_connection(('127.0.0.1', {port}))"
        assert run_program(program).words == "PermissionError: no network here"
        if execution._fence():
            program = f"import _socket\n_socket.socket().connect(('127.0.0.1', {port}))"
            assert run_program(program).words == "OSError: [Errno 101] Network is unreachable"


def test_nothing_outlives_a_program(tmp_path: Path) -> None:
    """A process that a program leaves behind is gone when its verdict is there."""
    pipe = tmp_path / "held"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    program = f"""
import os
held = os.open({str(pipe)!r}, os.O_WRONLY)
if os.fork() == 0:
    import threading
    threading.Event().wait()
"""
    result = run_program(program)
    # Where processes are limited the fork itself is refused; where they are not, it passes, and
    # the end of the pipe that the orphan held is closed.
    assert result.verdict == "pass" or result.words.startswith("BlockingIOError")
    assert os.read(reader, 1) == b""
    os.close(reader)
