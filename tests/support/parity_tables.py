"""Stochastic rules against the probabilities that reference implementations handed to their draws.

One check a rule: its name is the fixtures' "rule".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from support.recorded import whole_block

from model_runtime.decoding.canvas import Prediction
from model_runtime.decoding.choose import clean_logits, nucleus
from model_runtime.decoding.schedule import GeometricNoise, LogLinearNoise, Noise
from model_runtime.samplers import eso, mdlm, remdm, score_entropy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.recorded import Fixture
    from torch import Tensor


def close(table: Tensor, expected: Tensor) -> None:
    """Compare two tables of weights [n, vocab] as probabilities."""
    torch.testing.assert_close(
        table / table.sum(-1, keepdim=True), expected, atol=2e-5, rtol=0, check_dtype=False
    )


def batch(fixture: Fixture) -> Iterator[dict[str, Tensor]]:
    """Yield each row of a fixture's batch; what is the same for all rows stays as it is."""
    tensors = fixture.tensors
    n_rows = len(tensors["canvas"])
    for row in range(n_rows):
        yield {key: value[row] if value.ndim else value for key, value in tensors.items()}


def numbers(text: str) -> list[float]:
    """Return the numbers in a text such as "eps=1e-3" or "1e-4..20"."""
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", text)]


def eps_of(meta: dict[str, Any]) -> float:
    """Return the share of tokens that noise leaves at the end: 1e-3 where nothing is said."""
    return float(meta.get("eps", 1e-3))


def noise_of(meta: dict[str, Any]) -> Noise:
    """Return the noise schedule that a fixture names."""
    if meta["noise"].startswith("loglinear"):
        return LogLinearNoise(*numbers(meta["noise"]))
    return GeometricNoise(meta["sigma_min"], meta["sigma_max"])


def check_noise(fixture: Fixture) -> None:
    """Both schedules, their rates, and their inverses."""
    tensors, meta = fixture.tensors, fixture.meta
    log_linear = LogLinearNoise(*numbers(meta["loglinear"]))
    geometric = GeometricNoise(*numbers(meta["geometric"]))
    for name, noise in (("loglinear", log_linear), ("geometric", geometric)):
        for index, time in enumerate(tensors["t"].double().tolist()):
            for quantity, value in (("sigma", noise.sigma(time)), ("rate", noise.rate(time))):
                expected = tensors[f"{name}_{quantity}"][index].item()
                # float32 cancels in 1 - (1 - eps) t.
                assert abs(value - expected) <= 2e-4 * abs(expected), (name, quantity, time)
            assert abs(noise.time(noise.sigma(time)) - time) < 1e-9


def check_sedd_absorb(fixture: Fixture) -> None:
    """Analytic, Euler and denoising steps on the absorbing graph."""
    meta = fixture.meta
    mask_id, kind = meta["mask_id"], meta["rule"].removeprefix("sedd_absorb_")
    noise = noise_of(meta)
    for row in batch(fixture):
        score, tokens = row["log_score"].exp(), row["canvas"]
        time, step = float(row["t"]), float(row["step_size"])
        sigma = noise.sigma(time)
        if kind == "euler":
            table = score_entropy.euler(score, tokens, mask_id, step * noise.rate(time))
        elif kind == "analytic":
            table = score_entropy.analytic(score, tokens, mask_id, sigma - noise.sigma(time - step))
        else:
            table = score_entropy.denoising(score, tokens, mask_id, sigma)
            assert bool((table[:, mask_id] == 0).all())
            table = table[:, torch.arange(table.shape[-1]) != mask_id]
        close(table, row["probs"])


def check_sedd_uniform(fixture: Fixture) -> None:
    """The same steps on the uniform graph."""
    meta = fixture.meta
    noise = noise_of(meta)
    for row in batch(fixture):
        score, tokens, time = row["log_score"].exp(), row["canvas"], float(row["t"])
        sigma = noise.sigma(time)
        dsigma = sigma - noise.sigma(time - float(row["step_size"]))
        leap = float(row["euler_step_size"]) * noise.rate(time)
        close(score_entropy.analytic(score, tokens, None, dsigma), row["probs_analytic"])
        close(score_entropy.denoising(score, tokens, None, sigma), row["probs_denoise"])
        close(score_entropy.euler(score, tokens, None, leap), row["probs_euler"])


