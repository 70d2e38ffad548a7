"""Next edits with the real default model: the scenarios, each a file that a person can read."""

from __future__ import annotations

import pytest
from support.default_model import default_model
from support.scenario import Scenario, scenarios
from support.tiny_canvas import Listener, Patience

from lsp_server.next_edit.asking import build_request
from lsp_server.next_edit.changes import meant
from model_runtime.engines.local import LocalEngine
from model_runtime.protocol import LEAST_CONFIDENCE
from model_runtime.settings import RuntimeSettings

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    """An engine with the default model."""
    local = LocalEngine(RuntimeSettings())
    local._model = default_model()
    return local


def offered(engine: LocalEngine, scenario: Scenario) -> str:
    """Return the file with all in it that is offered, as editors ask for it."""
    request = build_request(
        scenario.language,
        scenario.text,
        meant(scenario.before, scenario.text),
        document=scenario.name,
        least_confidence=LEAST_CONFIDENCE["balanced"],
    )
    if request is None:
        return scenario.text
    found = engine.next_edits(request, Listener(), Patience())
    places = {place for proposal in found.proposals for place in proposal.places}
    text = scenario.text
    for place in sorted(places, key=lambda place: place.start, reverse=True):
        text = text[: place.start] + place.text + text[place.end :]
    return text


def test_there_are_enough() -> None:
    """Fifty, a third of which want silence."""
    every = scenarios()
    quiet = [scenario for scenario in every if scenario.text == scenario.wanted]
    assert len(every) >= 50
    assert 3 * len(quiet) >= len(every)


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_what_is_wanted_is_offered_and_nothing_else(
    engine: LocalEngine, scenario: Scenario
) -> None:
    """Every place, or none."""
    if scenario.fails:
        assert offered(engine, scenario) != scenario.wanted, "it works now: take its `fails` away"
    else:
        assert offered(engine, scenario) == scenario.wanted
