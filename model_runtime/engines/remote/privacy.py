"""Which files may leave this machine: none, unless the user says so."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

#: Never leave, whatever is allowed: files that hold secrets by their names. All that the language
#: server leaves alone, whose list the user can change; the two processes share the wire only.
NEVER = (
    ".env",
    ".env.*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".htpasswd",
    ".git-credentials",
    "credentials",
    "credentials.*",
    "secrets.*",
)


@dataclass(frozen=True)
class Allowed:
    """The user's rule, in the words of the `remote_files` setting.

    Patterns are separated by commas. `*` stands for any characters, slashes too, so `src/*` is
    all below src. One that begins with `!` takes files out again. A file without a name, an
    unsaved buffer, only `*` allows.
    """

    patterns: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Read the setting."""
        words = [word.strip().casefold() for word in setting.split(",") if word.strip()]
        return cls(
            tuple(word for word in words if not word.startswith("!")),
            tuple(word[1:] for word in words if word.startswith("!")),
        )

    def may_leave(self, path: str) -> bool:
        """Whether a file's text may be sent away."""
        spelled = PurePosixPath(path.replace("\\", "/")).as_posix().casefold() if path else ""
        name = spelled.rpartition("/")[2]
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in NEVER):
            return False
        if any(fnmatch.fnmatchcase(spelled, pattern) for pattern in self.exceptions):
            return False
        return any(fnmatch.fnmatchcase(spelled, pattern) for pattern in self.patterns)

    def __str__(self) -> str:
        """Return the rule for the status."""
        return ", ".join((*self.patterns, *(f"!{word}" for word in self.exceptions))) or "none"
