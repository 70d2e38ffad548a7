"""Keys of remote engines: from the environment or the system's key store, never from a file.

A key is wrapped as soon as it is found, so that no log, error or debugger's line shows it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping  # noqa: TC003  # a default's type
from dataclasses import dataclass, field

#: What keys are filed under in the key store; the user name is the engine's name.
SERVICE = "remask"


@dataclass(frozen=True)
class Key:
    """A secret that does not print itself."""

    text: str = field(repr=False)

    def header(self) -> dict[str, str]:
        """Return the header that carries it."""
        return {"Authorization": f"Bearer {self.text}"}

    def hide_in(self, text: str) -> str:
        """Return a text without the key, should a server have quoted it."""
        return text.replace(self.text, "(the key)")


def find_key(engine: str, variable: str, environment: Mapping[str, str] = os.environ) -> Key | None:
    """Return an engine's key; None if it has none.

    Args:
        engine: its name, for the key store.
        variable: of the environment; looked at first.
        environment: the environment.
    """
    if found := environment.get(variable, "").strip():
        return Key(found)
    try:
        import keyring  # noqa: PLC0415  # an extra
        from keyring.errors import KeyringError  # noqa: PLC0415  # likewise
    except ImportError:
        return None
    try:
        stored = keyring.get_password(SERVICE, engine)
    except KeyringError:
        return None
    return Key(stored) if stored else None
