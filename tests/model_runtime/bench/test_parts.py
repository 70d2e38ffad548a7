"""The benchmark's parts in small: real loops on tiny models. What they take is not looked at."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import subprocess
import sys
from itertools import islice
from typing import TYPE_CHECKING

import pytest
import torch
from support import tiny_canvas

from model_runtime.bench import (
    clients,
    fills,
    forwards,
    keystrokes,
    memory,
    moving,
    peers,
    plain_llada,
)
from model_runtime.bench.ask import request_for
from model_runtime.bench.base import Setup
from model_runtime.bench.decoders import BASE, DECODERS, HYBRID, BenchEngine
from model_runtime.bench.gaps import Cutter
from model_runtime.bench.llama_cpp import LlamaCpp
from model_runtime.bench.random_models import Drawn
from model_runtime.errors import ModelLoadFailed
from model_runtime.evaluation.asking import ask
from model_runtime.settings import RuntimeSettings
from model_runtime.text.fim import FimTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model_runtime.engines.loading import LoadedModel
    from model_runtime.evaluation.base import EvalTask

CONTEXTS = (60, 120)


class TinySetup(Setup, frozen=True, kw_only=True):
    """A tiny model for the default one, behind short contexts; a token is a character."""

    settings: RuntimeSettings = RuntimeSettings(max_context_tokens=tiny_canvas.MAX_CONTEXT)
    repeat: int = 1
    n_requests: int = 20
    contexts: tuple[int, ...] = CONTEXTS

    def with_room(self) -> TinySetup:
        """Contexts are short enough."""
        return self

    def model(self) -> LoadedModel:
        """Make it."""
        made = tiny_canvas.engine()._model
        assert made is not None
        return made

    def engine(self) -> BenchEngine:
        """The benchmark's engine with it."""
        made = BenchEngine(self.settings)
        made._model = self.model()
        return made


SETUP = TinySetup()


@pytest.fixture(scope="module")
def cutter() -> Cutter:
    """Cuts the shipped tasks."""
    return Cutter(tiny_canvas.tokenizer())


@pytest.fixture
def default_cutter() -> Cutter:
    """Cuts the shipped tasks by the default model's tokens."""
    return Setup(settings=RuntimeSettings(), repeat=1, n_requests=1).cutter()


@pytest.fixture
def engine() -> BenchEngine:
    """The benchmark's engine with a tiny model in it."""
    return SETUP.engine()


def test_fills_have_a_row_for_each_length_context_and_decoder() -> None:
    """All decoders fill the same gaps; one token at a time is what they are compared with."""
    (table,) = fills.measure(SETUP, (8, 64))
    found = [(row["tokens of context"], row["gap"], row["decoder"]) for row in table.rows]
    assert found == [(c, n, name) for c in CONTEXTS for n in (8, 64) for name in DECODERS]
    base = [row for row in table.rows if row["decoder"] == BASE]
    assert all(row["new ratio"] == row["again ratio"] == 1 for row in base)
    assert all(row["new s"] for row in table.rows)


def test_base_takes_one_forward_a_token_and_hybrid_says_the_same(
    engine: BenchEngine, cutter: Cutter
) -> None:
    """What hybrid is compared with is the same text, one token a forward."""
    gap = cutter.behind(next(cutter.cut(64)), 60)
    base, hybrid = (fills._fill(engine, gap, name, 64) for name in (BASE, HYBRID))
    assert base.text == hybrid.text
    usage = base.finished.usage
    assert usage.n_forwards == usage.n_tokens > 1
    assert usage.n_drafted == 0


def test_half_as_many_steps(engine: BenchEngine, cutter: Cutter) -> None:
    """The decoder with fixed steps takes one forward for two tokens."""
    gap = cutter.behind(next(cutter.cut(64)), 60)
    name = next(name for name in DECODERS if "two tokens" in name)
    usage = fills._fill(engine, gap, name, 16).finished.usage
    assert usage.n_tokens > 2 * (usage.n_forwards - 1) > 0


