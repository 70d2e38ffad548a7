"""What each remote engine sends, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.fake_remote import FakeRemote, answer, fake_remote
from support.wire import infill_request

from model_runtime.engines import ENGINES
from model_runtime.errors import BadRequest, UnknownName
from model_runtime.protocol import ContextFile, MaskSpan
from model_runtime.service.jobs import StopToken
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = {"choices": [{"text": "x", "message": {"content": "```\nx\n```"}, "finish_reason": "stop"}]}


class Quiet:
    """Listens to nothing."""

    def notice(self, text: str, fraction: float | None = None) -> None:
        """Drop a notice."""

    def step(self, report: Any) -> None:
        """Drop a report."""


@pytest.fixture
def remote() -> Iterator[FakeRemote]:
    """A server that answers."""
    with fake_remote(answer(GOOD)) as fake:
        yield fake


def sent(name: str, remote: FakeRemote, settings: dict[str, Any], **values: Any) -> tuple[str, Any]:
    """Return the path and body that an engine sends for a request."""
    make: Any = ENGINES.load(name)
    engine = make(RuntimeSettings(remote_url=remote.url, remote_files="*", **settings))
    defaults = {
        "prefix": "P",
        "suffix": "S",
        "path": "a.py",
        "language": "python",
        "seed": 7,
        "spans": (MaskSpan(max_tokens=9, single_line=True),),
    }
    engine.infill(infill_request(**(defaults | values)), Quiet(), StopToken())
    engine.close()
    path, _, body = remote.requests[-1]
    return path, body


def test_openai_fim(remote: FakeRemote) -> None:
    """A generic server gets prompt and suffix."""
    assert sent("openai_fim", remote, {"remote_model": "m"}) == (
        "/v1/completions",
        {
            "model": "m",
            "max_tokens": 9,
            "temperature": 0.0,
            "seed": 7,
            "prompt": "P",
            "suffix": "S",
            "stop": ["\n"],
        },
    )


def test_vllm_gets_the_tokens_written_out(remote: FakeRemote) -> None:
    """VLLM takes no suffix, so the prompt has the model's own tokens."""
    path, body = sent("vllm", remote, {"remote_model": "m"})

    assert path == "/v1/completions"
    assert body["prompt"] == "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"
    assert "<|fim_prefix|>" in body["stop"]
    assert "suffix" not in body


def test_sglang_is_asked_in_words(remote: FakeRemote) -> None:
    """SGLang's diffusion models know no such tokens, so they get a chat."""
    path, body = sent("sglang", remote, {"remote_model": "m"})

    assert path == "/v1/chat/completions"
    assert "P<<<HOLE>>>S" in body["messages"][0]["content"]


def test_mercury_fills(remote: FakeRemote) -> None:
    """Mercury's fill-in-the-middle gets only fields that its description has."""
    assert sent("mercury", remote, {}) == (
        "/v1/fim/completions",
        {
            "model": "mercury-edit-2",
            "prompt": "P",
            "suffix": "S",
            "max_tokens": 9,
            "stop": ["\n"],
        },
    )


def test_mercury_edits(remote: FakeRemote) -> None:
    """A rewrite goes to the edit endpoint: one user message, the file with its code marked."""
    path, body = sent(
        "mercury",
        remote,
        {},
        mode="rewrite",
        instruction="be brief",
        spans=(MaskSpan(text="OLD"),),
        context=(ContextFile(path="b.py", text="OTHER"),),
    )
    content = body["messages"][0]["content"]

    assert path == "/v1/edit/completions"
    assert set(body) == {"model", "messages", "max_tokens"}
    assert "current_file_path: a.py\nP<|code_to_edit|>\nOLD<|cursor|>" in content
    assert "code_snippet_file_path: b.py\nOTHER" in content
    assert "be brief" in content


def test_remask_gets_the_request_itself() -> None:
    """Another Remask gets every field, with the document's name made this machine's own."""
    finished = {
        "type": "Finished",
        "id": "x",
        "alternatives": [{"texts": ["x"]}],
        "model": "there",
        "sampler": "hybrid",
        "seed": 7,
        "usage": {},
    }
    with fake_remote(answer(finished)) as remote:
        path, body = sent("remask", remote, {}, sampler="hybrid", document="d", strength=0.5)

    assert path == "/remask/infill"
    assert (body["sampler"], body["strength"], body["seed"]) == ("hybrid", 0.5, 7)
    assert body["document"].endswith(":d")
    assert body["document"] != ":d"


def test_unknown_style_lists_the_known(remote: FakeRemote) -> None:
    """A way to put a hole that there isn't is refused with those that there are."""
    with pytest.raises(UnknownName, match="qwen"):
        sent("vllm", remote, {"remote_prompt": "nonsense"})


def test_address_is_needed_where_there_is_no_default() -> None:
    """A generic server is nowhere until the user says where."""
    make: Any = ENGINES.load("openai_fim")
    with pytest.raises(BadRequest, match="remote_url"):
        make(RuntimeSettings())


def test_unsupported_mode_lists_the_supported(remote: FakeRemote) -> None:
    """What a server can't do is refused with what it can."""
    with pytest.raises(BadRequest, match="holes, infill"):
        sent("vllm", remote, {}, mode="rewrite")
