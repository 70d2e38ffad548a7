"""The commands of `python -m model_runtime`."""

from __future__ import annotations

import inspect

import pytest

from model_runtime.__main__ import COMMANDS, functions_of


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_run_by_its_own_function(name: str) -> None:
    """Both its functions take one thing, and no other one of the module's is taken for them."""
    configure, run = functions_of(name, COMMANDS[name][0])

    assert list(inspect.signature(configure).parameters) == ["parser"]
    assert list(inspect.signature(run).parameters) == ["arguments"]
    assert not inspect.iscoroutinefunction(run)
