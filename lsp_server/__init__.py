"""Text in editors: positions, syntax and edits. No tensors: the model lives in another process."""

from __future__ import annotations


def version() -> str:
    """Return the version of the installed package; "unknown" when run from a bare checkout."""
    from importlib import metadata  # noqa: PLC0415 - not every start needs it

    try:
        return metadata.version("remask")
    except metadata.PackageNotFoundError:
        return "unknown"
