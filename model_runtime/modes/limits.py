"""What a request may ask for, whatever the mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.errors import BadRequest

if TYPE_CHECKING:
    from model_runtime.protocol import InfillRequest

MAX_ALTERNATIVES = 16
MAX_SEED = 2**63 - 1
#: Spans of one request: each costs an encoding of its context.
MAX_SPANS = 64
#: Characters of an instruction: longer ones leave no room for the code.
MAX_INSTRUCTION = 2000
#: Modes that change what stands in one span.
ONE_SPAN_MODES = ("rewrite", "repair", "score")


def check_request(request: InfillRequest) -> None:
    """Refuse what can't be done.

    Raises:
        BadRequest: says what and why.
    """
    n_spans, n_words = len(request.spans), len(request.instruction)
    if not request.spans:
        raise BadRequest("the request has no span to fill")
    if n_spans > MAX_SPANS:
        raise BadRequest(f"the request has {n_spans} spans; at most {MAX_SPANS} are filled at once")
    if request.mode in ONE_SPAN_MODES and n_spans > 1:
        raise BadRequest(f"{request.mode} takes one span; the request has {n_spans}")
    if not 0 <= request.strength <= 1:
        raise BadRequest(f"strength is {request.strength}; allowed: 0 to 1")
    if n_words > MAX_INSTRUCTION:
        raise BadRequest(
            f"the instruction has {n_words} characters; at most {MAX_INSTRUCTION} are taken: "
            "say it in fewer words"
        )
    if not 1 <= request.n_alternatives <= MAX_ALTERNATIVES:
        raise BadRequest(
            f"n_alternatives is {request.n_alternatives}; allowed: 1 to {MAX_ALTERNATIVES}"
        )
    if request.seed is not None and not 0 <= request.seed <= MAX_SEED:
        raise BadRequest(f"seed is {request.seed}; allowed: 0 to 2**63 - 1")
    for span in request.spans:
        if span.max_tokens is not None and span.max_tokens < 1:
            raise BadRequest(f"max_tokens is {span.max_tokens}; it must be at least 1")