def test_long_contexts_are_new_for_two_decoders_only() -> None:
    """Where encoding takes long it is measured where it is needed, and the rest is left empty."""
    (table,) = fills.measure(SETUP, (8,), long=CONTEXTS[1])
    new = {row["decoder"] for row in table.rows if row["new s"] is not None}
    long = [row for row in table.rows if row["tokens of context"] == 120]
    assert new == set(DECODERS)
    assert {row["decoder"] for row in long if row["new s"] is not None} == fills.NEW_WHEN_LONG


def test_forwards_have_a_row_for_each_number_of_rows() -> None:
    """Every number of rows is measured behind every context."""
    table, encoded = forwards.measure(SETUP)
    found = [(row["tokens of context"], row["rows"]) for row in table.rows]
    assert found == [(c, n) for c in CONTEXTS for n in forwards.ROWS]
    assert [row["tokens of context"] for row in encoded.rows] == list(CONTEXTS)


def test_a_forward_computes_the_rows_that_are_asked_for() -> None:
    """Neither the context nor any other row is computed in what is timed."""
    denoiser = SETUP.model().denoiser
    token_ids = list(range(90))
    with torch.inference_mode():
        cache, _ = forwards._encode(denoiser, token_ids[:60])
        before = cache.n_forwards
        forwards._forward(denoiser, token_ids, 60, 8, cache)
    assert cache.n_forwards == before + 1
    assert cache.token_ids[:60] == token_ids[:60]
    assert len(cache) <= 68


def test_typing_reuses_the_document() -> None:
    """Every keystroke is asked for, and finds the prefix in the cache."""
    (table,) = keystrokes.measure(SETUP)
    assert [row["keystrokes"] for row in table.rows] == [keystrokes.N_TYPED] * 2
    assert all(float(row["context cached %"] or 0) > 50 for row in table.rows)


def test_moving_about_reuses_the_file(cutter: Cutter) -> None:
    """Up and down, with the file and with a window into it."""
    assert len(moving.long_file(cutter).prefix.splitlines()) == moving.N_LINES
    (table,) = moving.measure(SETUP)
    found = [(row["done"], row["sent"], row["times"]) for row in table.rows]
    sent = ("the file", "a window")
    assert found == [(f"cursor 1 {way}", by, 10) for way in ("down", "up") for by in sent]
    assert all(float(row["context cached %"] or 0) > 50 for row in table.rows)


def test_a_window_is_a_part_of_the_file(cutter: Cutter) -> None:
    """The lines around the cursor, which stands where its line begins to say something."""
    file = moving.long_file(cutter)
    whole, window = moving._whole(file, 500), moving._window(file, 500)
    assert whole.prefix + whole.suffix == file.prefix
    assert whole.prefix.endswith(window.prefix)
    assert whole.suffix.startswith(window.suffix)
    assert window.prefix.count("\n") == moving.WINDOW[0]
    assert not whole.suffix[:1].isspace() or whole.suffix.startswith("\n")


def test_first_draft_comes_no_later_than_the_text(engine: BenchEngine, cutter: Cutter) -> None:
    """The clock is read at the first report, where reports are asked for."""
    gap = cutter.behind(next(cutter.cut(16)), 60)
    streamed = ask(engine, request_for(gap, document="a", max_tokens=16, stream=True))
    silent = ask(engine, request_for(gap, document="a", max_tokens=16))
    assert 0 < streamed.first_s < streamed.seconds
    assert silent.first_s == silent.seconds
    assert streamed.text == silent.text


def test_memory_is_looked_at_ten_times() -> None:
    """After each tenth of the requests the memory is told, and what it has grown by."""
    if memory.resident_mib() is None:
        pytest.skip("this system does not tell")
    (table,) = memory.measure(SETUP)
    assert [row["requests"] for row in table.rows] == list(range(2, 21, 2))
    assert table.rows[0]["grown MiB"] == 0
    first, last = (float(row["resident MiB"] or 0) for row in (table.rows[0], table.rows[-1]))
    assert table.rows[-1]["grown MiB"] == pytest.approx(last - first)


