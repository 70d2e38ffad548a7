"""Every mode with every family in the folder: it works as declared, or is refused by name."""

from __future__ import annotations

import functools
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support.tiny import VARIANTS, class_of
from support.tiny_canvas import Listener, Patience
from support.tiny_checkpoint import ALPHABET, CHAT, FIM, checkpoint, roomy

from model_runtime.engines.published import PublishedEngine
from model_runtime.errors import UnsupportedPairing
from model_runtime.models import MODELS
from model_runtime.modes.job import MARK
from model_runtime.modes.offered import offered, table
from model_runtime.protocol import (
    Change,
    Finished,
    Group,
    InfillRequest,
    MaskSpan,
    NextEditRequest,
    Place,
)
from model_runtime.settings import RuntimeSettings

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs" / "models.md"
TEXT = "a = b + c"
LETTERS = set(ALPHABET.replace("Ċ", "\n"))
JUDGING = [variant for variant in VARIANTS if class_of(variant).judges]
WHOLE = [variant for variant in JUDGING if class_of(variant).sees == "file"]


@functools.cache
def engine(variant: str) -> PublishedEngine:
    """Return an engine with a small checkpoint of a variant."""
    folder = Path(tempfile.mkdtemp())
    checkpoint(folder, variant, (*FIM, *CHAT), **roomy(variant))
    settings = RuntimeSettings(model=str(folder), max_context_tokens=200, device="cpu")
    return PublishedEngine(settings)


def ask(variant: str, *texts: str, listener: Listener | None = None, **fields: Any) -> Finished:
    """Ask for spans, one for each text, between two lines."""
    spans = tuple(
        MaskSpan(text=text, following="\nx = y\n" if at + 1 < len(texts) else "", max_tokens=8)
        for at, text in enumerate(texts)
    )
    values = {"prefix": "def f(a):\n", "suffix": "\nend\n", "spans": spans, "seed": 3, **fields}
    request = InfillRequest(id="r", **values)
    return engine(variant).infill(request, listener or Listener(), Patience())


def n_common(one: str, other: str) -> int:
    """Return the length of the longest text that both hold in their order."""
    row = [0] * (len(other) + 1)
    for a in one:
        before, row = row, [0]
        for at, b in enumerate(other):
            row.append(before[at] + 1 if a == b else max(before[at + 1], row[at]))
    return row[-1]


@pytest.mark.parametrize("name", MODELS.names())
def test_the_table_of_the_docs_tells_what_each_family_declares(name: str) -> None:
    """One row for each, as the command makes it."""
    family = MODELS.load(name)
    *_, row = table([family]).splitlines()
    assert row in DOCS.read_text(encoding="utf-8").splitlines()
    assert set(offered(family)) == set(offered(MODELS.load("canvas")))


@pytest.mark.parametrize(
    "folder", ["modes", "text", "decoding", "caches", "samplers", "http", "service"]
)
def test_nothing_that_all_families_share_imports_one(folder: str) -> None:
    """What they are asked for is in `models.base`."""
    families = re.compile(rf"model_runtime\.models\.({'|'.join(MODELS.names())})\b")
    for path in (ROOT / "model_runtime" / folder).glob("**/*.py"):
        assert not families.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", ["infill", "rewrite", "repair", "score", "holes"])
def test_a_mode_works_as_declared(variant: str, mode: Any) -> None:
    """It gives a text with no mask left, the same for a seed; else it is refused by name."""
    family = class_of(variant)
    texts = ("", "") if mode == "holes" else (TEXT if mode != "infill" else "",)
    fields: dict[str, Any] = {"mode": mode, "strength": 0.5}
    if offered(family)[mode] in ("no", "with strength 1"):
        with pytest.raises(UnsupportedPairing, match=family.name):
            ask(variant, *texts, **fields)
        return
    finished = ask(variant, *texts, **fields)
    again = ask(variant, *texts, **fields)
    assert finished.alternatives == again.alternatives
    assert finished.usage.n_forwards > 0
    for text in finished.alternatives[0].texts:
        assert set(text) <= LETTERS
    if mode == "score":
        assert sum(score.n_chars for score in finished.scores) == len(TEXT)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_rewrite_that_holds_nothing_needs_no_judge(variant: str) -> None:
    """With strength 1 every family rewrites; with 0 none changes a byte."""
    assert set(ask(variant, TEXT, mode="rewrite").alternatives[0].texts[0]) <= LETTERS
    unchanged = ask(variant, TEXT, mode="rewrite", strength=0.0)
    assert unchanged.alternatives[0].texts == (TEXT,)


@pytest.mark.parametrize("variant", JUDGING)
def test_next_edits_are_judged(variant: str) -> None:
    """A group gets a gain, and what of it is due to the change."""
    text = "def f(total):\n    return count\n"
    place = Place(start=text.index("count"), end=text.index("count") + 5, text="total")
    request = NextEditRequest(
        id="r",
        text=text,
        changes=(Change(start=6, old="count", new="total"),),
        groups=(Group(places=(place,), is_bound=True),),
    )
    (proposal,) = engine(variant).next_edits(request, Listener(), Patience()).proposals
    assert proposal.gain != 0


