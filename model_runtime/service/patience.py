"""A model that is being loaded is loaded to its end, whoever asked for it first.

Ghost text is given up with the next key, and a download of minutes would begin again with each. So
a job that is told to stop has its terminal message at once, and what it began goes on for those who
come next; only a runtime that leaves stops it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.errors import ShuttingDown, Stopped

if TYPE_CHECKING:
    from model_runtime.engines.base import CancelToken, Engine


class Patience:
    """A token that does not stop an engine before its model is loaded.

    Args:
        token: the job's.
        engine: who works on it.
    """

    def __init__(self, token: CancelToken, engine: Engine) -> None:
        self._token = token
        self._engine = engine

    def check(self) -> None:
        """See `CancelToken.check`."""
        try:
            self._token.check()
        except ShuttingDown:
            raise
        except Stopped:
            if self._engine.describe().loaded:
                raise
