"""What holds for every engine on another machine, against a server that misbehaves."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.fake_remote import FakeRemote, answer, cut, fake_remote, hang, stream
from support.remote_failures import REMOTE
from support.wire import infill_request

from model_runtime.engines import ENGINES
from model_runtime.engines.remote.engine import RemoteEngine
from model_runtime.errors import BadRequest, Cancelled, RemoteFailed
from model_runtime.protocol import ContextFile, MaskSpan
from model_runtime.service.jobs import StopToken
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.protocol import InfillRequest, StepReport

KEY = "sk-very-secret"
FILL = "return w * h"
#: One body that every engine can read: each looks for its own fields.
GOOD: dict[str, Any] = {
    "id": "x",
    "model": "there",
    "choices": [{"index": 0, "text": FILL, "message": {"content": FILL}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
}
#: The same, but that a part of it may not be told.
FILTERED: dict[str, Any] = GOOD | {
    "choices": [choice | {"finish_reason": "content_filter"} for choice in GOOD["choices"]]
}
FINISHED: dict[str, Any] = {
    "type": "Finished",
    "id": "x",
    "alternatives": [{"texts": [FILL]}],
    "model": "there",
    "sampler": "hybrid",
    "seed": 3,
    "usage": {"n_tokens": 3, "n_forwards": 1},
}


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


@pytest.fixture(params=REMOTE)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each remote engine's name; its key is in the environment."""
    found: str = request.param
    engine: Any = ENGINES.load(found)
    monkeypatch.setenv(engine.key_variable, KEY)
    return found


@pytest.fixture
def remote() -> Iterator[FakeRemote]:
    """A server that behaves, unless told otherwise."""
    with fake_remote() as fake:
        yield fake


def good(name: str) -> Any:
    """Return a reply that an engine can read."""
    return answer(FINISHED if name == "remask" else GOOD)


def make(name: str, remote: FakeRemote, **settings: Any) -> RemoteEngine:
    """Return an engine that calls `remote` and may send anything."""
    values = {"remote_url": remote.url, "remote_files": "*", "remote_tries": 1} | settings
    engine: Any = ENGINES.load(name)
    made: RemoteEngine = engine(RuntimeSettings(**values))
    return made


def ask(**values: Any) -> InfillRequest:
    """Return a request that every engine can fill."""
    return infill_request(
        prefix="def area(w, h):\n    ", **({"suffix": "\n", "path": "src/a.py", "seed": 1} | values)
    )


def fill(engine: RemoteEngine, **values: Any) -> tuple[str, ...]:
    """Have a request filled and return the best alternative's texts."""
    try:
        finished = engine.infill(ask(**values), Listener(), StopToken())
    finally:
        engine.close()
    return finished.alternatives[0].texts


def failure(engine: RemoteEngine, **values: Any) -> str:
    """Return what the user is told when it fails."""
    with pytest.raises(RemoteFailed) as caught:
        fill(engine, **values)
    return str(caught.value)


def test_list_of_engines_is_whole() -> None:
    """Every engine of the folder that calls another machine is tested here."""
    light = [name for name in ENGINES.names() if name != "local"]
    assert {name for name in light if issubclass(ENGINES.load(name), RemoteEngine)} == set(REMOTE)


def test_fill_comes_back(name: str, remote: FakeRemote) -> None:
    """The server's text is the fill, and the key went with the request."""
    remote.replies = [good(name)]

    assert fill(make(name, remote)) == (FILL,)
    assert remote.requests[0][1]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "refused the request"),
        (401, "does not accept the key"),
        (402, "no credit left"),
        (404, "no such endpoint or model"),
        (429, "asked too often; try again in 60 s"),
        (500, "a fault of its own"),
        (503, "a fault of its own"),
    ],
)
def test_each_refusal_has_its_own_words(
    name: str, remote: FakeRemote, status: int, words: str
) -> None:
    """What the server's status means is told in plain words, with what it said, without the key."""
    said = {"error": {"message": f"no {KEY} here", "type": "t", "param": None, "code": "c"}}
    remote.replies = [answer(said, status, Retry_After="60")]
    text = failure(make(name, remote))

    assert words in text
    assert "It says: no (the key) here" in text
    assert KEY not in text


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answer(b"<html>busy</html>"), "no JSON"),
        (answer(b'{"choices": [], "usage": null}'), ("without a fill", "another way")),
        (answer(FILTERED), ("content filter", "another way")),
        (answer(b'{"choices": 7}'), ("another shape", "another way")),
        (answer(b"[]"), ("another shape", "another way")),
        (answer(b"x" * 5_000_000), "far too much"),
        (answer(b"", 302, Location="http://127.0.0.1:1/"), "refused the request"),
        (cut, "broke off"),
    ],
    ids=["html", "empty", "filtered", "wrong type", "wrong shape", "huge", "redirect", "cut"],
)
def test_bad_reply_is_told(
    name: str, remote: FakeRemote, reply: Any, words: str | tuple[str, ...]
) -> None:
    """A reply that is broken, strange or endless becomes one clear sentence."""
    remote.replies = [reply]
    text = failure(make(name, remote))

    assert any(word in text for word in ((words,) if isinstance(words, str) else words))


def test_slow_server_is_given_up(name: str, remote: FakeRemote) -> None:
    """A server that says nothing for too long is left."""
    remote.replies = [hang]

    assert "did not answer within 0.2 s" in failure(make(name, remote, remote_timeout_s=0.2))


def test_absent_server_is_told(name: str, remote: FakeRemote) -> None:
    """Where nothing listens, the user learns which setting to check."""
    assert "check remote_url" in failure(make(name, remote, remote_url="http://127.0.0.1:1"))


