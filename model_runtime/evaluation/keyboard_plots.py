"""Keys saved against wrong suggestions, and what was said against what was true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.evaluation.keyboard_page import (
    CURVE_NAME,
    OURS,
    RELIABILITY_NAME,
    STOPPED,
    n_saved,
    n_wrong,
)
from model_runtime.evaluation.plot import Series, draw_plot
from model_runtime.evaluation.typist import total

if TYPE_CHECKING:
    from model_runtime.evaluation.keyboard_page import Measured


def plots(measured: Measured) -> dict[str, str]:
    """Draw both, by the name of their file."""
    curves: dict[str, list[tuple[float, float, str]]] = {}
    for (name, level), lines in measured.played.items():
        if name == STOPPED:
            continue
        played = total(whole for _, whole, _ in lines)
        label = f"{level:g}" if name == OURS else ""
        curves.setdefault(name, []).append((n_wrong(played), n_saved(played), label))
    fifths = [(100 * said, 100 * true, "") for said, true, _ in measured.fifths()]
    return {
        CURVE_NAME: draw_plot(
            [Series(name=name, points=points) for name, points in curves.items()],
            title="Keys saved against wrong suggestions, by confidence",
            x_title="wrong suggestions per 100 characters",
            y_title="% of the keys saved",
        ),
        RELIABILITY_NAME: draw_plot(
            [
                Series(name="suggestions, in fifths", points=fifths),
                Series(name="said is true", points=[(0, 0, ""), (100, 100, "")]),
            ],
            title="Confidence and truth",
            x_title="confidence, %",
            y_title="right, %",
        ),
    }
