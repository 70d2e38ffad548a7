"""What holds for the messages as such."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import msgspec
import pytest

from model_runtime import errors
from model_runtime.protocol import Cancel, ClientMessage, FailureCode, RuntimeMessage


def faults(root: type[errors.RuntimeFault]) -> list[type[errors.RuntimeFault]]:
    """Return a fault and all that are kinds of it, except those that tests define."""
    kinds = [kind for kind in root.__subclasses__() if kind.__module__ == errors.__name__]
    return [root, *(fault for kind in kinds for fault in faults(kind))]


def test_each_fault_has_a_code_of_the_wire() -> None:
    """Every named fault can be told to a client, and every code is some fault's."""
    codes = {fault.code for fault in faults(errors.RuntimeFault)}

    # The one code that no runtime ever sends: it is dead.
    assert codes == set(get_args(FailureCode)) - {"runtime_died"}


def test_messages_are_frozen() -> None:
    """A message does not change once it is made."""
    message = Cancel(id="a")

    with pytest.raises(AttributeError):
        message.id = "b"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("union", [ClientMessage, RuntimeMessage])
def test_unknown_fields_are_refused(union: type) -> None:
    """A field that the protocol doesn't know is an error, in every message."""
    for message in get_args(union):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"type": message.__name__, "id": "a", "surplus": 1}, union)


def test_wire_imports_little() -> None:
    """Both processes import the wire, so it imports msgpack, msgspec and the standard library."""
    code = """
import sys
before = set(sys.modules)
import model_runtime.protocol, model_runtime.framing
names = {name.partition(".")[0].lstrip("_") for name in set(sys.modules) - before}
print(*sorted(names - {name.lstrip("_") for name in sys.stdlib_module_names}))
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    # The other two are what msgpack and msgspec themselves are made with.
    allowed = {"model_runtime", "msgpack", "msgspec", "typing_extensions"}
    assert {name for name in said.stdout.split() if not name.startswith("cython")} <= allowed
