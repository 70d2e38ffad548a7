"""Every way in which a server on another machine fails, and what its user is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.fake_remote import answer, cut, hang, stream

if TYPE_CHECKING:
    from support.fake_remote import Reply

#: Found by listing the folder: whatever needs no torch and says where it calls.
REMOTE = ("mercury", "openai_fim", "remask", "sglang", "vllm")
#: Seconds after which the engine gives up a server that says nothing.
TIMEOUT_S = 0.5
FILL = "return w * h"


def refusal(status: int) -> Reply:
    """Refuse, and ask for more patience than a user has."""
    said = {"error": {"message": "no", "type": "t", "param": None, "code": "c"}}
    return answer(said, status, Retry_After="60")


#: What the server does, and words of the message; a name each, for people.
FAILURES: dict[str, tuple[Reply, str]] = {
    "slow": (hang, f"did not answer within {TIMEOUT_S:g} s"),
    "cut": (cut, "broke off"),
    "wrong JSON": (stream("{nonsense"), "no JSON"),
    "401": (refusal(401), "needs a key"),
    "402": (refusal(402), "no credit left"),
    "404": (refusal(404), "no such endpoint or model"),
    "429": (refusal(429), "asked too often; try again in 60 s"),
    "500": (refusal(500), "a fault of its own (status 500)"),
    "503": (refusal(503), "a fault of its own (status 503)"),
}


def good(name: str) -> Reply:
    """Return the fill as an engine expects it when it has asked for a stream."""
    if name == "remask":
        finished: dict[str, Any] = {
            "type": "Finished",
            "id": "x",
            "alternatives": [{"texts": [FILL]}],
            "model": "there",
            "sampler": "hybrid",
            "seed": 3,
            "usage": {"n_tokens": 3, "n_forwards": 1},
        }
        return stream(finished)
    if name == "sglang":
        return answer({"choices": [{"message": {"content": FILL}, "finish_reason": "stop"}]})
    return stream({"choices": [{"text": FILL, "finish_reason": "stop"}]}, "[DONE]")


def environment(name: str, url: str) -> dict[str, str]:
    """Return what makes a runtime ask a server, whatever the file."""
    return {
        "REMASK_ENGINE": name,
        "REMASK_REMOTE_URL": url,
        "REMASK_REMOTE_FILES": "*",
        "REMASK_REMOTE_TIMEOUT_S": str(TIMEOUT_S),
    }
