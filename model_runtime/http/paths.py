"""Which endpoint a path means, however it is spelled.

Clients are told an address, and put together the rest: two slashes where they meet, one at the end,
`/v1` twice or not at all. What can mean but one endpoint is answered there.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

#: What stands before the endpoints' own names in other servers' addresses.
_ROOMS = {"v1", "v1beta", "api", "beta", "openai"}
_SLASHES = re.compile(r"/{2,}")
#: OpenAI's old address names the model; any name means the one.
_ENGINE = re.compile(r"/engines/[^/]+(?=/)")


def meant(path: str, known: Collection[str]) -> str:
    """Return the known path that a path means; the tidied path where there is none.

    Args:
        path: as it came.
        known: the endpoints' paths.
    """
    tidy = _SLASHES.sub("/", path)
    tidy = tidy.rstrip("/") or "/"
    if tidy in known:
        return tidy
    name = _name(_ENGINE.sub("", tidy).lower())
    found = [each for each in known if name and _name(each) == name]
    return min(found, key=len) if found else tidy


def advice(path: str, known: Collection[str]) -> str:
    """Return a sentence for who asked for a path that is not there."""
    fills = [each for each in known if each.count("/") and each != "/"]
    near = difflib.get_close_matches(path, fills, n=2, cutoff=0.5)
    likely = f"Did you mean {' or '.join(near)}? " if near else ""
    return (
        f"There is no endpoint at this path. {likely}Set the client's address to this server's"
        " own, with /v1 behind it for clients of OpenAI, without for the others."
    )


def _name(path: str) -> str:
    """Return a path without what stands before its name, e.g. "fim/completions"."""
    words = path.strip("/").split("/")
    while len(words) > 1 and words[0] in _ROOMS:
        words = words[1:]
    return "/".join(words)