def masked_rows(
    row: dict[str, Tensor], mask_id: int, table: str = "probs"
) -> tuple[Tensor, Tensor]:
    """Return what is clean at each mask, and what is expected there; both [n_masked, vocab].

    At the other positions the reference copies the token, which is checked here.
    """
    masked = row["canvas"] == mask_id
    copied = torch.nn.functional.one_hot(row["canvas"], row[table].shape[-1])
    close(row[table][~masked], copied[~masked].float())
    return clean_logits(row["logits"][masked], mask_id).softmax(-1), row[table][masked]


def check_mdlm(fixture: Fixture) -> None:
    """Between two times; with and without the cache the probabilities are the same."""
    mask_id = fixture.meta["mask_id"]
    for row in batch(fixture):
        time = float(row["t"])
        for table in ("probs", "probs_ddpm_nocache"):
            clean, expected = masked_rows(row, mask_id, table)
            close(mdlm.transition(clean, mask_id, time, time - float(row["dt"])), expected)


def check_mdlm_analytic(fixture: Fixture) -> None:
    """The score-entropy rule on logits, which has MDLM's own probabilities."""
    mask_id, noise = fixture.meta["mask_id"], LogLinearNoise(eps_of(fixture.meta))
    for row in batch(fixture):
        time, step = float(row["t"]), float(row["dt"])
        sigma = noise.sigma(time)
        clean, expected = masked_rows(row, mask_id)
        masked = row["canvas"] == mask_id
        tokens = row["canvas"][masked]
        score = score_entropy.to_score(
            Prediction("logits", row["logits"][masked]), tokens, mask_id, sigma, 1.0
        )
        torch.testing.assert_close(score, row["score"][masked], atol=2e-5, rtol=1e-4)
        dsigma = sigma - noise.sigma(time - step)
        close(score_entropy.analytic(score, tokens, mask_id, dsigma), expected)
        close(mdlm.transition(clean, mask_id, time, time - step), expected)
        denoised = score_entropy.denoising(score, tokens, mask_id, sigma)
        close(denoised[:, : row["probs_denoise"].shape[-1]], row["probs_denoise"][masked])


def check_remdm(fixture: Fixture) -> None:
    """What masks become, and how likely settled tokens are masked again."""
    meta = fixture.meta
    mask_id = meta["mask_id"]
    params = remdm.RemdmParams(
        kind=meta["rule"].removeprefix("remdm_"),
        **{key: meta[key] for key in ("eta", "t_on", "t_off", "alpha_on", "nucleus_p")},
    )
    for row in batch(fixture):
        time = float(row["t"])
        masked = row["canvas"] == mask_id
        clean = clean_logits(row["logits"][masked], mask_id).softmax(-1)
        if params.nucleus_p < 1:
            clean = nucleus(clean, params.nucleus_p, keep_crossing=False)
            close(clean, row["p_x0_nucleus"][masked])
        alpha, next_alpha = remdm.alphas(params, time, time - float(row["dt"]))
        sigma = remdm.remask_chance(params, alpha, next_alpha, revealed_with(row), masked)
        table = remdm.reveal(clean, mask_id, alpha, next_alpha, sigma[masked])
        close(table, row["probs"][masked])
        settled = torch.nn.functional.one_hot(row["canvas"], table.shape[-1]) * (1 - sigma[:, None])
        settled[:, mask_id] += sigma
        close(settled[~masked], row["probs"][~masked])


def revealed_with(row: dict[str, Tensor]) -> Tensor:
    """Return the probabilities that tokens were revealed with, NaN for never."""
    if "conf" not in row:
        return torch.full(row["canvas"].shape, torch.nan)
    return (-row["conf"]).masked_fill(row["conf"] < -1e38, torch.nan)


def check_eso_alpha(fixture: Fixture) -> None:
    """The share of tokens that noise leaves."""
    for row in fixture.meta["rows"]:
        for time, expected in zip(row["t"], row["alpha_t"], strict=True):
            assert abs(eso.alpha(row["alpha_0"], fixture.meta["eps"], time) - expected) < 1e-9
        slope = eso.alpha(row["alpha_0"], fixture.meta["eps"], 1) - row["alpha_0"]
        assert abs(slope - row["dalpha_t"]) < 1e-9


