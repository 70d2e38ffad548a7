"""`remask bench`: which parts it measures, and what it leaves behind."""

from __future__ import annotations

import argparse
from importlib import import_module

import pytest

from model_runtime.bench.apart import apart
from model_runtime.bench.command import (
    PARTS,
    chosen_parts,
    command_line,
    configure,
    main,
)
from model_runtime.errors import RuntimeFault, UnknownName
from model_runtime.weights.catalog import named_model


def parse(*words: str) -> argparse.Namespace:
    """Parse the command's words."""
    parser = argparse.ArgumentParser(description="Measure")
    configure(parser)
    return parser.parse_args(words)


def test_all_parts_unless_told_otherwise() -> None:
    """Without --only everything is measured."""
    assert chosen_parts("") == list(PARTS)


def test_only_some_parts_in_their_own_order() -> None:
    """--only chooses; the order stays that of the report."""
    assert chosen_parts("memory, fills") == ["fills", "memory"]


def test_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A part that is none is refused with the list of those there are."""
    with pytest.raises(UnknownName, match=r"unknown part 'speed'.*clients, fills, following"):
        chosen_parts("fills,speed")
    assert main(parse("--only", "speed")) == 1
    assert "unknown part 'speed'" in capsys.readouterr().err


@pytest.mark.parametrize("name", PARTS)
def test_every_part_can_be_measured(name: str) -> None:
    """Every part is a module that says what it measures and how to."""
    module = import_module(f"model_runtime.bench.{PARTS[name][0]}")
    assert module.__doc__
    assert callable(module.measure)


def test_command_is_told_as_it_was_given() -> None:
    """The report's command has the flags that were given, and no others."""
    words = ("--only", "fills", "--out", "docs/a b", "--repeat", "1", "--threads", "2")
    assert command_line(parse(*words)) == (
        "remask bench --only fills --out 'docs/a b' --repeat 1 --threads 2"
    )
    assert command_line(parse()) == "remask bench"


def test_fault_comes_back_from_the_process_of_a_part() -> None:
    """What goes wrong in a part's own process is told with its own words."""
    assert apart(len, "abc") == 3
    with pytest.raises(RuntimeFault, match="unknown model 'none'; allowed: qwen"):
        apart(named_model, "none")
