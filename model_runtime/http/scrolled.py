"""Clients that send a window of a long file: where it begins moves with the cursor, line by line.

A context that begins elsewhere has to be encoded as a whole. So it begins where it began at the
client's last request: what has scrolled out at the top since then is put back, and the little that
has come in there is left out. The runtime cuts what is too long itself, and in large steps.

(llama.cpp's server moves keys and values of what two windows have in common, `--cache-reuse`; here
nothing is read as standing behind what it does not stand behind.)
"""

from __future__ import annotations

from collections import OrderedDict, deque
from os.path import commonprefix
from typing import NamedTuple

#: Clients, and files of each, whose last windows are remembered.
MAX_CLIENTS = 64
N_FILES = 4
#: Characters that have to agree for two windows to be into the same file.
N_TELLING = 256
#: The most characters that a window is made to be; the runtime reads no more of them anyway.
MAX_CHARACTERS = 65_536
#: Share of a window that may be left out.
MAX_LEFT_OUT = 0.25


class Window(NamedTuple):
    """The text before a cursor."""

    #: Begun where it began before.
    text: str
    #: Of what came: a window into a file always has as many of either, a whole file has not.
    n_lines: int
    n_characters: int


class Scrolled:
    """Remembers how the text before each client's cursors began."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, deque[Window]] = OrderedDict()

    def whole(self, client: str, prefix: str) -> str:
        """Return the text before a cursor, begun where it began at the client's last request.

        Args:
            client: its address; nobody is shown what another one sent.
            prefix: as it came.
        """
        if len(prefix) > MAX_CHARACTERS:
            return prefix
        windows = self._windows.setdefault(client, deque(maxlen=N_FILES))
        self._windows.move_to_end(client)
        if len(self._windows) > MAX_CLIENTS:
            self._windows.popitem(last=False)
        text = prefix
        for last in reversed(windows):
            if (joined := _joined(last.text, prefix)) is not None:
                windows.remove(last)
                if prefix.count("\n") == last.n_lines or len(prefix) == last.n_characters:
                    text = joined
                break
        windows.append(Window(text, prefix.count("\n"), len(prefix)))
        return text


def _joined(text: str, prefix: str) -> str | None:
    """Return the prefix, begun where a text begins; None where they are not of the same file."""
    if (at := text.find(prefix[:N_TELLING])) >= 0:
        joined, agreeing = text[:at] + prefix, (text[at:], prefix)
    elif (at := prefix.find(text[:N_TELLING])) >= 0:
        joined, agreeing = prefix[at:], (text, prefix[at:])
    else:
        return None
    n_agreeing = len(commonprefix(agreeing))  # noqa: RUF071  # of text, not of paths
    # Where it was changed near its top, what stood above may have changed as well.
    is_same = n_agreeing >= max(N_TELLING, min(map(len, agreeing)) // 2)
    is_close = (1 - MAX_LEFT_OUT) * len(prefix) <= len(joined) <= MAX_CHARACTERS
    return joined if is_same and is_close else None
