"""The engine without a model."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wire import infill_request

from model_runtime.engines.scripted import MARK, Reply, ScriptedEngine, _denoise
from model_runtime.errors import BadRequest, RuntimeFault, Stopped, Superseded
from model_runtime.protocol import MaskSpan
from model_runtime.service.jobs import StopToken
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.protocol import StepReport


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.reports: list[StepReport] = []

    def notice(self, text: str, fraction: float | None = None) -> None:
        """Keep a notice."""
        assert fraction is None
        self.notices.append(text)

    def step(self, report: StepReport) -> None:
        """Keep a report."""
        self.reports.append(report)


def scripted(folder: Path, *replies: dict[str, Any]) -> ScriptedEngine:
    """Return an engine with these replies."""
    path = folder / "script.json"
    path.write_text(json.dumps({"replies": replies}))
    return ScriptedEngine(RuntimeSettings(script=str(path)))


def test_first_fitting_reply_is_used(tmp_path: Path) -> None:
    """The prefix decides; without a fitting reply a span keeps its text, or gets one."""
    engine = scripted(tmp_path, {"when": r"x = $", "texts": ["1"]}, {"when": "x", "texts": ["2"]})
    texts = [
        engine.infill(infill_request(prefix=prefix), Listener(), StopToken()).alternatives[0].texts
        for prefix in ("x = ", "x == ", "y")
    ]

    assert texts == [("1",), ("2",), ("pass",)]


def test_one_text_a_span(tmp_path: Path) -> None:
    """Each span has its own text; the last one serves the rest."""
    engine = scripted(tmp_path, {"texts": ["a", "b"]})
    request = infill_request(spans=(MaskSpan(), MaskSpan(), MaskSpan()), n_alternatives=2)
    finished = engine.infill(request, Listener(), StopToken())

    assert [each.texts for each in finished.alternatives] == [("a", "b", "b")] * 2


def test_alternatives(tmp_path: Path) -> None:
    """As many as are asked for, in turn; the seed says which one comes first."""
    engine = scripted(tmp_path, {"texts": ["a"], "others": [["b"]]})
    request = infill_request(n_alternatives=3, seed=1)
    finished = engine.infill(request, Listener(), StopToken())

    assert [each.texts for each in finished.alternatives] == [("b",), ("a",), ("b",)]


def test_toml_script(tmp_path: Path) -> None:
    """A script may be TOML, which is kinder to regular expressions."""
    path = tmp_path / "script.toml"
    path.write_text("[[replies]]\nwhen = 'f\\(\\)'\ntexts = ['g()']\n")
    engine = ScriptedEngine(RuntimeSettings(script=str(path)))
    finished = engine.infill(infill_request(prefix="f()"), Listener(), StopToken())

    assert finished.alternatives[0].texts == ("g()",)


@given(st.text(max_size=80), st.integers(1, 9))
def test_denoising_settles_every_token(text: str, n_steps: int) -> None:
    """Step by step more is settled, never less, and the last step shows the text."""
    reports = list(_denoise((text,), Reply(n_steps=n_steps)))

    assert [report.step_index for report in reports] == list(range(n_steps))
    assert reports[-1].drafts == reports[-1].committed == (text,)
    for earlier, later in itertools.pairwise(reports):
        assert earlier.n_committed <= later.n_committed
        assert later.committed[0].startswith(earlier.committed[0])
    for report in reports:
        assert len(report.drafts[0]) == len(text)
        assert all(a in (b, MARK) for a, b in zip(report.drafts[0], text, strict=True))


def test_stops_when_told_to(tmp_path: Path) -> None:
    """An endless reply ends with the reason it was stopped for, before the next step."""

    class StopsAtThird(Listener):
        def step(self, report: StepReport) -> None:
            super().step(report)
            if report.step_index == 2:
                token.stop(Superseded("enough"))

    token = StopToken()
    listener = StopsAtThird()
    with pytest.raises(Stopped, match="enough"):
        scripted(tmp_path, {"endless": True}).infill(infill_request(), listener, token)

    assert len(listener.reports) == 3


def test_failures(tmp_path: Path) -> None:
    """A reply can fail with any code, and after its notices."""
    listener = Listener()
    engine = scripted(tmp_path, {"notices": ["Downloading"], "fail": "remote_failed"})
    with pytest.raises(RuntimeFault) as caught:
        engine.infill(infill_request(), listener, StopToken())

    assert caught.value.code == "remote_failed"
    assert RuntimeFault.code == "internal"
    assert listener.notices == ["Downloading"]


@pytest.mark.parametrize(
    "text", ["{", '{"replies": [{"wen": "x"}]}', '{"replies": [{"when": "("}]}', '{"replies": 3}']
)
def test_bad_script(tmp_path: Path, text: str) -> None:
    """A script that can't be used is named, with what is wrong."""
    path = tmp_path / "script.json"
    path.write_text(text)

    with pytest.raises(BadRequest, match=r"script\.json: .+"):
        ScriptedEngine(RuntimeSettings(script=str(path)))


def test_a_score_doubts_what_the_reply_does_not_have(tmp_path: Path) -> None:
    """Word by word, for trying heat maps out; other modes score nothing."""
    engine = scripted(tmp_path, {"texts": ["good()"]})
    request = infill_request(mode="score", spans=(MaskSpan(text="bad()"),))
    scores = engine.infill(request, Listener(), StopToken()).scores

    assert [(score.n_chars, score.doubt > 0) for score in scores] == [
        (3, True),
        (1, False),
        (1, False),
    ]
    assert not engine.infill(infill_request(), Listener(), StopToken()).scores