def test_engine_works_again_after_a_failure(name: str, remote: FakeRemote) -> None:
    """One failed request does not cost the next one anything."""
    remote.replies = [cut, good(name)]
    engine = make(name, remote)
    with pytest.raises(RemoteFailed):
        engine.infill(ask(), Listener(), StopToken())

    assert fill(engine) == (FILL,)


def test_cancelling_aborts_the_request(name: str, remote: FakeRemote) -> None:
    """A job that is told to stop hangs up on the server, and ends as cancelled."""
    remote.replies = [hang]
    token = StopToken()

    def stop() -> None:
        remote.asked.wait(20)
        token.stop(Cancelled("cancelled"))

    stopper = threading.Thread(target=stop)
    stopper.start()
    engine = make(name, remote)
    with pytest.raises(Cancelled):
        engine.infill(ask(), Listener(), token)
    stopper.join()
    engine.close()

    assert remote.dropped.wait(20)


def test_nothing_leaves_by_default(name: str, remote: FakeRemote) -> None:
    """Until the user allows it no file is sent, and the message names the setting."""
    text = failure(make(name, remote, remote_files=""))

    assert "remote_files" in text
    assert remote.requests == []


def test_only_allowed_context_leaves(name: str, remote: FakeRemote) -> None:
    """Of the other files shown to the model, only those that may leave are sent."""
    remote.replies = [good(name)]
    context = (
        ContextFile(path="src/b.py", text="may_leave"),
        ContextFile(path="keys/c.py", text="must_stay"),
    )
    fill(make(name, remote, remote_files="src/*"), context=context)

    assert "must_stay" not in str(remote.requests)


def test_status_tells_what_may_leave(name: str, remote: FakeRemote) -> None:
    """The status names the server and the files that may leave, and holds no key."""
    description = make(name, remote, remote_files="src/*, !src/x.py").describe()

    assert remote.url in description.device
    assert "files that may leave: src/*, !src/x.py" in description.device
    assert KEY not in str(description)
    assert "none" in make(name, remote, remote_files="").describe().device


def test_key_is_not_sent_in_the_open(name: str, remote: FakeRemote) -> None:
    """A key never goes over plain http to another machine."""
    with pytest.raises(BadRequest, match="https"):
        make(name, remote, remote_url="http://box.example")


def test_this_machine_fills_where_allowed(
    name: str, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the fallback on, a failure becomes a notice and the local engine's fill."""
    scripted = ENGINES.load("scripted")
    load = ENGINES.load
    # The local engine needs weights; which engine fills is not what is tested.
    monkeypatch.setattr(ENGINES, "load", lambda name: scripted if name == "local" else load(name))
    remote.replies = [answer({}, 500)]
    engine = make(name, remote, remote_fallback=True)
    listener = Listener()
    finished = engine.infill(ask(), listener, StopToken())
    engine.close()

    assert finished.alternatives[0].texts == ("pass",)
    assert "instead" in listener.notices[0]


def test_no_torch_is_needed(name: str) -> None:
    """A remote engine, and the HTTP front, run where torch is not even installed."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from model_runtime.engines import ENGINES\n"
        f"ENGINES.load({name!r})\n"
        "import model_runtime.http.serve\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SPANWISE = [name for name in REMOTE if name != "remask"]


@pytest.mark.parametrize("name", [name for name in SPANWISE if name != "sglang"])
def test_stream_is_shown_as_it_comes(name: str, remote: FakeRemote) -> None:
    """Each event's text is added to what is shown; what came last is the fill."""
    pieces = [{"choices": [{"text": text, "finish_reason": None}]} for text in ("return ", "w * h")]
    end = {"choices": [{"text": "", "finish_reason": "length"}]}
    remote.replies = [stream(*pieces, end, "[DONE]")]
    engine, listener = make(name, remote), Listener()
    finished = engine.infill(ask(stream=True), listener, StopToken())
    engine.close()

    assert [report.committed for report in listener.reports][:2] == [("return ",), (FILL,)]
    assert finished.alternatives[0].texts == (FILL,)
    assert finished.alternatives[0].finish == "length"


@pytest.mark.parametrize("name", [name for name in SPANWISE if name != "sglang"])
@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([{"choices": [{"text": "a"}]}], "broke off"),
        (["{nonsense"], "no JSON"),
        ([{"error": {"message": "out of memory"}}], "out of memory"),
    ],
    ids=["cut", "garbage", "error"],
)
def test_broken_stream_is_told(
    name: str, remote: FakeRemote, events: list[Any], words: str
) -> None:
    """A stream that ends early, makes no sense or says it failed is no fill."""
    remote.replies = [stream(*events)]

    assert words in failure(make(name, remote), stream=True)


@pytest.mark.parametrize("name", SPANWISE)
def test_spans_see_each_other(name: str, remote: FakeRemote) -> None:
    """Several holes are filled in order, each request showing the fills before it."""
    remote.replies = [good(name)]
    spans = (MaskSpan(following="\nMIDDLE\n"), MaskSpan(single_line=True))
    texts = fill(make(name, remote), spans=spans, mode="holes")

    assert texts == (FILL, FILL)
    assert FILL in str(remote.requests[1][2])
    assert "MIDDLE" in str(remote.requests[1][2])


@pytest.mark.parametrize("name", SPANWISE)
def test_alternatives_are_asked_for_in_turn(name: str, remote: FakeRemote) -> None:
    """Each alternative is a request of its own; equal ones are told once."""
    other = {"choices": [{"text": "x", "message": {"content": "x"}, "finish_reason": "stop"}]}
    remote.replies = [good(name), answer(other), good(name)]
    engine = make(name, remote)
    finished = engine.infill(ask(n_alternatives=3), Listener(), StopToken())
    engine.close()

    assert [alternative.texts for alternative in finished.alternatives] == [(FILL,), ("x",)]
