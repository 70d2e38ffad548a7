"""Published checkpoints as an engine: from a folder to filled spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.tiny import write_checkpoint
from support.tiny_canvas import Listener, Patience
from support.tiny_checkpoint import ALPHABET, CHAT, checkpoint

from model_runtime.engines.published import PublishedEngine
from model_runtime.errors import Cancelled, ModelLoadFailed, UnsupportedPairing
from model_runtime.modes.job import MARK
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.protocol import Finished

#: Families that see what stands behind a span, with room for some text.
FAMILIES = {
    "llada": {"max_sequence_length": 512},
    "dream": {"max_position_embeddings": 512},
    "dream-dreamon": {"max_position_embeddings": 512},
    "mdlm": {},
    "sedd": {},
    "eso": {},
    "diffusion_gemma": {},
    "llada_moe": {"max_position_embeddings": 512},
}


def request(**fields: Any) -> InfillRequest:
    """Ask for what stands between two lines."""
    values = {
        "prefix": "def f(a):\n",
        "suffix": "\nend\n",
        "spans": (MaskSpan(max_tokens=8),),
        "seed": 3,
        "stream": True,
        **fields,
    }
    return InfillRequest(id="r", **values)


def fill(folder: Path, listener: Listener | None = None, **fields: Any) -> Finished:
    """Fill with the checkpoint of a folder."""
    engine = PublishedEngine(RuntimeSettings(model=str(folder), max_context_tokens=200))
    return engine.infill(request(**fields), listener or Listener(), Patience())


@pytest.mark.parametrize("variant", FAMILIES)
def test_a_family_fills_a_span(variant: str, tmp_path: Path) -> None:
    """From its own tokens, with no mask left; the same seed gives the same text."""
    folder = checkpoint(tmp_path, variant, **FAMILIES[variant])
    listener = Listener()
    finished = fill(folder, listener)
    (text,) = finished.alternatives[0].texts
    assert set(text) <= set(ALPHABET.replace("Ċ", "\n"))
    assert finished.usage.n_forwards > 0
    has_masks = variant != "diffusion_gemma"  # whose canvas begins with noise
    assert (MARK in listener.steps[0].drafts[0]) == has_masks
    assert MARK not in text
    assert fill(folder).alternatives == finished.alternatives


def test_holes_are_filled_together(tmp_path: Path) -> None:
    """Both spans are on one canvas: the first step's draft has marks in both."""
    folder = checkpoint(tmp_path, "llada", max_sequence_length=512)
    listener = Listener()
    spans = (MaskSpan(max_tokens=4, following=" = b\n"), MaskSpan(max_tokens=4))
    finished = fill(folder, listener, spans=spans, mode="holes")
    assert len(finished.alternatives[0].texts) == 2
    assert all(MARK in draft for draft in listener.steps[0].drafts)


def test_one_line_is_one_line(tmp_path: Path) -> None:
    """What is asked for in one line has none of the next."""
    folder = checkpoint(tmp_path, "llada", max_sequence_length=512)
    for seed in range(5):
        finished = fill(folder, spans=(MaskSpan(single_line=True),), seed=seed, sampler="mdlm")
        assert "\n" not in finished.alternatives[0].texts[0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"instruction": "use a dict"}, "no instructions"),
        ({"sampler": "hybrid"}, "can't be asked"),
    ],
)
def test_what_it_can_not_do_is_said(fields: dict[str, Any], words: str, tmp_path: Path) -> None:
    """In one sentence, and nothing is filled."""
    folder = checkpoint(tmp_path, "llada", max_sequence_length=512)
    with pytest.raises(UnsupportedPairing, match=words):
        fill(folder, **fields)


def test_a_family_of_blocks_that_can_not_be_told_what_follows_is_refused(tmp_path: Path) -> None:
    """It sees nothing behind a span, so it would write over what comes."""
    with pytest.raises(UnsupportedPairing, match="block by block"):
        fill(checkpoint(tmp_path, "sdar"))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"lane": "inline"},
        {"mode": "holes"},
        {"mode": "rewrite", "strength": 0.5},
        {"mode": "repair"},
        {"mode": "score"},
    ],
)
def test_a_family_of_blocks_without_marks_is_told_in_words(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    """With a chat template it is asked to write what goes between, in every mode."""
    folder = checkpoint(tmp_path, "sdar", CHAT, max_position_embeddings=1024)
    text = "" if fields.get("mode", "infill") in ("infill", "holes") else "a = b"
    spans = (MaskSpan(text=text, max_tokens=8),)

    assert fill(folder, spans=spans, **fields).alternatives


def test_a_model_that_is_not_here_is_told_how_to_get(tmp_path: Path) -> None:
    """A repository is fetched by `remask pull` alone, never in the middle of a request."""
    settings = RuntimeSettings(model="someone/something", cache_dir=str(tmp_path))
    with pytest.raises(ModelLoadFailed, match="remask pull someone/something"):
        PublishedEngine(settings).infill(request(), Listener(), Patience())


def test_a_checkpoint_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    """Text can't be read without."""
    write_checkpoint("llada", tmp_path)
    with pytest.raises(ModelLoadFailed, match=r"tokenizer\.json"):
        fill(tmp_path)


def test_it_is_cancelled_between_steps(tmp_path: Path) -> None:
    """The model is free within one forward."""
    folder = checkpoint(tmp_path, "llada", max_sequence_length=512)

    class Impatience:
        n_left = 3

        def check(self) -> None:
            self.n_left -= 1
            if self.n_left < 0:
                raise Cancelled("cancelled")

    engine = PublishedEngine(RuntimeSettings(model=str(folder), max_context_tokens=200))
    with pytest.raises(Cancelled):
        engine.infill(request(), Listener(), Impatience())