@pytest.mark.parametrize("variant", WHOLE)
def test_a_rewrite_keeps_the_surer_part(variant: str) -> None:
    """All but the share that may change stands, in its order; or nothing is suggested."""
    (text,) = ask(
        variant, TEXT, mode="rewrite", strength=0.4, sampler="low_confidence"
    ).alternatives[0].texts  # fmt: skip
    assert not text or n_common(TEXT, text) >= len(TEXT) - 4
    assert len(text) <= len(TEXT)


@pytest.mark.parametrize("variant", [one for one in VARIANTS if class_of(one).sees == "file"])
def test_holes_are_filled_at_once(variant: str) -> None:
    """From the first step on all of them are on the canvas, and the steps are those of one fill."""
    listener = Listener()
    texts = ask(variant, "", "", "", mode="holes", stream=True, listener=listener).alternatives[0]
    assert len(texts.texts) == 3
    drafts = [step.drafts for step in listener.steps]
    assert [step.step_index for step in listener.steps] == list(range(len(drafts)))
    if class_of(variant).name != "diffusion_gemma" and "uniform" not in variant:
        assert all(MARK in draft for draft in drafts[0])
    assert not any(MARK in draft for draft in drafts[-1])


@pytest.mark.parametrize("variant", ["llada", "dream", "sdar", "llada2"])
def test_words_are_taken_where_there_is_a_chat_template(variant: str) -> None:
    """The answer stands between what opens it and, where that is seen, what closes it."""
    finished = ask(variant, "", instruction="add one", mode="infill")
    assert set(finished.alternatives[0].texts[0]) <= LETTERS
    assert finished.usage.n_context_tokens > len("add one")


@pytest.mark.parametrize("variant", ["llada", "dream-dreamon", "mdlm"])
def test_spans_that_touch_are_filled_one_after_another(variant: str) -> None:
    """Nothing would tell them apart on one canvas."""
    spans = (MaskSpan(max_tokens=4), MaskSpan(max_tokens=4))
    assert len(ask(variant, mode="holes", spans=spans).alternatives[0].texts) == 2


@pytest.mark.parametrize("variant", ["llada", "dream"])
def test_how_sure_a_fill_is_can_be_asked_for(variant: str) -> None:
    """Each stretch has a confidence that never rises; of a sure enough text all is told."""
    (filled,) = ask(variant, "", least_confidence=0.0).alternatives
    if filled.texts[0]:
        (stretches,) = filled.confidence
        chances = [one.confidence for one in stretches]
        assert sum(one.n_chars for one in stretches) == len(filled.texts[0])
        assert chances == sorted(chances, reverse=True)
    (doubted,) = ask(variant, "", least_confidence=1.0).alternatives
    assert doubted.finish == "doubt"


@pytest.mark.parametrize("variant", ["llada", "dream", "sdar"])
def test_alternatives_are_told_apart_and_scored(variant: str) -> None:
    """The likeliest comes first."""
    found = ask(variant, "", n_alternatives=4).alternatives
    scores = [one.score for one in found]
    assert len({one.texts for one in found}) == len(found) > 1
    assert scores == sorted(scores, key=lambda score: -(score or 0.0))


@pytest.mark.parametrize("variant", ["llada", "dream", "llada_moe"])
def test_typing_computes_little_of_the_file_again(variant: str) -> None:
    """Ghost text after a key has the rows of what stands around from the request before."""
    fields: dict[str, Any] = {
        "lane": "inline",
        "document": f"typing {variant}",
        "suffix": "\nend\n",
    }
    prefix = "b = a\n" * 20
    first = ask(variant, "", prefix=prefix, **fields).usage
    typed = ask(variant, "", prefix=f"{prefix}c", **fields).usage
    assert first.n_cached_tokens == 0
    assert typed.n_cached_tokens >= typed.n_context_tokens - 3
    assert typed.n_rows < first.n_rows
    edit = ask(variant, "", prefix=f"{prefix}c", **{**fields, "lane": "edit"}).usage
    assert edit.n_cached_tokens == 0


@pytest.mark.parametrize("variant", ["llada", "dream"])
def test_what_is_shown_of_the_file_is_bounded(variant: str) -> None:
    """However long it is, no more stands around the span than the setting says."""
    folder = Path(tempfile.mkdtemp())
    checkpoint(folder, variant, **roomy(variant))
    small = PublishedEngine(RuntimeSettings(model=str(folder), around_tokens=40, device="cpu"))
    request = InfillRequest(
        id="r",
        prefix="a = b\n" * 60,
        suffix="\nc = d" * 60,
        spans=(MaskSpan(max_tokens=4),),
        seed=1,
    )
    assert small.infill(request, Listener(), Patience()).usage.n_context_tokens <= 40
