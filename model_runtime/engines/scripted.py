r"""An engine without a model: it answers from a script, for tests and for trying an editor out.

A script is a TOML (or JSON) file of replies; the first whose `when` is found in the prefix is
used. Each fill is unveiled over `n_steps` denoising steps, a few scattered tokens at a time.

    [[replies]]
    when = 'def add\(a, b\):\s*$'           # a regular expression; without it, any prefix
    texts = ["    return a + b"]           # one a span; the last one serves further spans
    n_steps = 4
    step_s = 0.2                           # pause after a step, for people who want to watch

Without a script every span is filled with its own text, or with "pass". Asked to score a text, it
doubts the words that the reply does not have.
"""

from __future__ import annotations

import json
import os
import re
import threading
import tomllib
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec

from model_runtime.engines.base import EngineDescription
from model_runtime.errors import BadRequest, RuntimeFault
from model_runtime.protocol import (
    Alternative,
    FailureCode,
    Finished,
    NextEdits,
    Proposal,
    StepReport,
    Stretch,
    TokenScore,
    Usage,
)
from model_runtime.text.explained import as_sent, explained
from model_runtime.text.showing import sure_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.protocol import InfillRequest, NextEditRequest
    from model_runtime.settings import RuntimeSettings

#: What is unveiled at once: a word, a run of blanks, or one other character.
TOKEN = re.compile(r"\w+|[^\S\n]+|.|\n")
MARK = "░"
#: Nats of doubt on a word that the reply does not have.
_DOUBT = 5.0


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to answer."""

    when: str = ""
    texts: tuple[str, ...] = ()
    #: Further alternatives, each like `texts`; a seed says which one comes first.
    others: tuple[tuple[str, ...], ...] = ()
    n_steps: int = 1
    step_s: float = 0.0
    #: How sure each token of a text is, the last one serving further ones; a request may want only
    #: what is sure enough.
    confidence: tuple[float, ...] = ()
    #: Said before the first step.
    notices: tuple[str, ...] = ()
    #: What share of its way each of these is said to be.
    fractions: tuple[float, ...] = ()
    #: How likely every group that is asked about is to be wanted, as the next edit.
    next_edit: float = 0.0
    #: Denoise on and on, until told to stop.
    endless: bool = False
    #: After the steps, fail with this code.
    fail: FailureCode | None = None
    #: After the steps, raise something that no engine should.
    bug: bool = False
    #: After the steps, end the process at once with this exit status.
    crash: int | None = None


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A script file."""

    replies: tuple[Reply, ...] = ()


class ScriptedEngine:
    """Answers from a script.

    Args:
        settings: `script` names the file.

    Raises:
        BadRequest: the file can't be read, or is no script.
    """

    name: ClassVar[str] = "scripted"

    def __init__(self, settings: RuntimeSettings) -> None:
        self._script = _read(Path(settings.script)) if settings.script else Script()

    def next_edits(
        self,
        request: NextEditRequest,
        listener: Listener,  # noqa: ARG002  # NextEditEngine's
        cancel: CancelToken,
    ) -> NextEdits:
        """Offer every group, if the first reply that fits what stands up to the change says so.

        But those whose texts a model would have to say.
        """
        change = request.changes[0]
        reply = self._reply(request.text[: change.start + len(change.new)])
        while reply.endless:
            cancel.check()
            threading.Event().wait(reply.step_s)
        if reply.crash is not None:
            os._exit(reply.crash)
        is_wanted = reply.next_edit and reply.next_edit >= request.least_confidence
        whole = [
            (index, group.places)
            for index, group in enumerate(request.groups if is_wanted else ())
            if not any(place.is_open for place in group.places)
        ]
        sure = reply.next_edit
        return NextEdits(
            id=request.id,
            proposals=tuple(
                Proposal(places=places, group=index, confidence=sure, gain=0.0, due=0.0)
                for index, places in whole
            ),
            model="scripted",
            usage=Usage(),
        )

    def _reply(self, before: str) -> Reply:
        replies = (reply for reply in self._script.replies if re.search(reply.when, before))
        return next(replies, Reply())

    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Answer with the first reply that fits."""
        if request.explain:
            return explained(request, "scripted", as_sent(request))
        reply = self._reply(request.prefix)
        seed = request.seed or 0
        whole = [_fill(request, texts) for texts in (reply.texts, *reply.others)]
        ways = [_sure_part(texts, reply, request.least_confidence) for texts in whole]
        alternatives = [ways[(seed + i) % len(ways)] for i in range(request.n_alternatives)]
        texts = alternatives[0]
        for notice, fraction in zip_longest(reply.notices, reply.fractions):
            listener.notice(notice or "", fraction)
        n_forwards = 0
        for report in _denoise(texts, reply):
            cancel.check()
            listener.step(report)
            n_forwards = report.n_forwards
            if reply.step_s:
                # An event that nobody sets: a pause.
                threading.Event().wait(reply.step_s)
        cancel.check()
        if reply.crash is not None:
            os._exit(reply.crash)
        if reply.bug:
            raise ZeroDivisionError(f"scripted, after {request.prefix[-20:]!r}")
        if reply.fail is not None:
            fault = RuntimeFault(f"scripted failure {reply.fail!r}")
            fault.code = reply.fail  # type: ignore[misc]  # one class stands in for all of them
            raise fault
        n_tokens = sum(len(TOKEN.findall(text)) for text in texts)
        return Finished(
            id=request.id,
            alternatives=tuple(
                Alternative(
                    texts=texts,
                    finish="doubt" if request.least_confidence and texts not in whole else "closed",
                    confidence=_confidence(texts, reply),
                )
                for texts in alternatives
            ),
            model="scripted",
            sampler="scripted",
            seed=seed,
            usage=Usage(n_tokens=n_tokens, n_forwards=n_forwards),
            scores=_scores(request.spans[0].text, texts[0]) if request.mode == "score" else (),
        )

    def describe(self) -> EngineDescription:
        """Say that there is nothing to load."""
        return EngineDescription(model="scripted", device="none", loaded=True)

    def close(self) -> None:
        """Nothing to give back."""


def _fill(request: InfillRequest, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return a text for each span of a request."""
    return tuple(
        texts[min(i, len(texts) - 1)] if texts else span.text or "pass"
        for i, span in enumerate(request.spans)
    )