def check_eso_update(fixture: Fixture) -> None:
    """Eso-LM's ancestral step is MDLM's, with its own shares."""
    mask_id = fixture.meta["mask_id"]
    for row in batch(fixture):
        clean, expected = masked_rows(row, mask_id)
        lost, next_lost = 1 - float(row["alpha_t"]), 1 - float(row["alpha_s"])
        alpha = eso.alpha(fixture.meta["alpha_0"], eps_of(fixture.meta), float(row["t"]))
        assert abs(1 - alpha - lost) < 1e-6
        close(mdlm.transition(clean, mask_id, lost, next_lost), expected)


def check_eso_order(fixture: Fixture) -> None:
    """Chances, sizes, positions and what each row sees, over whole runs."""
    for run in fixture.meta["runs"]:
        check_eso_run(run)


def check_eso_run(run: dict[str, Any]) -> None:
    """One run of both phases."""
    drawn = run["binomial_steps"]
    chances = eso.reveal_chances(run["alpha_0"], eps_of(run), run["num_steps"])
    assert all(abs(chances[step["step"]] - step["p"]) < 1e-9 for step in drawn)
    sizes = [step["k"] for step in drawn if step["k"] > 0]
    assert sum(sizes) == run["num_diffusion_tokens"]

    mask_id, vocab_size = 0, 3
    rule = eso.Eso(eso.EsoParams(alpha_0=run["alpha_0"]))
    token_ids, rng = torch.full((run["length"],), mask_id), torch.Generator().manual_seed(0)
    block = whole_block(token_ids, mask_id, vocab_size)
    order = torch.tensor(run["sort_idx"])
    # In the published order, but for the tail, which is for `lay_out` to sort.
    order[sum(sizes) :] = order[sum(sizes) :].flip(0)
    state = eso.Sorted.lay_out(block, 10_000, rng, order, sizes)
    assert state.order.tolist() == run["sort_idx"]
    for step, size in zip(run["steps"], run["schedule"], strict=True):
        query = rule.query(state)
        assert query.visible is not None
        assert query.order is not None
        assert len(query.positions) == size
        for position, n_visible, expected in zip(
            query.positions.tolist(), query.visible.tolist(), step["predictions"], strict=True
        ):
            rank = query.order.tolist().index(position)
            assert position == expected["position"]
            assert query.order[:n_visible].tolist() == expected["sees_clean"]
            assert query.order[n_visible : rank + 1].tolist() == expected["sees_mask"]
        logits = torch.rand(size, vocab_size, generator=rng)
        token_ids = rule.step(token_ids, Prediction("logits", logits), state).token_ids
    assert mask_id not in token_ids.tolist()


def check_eso_training_order(fixture: Fixture) -> None:
    """The rule's own order, too, has everything clean first and everything masked behind it."""
    mask_id = fixture.meta["mask_id"]
    rule, rng = eso.Eso(eso.EsoParams(alpha_0=0.5)), torch.Generator().manual_seed(0)
    for case in fixture.meta["cases"]:
        for tokens, masked, recorded in zip(
            case["tokens"], case["masked"], case["sort_idx"], strict=True
        ):
            block = whole_block(torch.tensor(tokens), mask_id, max(map(max, case["tokens"])) + 1)
            own = rule.begin(block, len(tokens), rng).order.tolist()
            for order in (own, recorded):
                assert sorted(order) == list(range(len(tokens)))
                assert [masked[position] for position in order] == sorted(masked)


CHECKS: dict[str, Callable[[Fixture], None]] = {
    "sedd_noise": check_noise,
    "sedd_absorb_analytic": check_sedd_absorb,
    "sedd_absorb_euler": check_sedd_absorb,
    "sedd_absorb_denoise": check_sedd_absorb,
    "sedd_uniform": check_sedd_uniform,
    "mdlm_ddpm_cache": check_mdlm,
    "mdlm_analytic": check_mdlm_analytic,
    "remdm_cap": check_remdm,
    "remdm_rescale": check_remdm,
    "remdm_conf": check_remdm,
    "remdm_loop": check_remdm,
    "esolm_alpha_schedule": check_eso_alpha,
    "esolm_repo_mdlm_update": check_eso_update,
    "esolm_sampling_order": check_eso_order,
    "esolm_training_order": check_eso_training_order,
}
