"""The text that stood on a canvas when decoding began, as a source of drafts.

Where what is said departs from it, it is looked for again a little further on (Yang et al. 2023,
arXiv 2304.04487).
"""

from __future__ import annotations

from dataclasses import dataclass

#: How far behind a departure the text is looked for again, in tokens.
_WINDOW = 16


@dataclass
class FirstText:
    """A text that is read while other tokens are settled in its place."""

    token_ids: list[int]
    #: How much of it is done with: settled, replaced or left out.
    n_read: int = 0

    def read(self, n_tokens: int) -> None:
        """Go on: so many of its tokens were settled."""
        self.n_read += n_tokens

    def behind(self, said: int) -> list[int]:
        """Return what follows the token that was said, and go on there; nothing if not met."""
        ahead = self.token_ids[self.n_read : self.n_read + _WINDOW]
        if said not in ahead:
            return []
        self.n_read += ahead.index(said) + 1
        return self.token_ids[self.n_read :]