def _confidence(texts: tuple[str, ...], reply: Reply) -> tuple[tuple[Stretch, ...], ...]:
    """Return how sure the texts are, token by token; nothing where the reply does not say."""
    if not reply.confidence:
        return ()
    told = []
    for text in texts:
        stretches: list[Stretch] = []
        sureness = 1.0
        for i, token in enumerate(TOKEN.findall(text)):
            sureness = min(sureness, reply.confidence[min(i, len(reply.confidence) - 1)])
            stretches.append(Stretch(n_chars=len(token), confidence=sureness))
        told.append(tuple(stretches))
    return tuple(told)


def _sure_part(texts: tuple[str, ...], reply: Reply, least: float | None) -> tuple[str, ...]:
    """Return the texts up to where they get less likely to be right than is wanted."""
    told = _confidence(texts, reply) or ((),) * len(texts)
    return tuple(sure_part(*pair, least or 0.0) for pair in zip(texts, told, strict=True))


def _scores(text: str, wanted: str) -> tuple[TokenScore, ...]:
    known = TOKEN.findall(wanted)
    return tuple(
        TokenScore(n_chars=len(token), doubt=0.0 if token in known else _DOUBT, instead=wanted)
        for token in TOKEN.findall(text)
    )


def _read(path: Path) -> Script:
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        script = msgspec.convert(values, Script)
        for reply in script.replies:
            re.compile(reply.when)
    except (OSError, ValueError, re.error) as error:
        raise BadRequest(f"script {path}: {error}") from error
    return script


def _denoise(texts: tuple[str, ...], reply: Reply) -> Iterator[StepReport]:
    """Unveil the texts over the reply's steps, every n-th token at once."""
    tokens = [TOKEN.findall(text) for text in texts]
    step_index = 0
    while step_index < reply.n_steps or reply.endless:
        phase = 0 if reply.endless else step_index
        is_settled = [[i % reply.n_steps <= phase for i in range(len(row))] for row in tokens]
        yield StepReport(
            id="",
            step_index=step_index,
            n_forwards=step_index + 1,
            n_committed=sum(sum(row) for row in is_settled),
            drafts=tuple(_draft(*rows) for rows in zip(tokens, is_settled, strict=True)),
            committed=tuple(_committed(*rows) for rows in zip(tokens, is_settled, strict=True)),
            mark=MARK,
        )
        step_index += 1


def _draft(tokens: list[str], is_settled: list[bool]) -> str:
    return "".join(
        token if settled else MARK * len(token)
        for token, settled in zip(tokens, is_settled, strict=True)
    )


def _committed(tokens: list[str], is_settled: list[bool]) -> str:
    n_leading = next((i for i, settled in enumerate(is_settled) if not settled), len(tokens))
    return "".join(tokens[:n_leading])
