"""What an engine has encoded, kept from request to request: each kind of context its own."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from model_runtime.modes.context import own_copy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.caches.base import Cache
    from model_runtime.modes.model import Model
    from model_runtime.protocol import InfillRequest
    from model_runtime.text.forms import Form

#: Encoded contexts that are kept: of a few documents, edits apart that are shown other files.
N_CONTEXTS = 6


class ContextKey(NamedTuple):
    """What tells contexts apart that are not each other's beginning."""

    document: str
    form: Form
    #: Whether other files are shown, and how; which ones changes at the end, if at all.
    others: str
    is_glance: bool = False
    #: Of next edits, whose contexts are others.
    is_next: bool = False


def context_key(request: InfillRequest, model: Model) -> ContextKey:
    """Return the kind of context that a request's first span has."""
    others = (request.context_form or "own") if request.context else ""
    form = model.layout.form_of(request, request.spans[0])
    return ContextKey(request.document, form, others)


class KeptContexts:
    """The contexts that were used last."""

    def __init__(self) -> None:
        #: Those that no request works on, and those that one does.
        self._kept: OrderedDict[ContextKey, Cache] = OrderedDict()
        self._lent: dict[ContextKey, Cache] = {}

    def clear(self) -> None:
        """Drop all of them."""
        self._kept.clear()
        self._lent.clear()

    @contextmanager
    def lend(self, key: ContextKey, model: Model) -> Iterator[Cache]:
        """Lend a cache: what the last request of its kind encoded need not be encoded again.

        While another request has it, a copy.
        """
        cache = self._kept.pop(key, None)
        if cache is None:
            lent = self._lent.get(key)
            cache = own_copy(lent, model.denoiser)
        self._lent[key] = cache
        try:
            yield cache
        finally:
            if self._lent.get(key) is cache:
                del self._lent[key]
            self._kept[key] = cache
            if len(self._kept) > N_CONTEXTS:
                self._kept.popitem(last=False)
