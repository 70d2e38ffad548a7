"""How sure a text has to be, by a body or by the server's flag, and how sure it is told to be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import doubtful
from support.dialects import SPOKEN, Spoken
from support.front import fronting

from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.errors import BadRequest
from model_runtime.http.limits import ServeSettings
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "a = b\nc"
#: Of its tokens: a, blank, =, blank, b, line end, c.
SURE = (0.9, 0.9, 0.9, 0.9, 0.6, 0.6, 0.3)
INFILLS = [spoken for spoken in SPOKEN if "chat" not in spoken.path]


class Telling(ScriptedEngine):
    """Tells how sure it is, and waits for no orders."""

    def finish(self) -> None:
        """See `SteppedEngine.finish`."""


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    """An engine that tells how sure it is."""
    script = tmp_path / "script.json"
    script.write_text(
        json.dumps({"replies": [{"texts": [TEXT], "confidence": SURE, "n_steps": 3}]})
    )
    return Telling(RuntimeSettings(script=str(script)))


@pytest.mark.parametrize("spoken", INFILLS, ids=lambda spoken: spoken.path)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_says_how_sure(
    short_path: Path, engine: Any, spoken: Spoken, *, stream: bool
) -> None:
    """By number or word; what is less sure is left out, streamed too, and the rest is told of."""
    texts, told = [], []
    async with fronting(short_path, engine) as front:
        for confidence in (0, 0.6, "quiet", 1):
            body = spoken.body | {"stream": stream, "remask": {"confidence": confidence}}
            reply = (await front.post(spoken.path, **body)).text
            texts.append(
                "".join(spoken.pieces(reply)) if stream else spoken.text(json.loads(reply))
            )
            lines = [line.removeprefix("data: ") for line in reply.splitlines()]
            bodies = [json.loads(line) for line in lines if line.startswith("{")]
            told.append(next(each["remask"]["confidence"] for each in bodies if "remask" in each))

    assert texts == [TEXT, "a = b", "a =", ""]
    assert [sum(one["n_chars"] for one in choice[0]) for choice in told] == [7, 5, 3, 0]
    assert [one["confidence"] for one in told[0][0]] == list(SURE)


async def test_a_server_says_so_for_clients_that_can_not(short_path: Path, engine: Any) -> None:
    """Who says nothing is told nothing; who says otherwise gets that."""
    ask = {"input_prefix": "x", "input_suffix": "y"}
    async with fronting(short_path, engine, confidence="balanced") as front:
        plain = (await front.post("/infill", **ask)).json()
        own = (await front.post("/infill", **ask, remask={"confidence": 0})).json()
        edit = (await front.post("/v1/chat/completions", **SPOKEN[4].body)).json()

    assert plain["content"] == "a = b"
    assert "remask" not in plain
    assert own["content"] == TEXT
    assert edit["choices"][0]["message"]["content"] == TEXT


async def test_stretches_are_of_the_text_that_is_told(short_path: Path, engine: Any) -> None:
    """Cut at a stop string, and in the client's line ends."""
    async with fronting(short_path, engine) as front:
        ask = {"input_prefix": "x\r\n", "input_suffix": "", "remask": {"confidence": 0.2}}
        windows = (await front.post("/infill", **ask)).json()
        cut = (await front.post("/infill", **ask, stop=["b"])).json()

    for reply, text in ((windows, "a = b\r\nc"), (cut, "a = ")):
        (stretches,) = reply["remask"]["confidence"]
        assert reply["content"] == text
        assert sum(one["n_chars"] for one in stretches) == len(text)


async def test_what_is_no_confidence_is_refused(short_path: Path) -> None:
    """With the words that are."""
    async with fronting(short_path) as front:
        reply = await front.post("/infill", input_prefix="", remask={"confidence": "very"})

    assert (reply.status_code, "balanced" in reply.text) == (400, True)
    with pytest.raises(BadRequest, match="balanced"):
        ServeSettings(confidence="very")


@pytest.mark.parametrize("spoken", INFILLS, ids=lambda spoken: spoken.path)
async def test_the_stretch_is_the_one_that_editors_show(
    short_path: Path, tmp_path: Path, spoken: Spoken
) -> None:
    """The same words for the same sureness."""
    script = tmp_path / "doubtful.json"
    script.write_text(json.dumps({"replies": [doubtful.REPLY | {"when": ""}]}))
    engine = Telling(RuntimeSettings(script=str(script)))
    async with fronting(short_path, engine) as front:
        body = spoken.body | {"stream": False, "remask": {"confidence": "balanced"}}
        reply = (await front.post(spoken.path, **body)).text

    assert spoken.text(json.loads(reply)) == doubtful.SURE