class Parrot:
    """A peer that always says the same."""

    name = "parrot"
    keeps_context = False
    longest_context = CONTEXTS[0]

    def forget(self) -> None:
        """Nothing is kept."""

    def fill(self, gap: EvalTask, max_tokens: int) -> str:
        """Say it."""
        del gap, max_tokens
        return "pieces of eight"


def test_peers_fill_the_same_gaps() -> None:
    """A peer is compared by time and by text, where it has been asked; who is missing is told."""
    table = peers.measure_peers(SETUP, [Parrot()], ["nobody is here."])
    by = [(row["tokens of context"], row["by"], row["same text"]) for row in table.rows]
    assert by == [(60, peers.OURS, "2 of 2"), (60, "parrot", "0 of 2"), (120, peers.OURS, "2 of 2")]
    assert table.rows[0]["new ratio"] == table.rows[0]["typing ratio"] == 1
    assert table.rows[1]["typing s"] is None
    assert table.notes == ("Not measured: nobody is here.",)


def test_missing_peer_is_told_in_one_line() -> None:
    """Without llama-cpp-python there is one sentence in its place."""
    template = FimTemplate(tiny_canvas.tokenizer())
    with pytest.raises(ModelLoadFailed, match=r"^llama-cpp-python is not installed [^\n]*\.$"):
        LlamaCpp(RuntimeSettings(), template, "no_such_llama")


@pytest.mark.real_model
@pytest.mark.skipif(importlib.util.find_spec("llama_cpp") is None, reason="not installed")
def test_llama_cpp_says_one_line(default_cutter: Cutter) -> None:
    """It gets the file and the prompt that we have, and ends where the line does."""
    peer = LlamaCpp(RuntimeSettings(), FimTemplate(default_cutter.tokenizer))
    gap = default_cutter.behind(next(default_cutter.cut(16)), 100)
    text = peer.fill(gap, 16)
    peer.forget()
    assert "\n" not in text
    assert peer.fill(gap, 16) == text


def test_plain_loop_and_ours_settle_every_mask() -> None:
    """Both loops fill the gap and nothing else; where nothing is kept wrong, they say the same."""
    model = plain_llada.Llada(plain_llada.CONFIG, Drawn())
    token_ids = plain_llada.gap_canvas()
    given = token_ids != model.mask_id
    # One step a block: the dual cache has nothing yet that could be out of date.
    n_blocks = len(plain_llada.GAP) // plain_llada.BLOCK_LENGTH
    length = plain_llada.BLOCK_LENGTH
    plain = plain_llada.fill_plainly(model, token_ids.clone(), n_blocks, length)
    ours = plain_llada.fill_with_dual_cache(model, token_ids.clone(), n_blocks, length)
    assert torch.equal(plain, ours)
    assert torch.equal(plain[given], token_ids[given])
    assert not bool((plain == model.mask_id).any())


@contextlib.contextmanager
def tiny_runtime(folder: Path) -> Iterator[None]:
    """Run a runtime process with a tiny model."""
    words = [sys.executable, "-m", "support.tiny_runtime", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.terminate()


@pytest.mark.e2e
def test_clients_ask_a_real_runtime(
    short_path: Path, cutter: Cutter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every client gets all its fills, over the socket."""
    monkeypatch.setenv("PYTHONPATH", "tests")
    gaps = [cutter.behind(gap, 60) for gap in islice(cutter.cut(16), 4)]
    with tiny_runtime(short_path):
        rows = asyncio.run(clients.measure_clients(short_path, gaps, (1, 4), 1))
    assert [(row["clients"], row["fills"]) for row in rows] == [(1, 8), (4, 16)]
    assert rows[0]["times one client's"] == 1


def test_settings_reach_the_runtime_as_flags() -> None:
    """Only what differs from the defaults is handed on."""
    settings = RuntimeSettings(threads=2, heal_tokens=False, cache_dir="/a b")
    assert clients._flags(settings) == ["--threads=2", "--heal-tokens=False", "--cache-dir=/a b"]
