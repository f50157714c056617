"""A sweep of places: what each does is a naive loop's, and the chosen one is the best of those that keep the rest."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.errors import CancelledError, InputError
from garage_nb.inject.blades.blade import Blade
from garage_nb.inject.blades.edit import in_force
from garage_nb.methods.blades.making import DOSES, HOW, Making
from garage_nb.methods.blades.place_sweep import LOSS, TARGET, PlaceSweep
from garage_nb.methods.blades.sweeping import first_place, places_of, sweep_places, swept
from garage_nb.methods.outcomes import Item, Marks, Outcomes
from tests.families import HIDDEN
from tests.inject.blades.making import bare
from tests.methods.blades.grounds import ground, live, log_probs
from tests.restored import left_as_it_was


def pushed(place: str, **changes: Any) -> Blade:
    return bare(name=place, place=place, tensors={"direction": torch.linspace(-1, 1, HIDDEN)}, **changes)


@cache
def sweep(family: str) -> PlaceSweep:
    asked = ground(live(family))
    with left_as_it_was(asked.target.model):
        return sweep_places(pushed, asked, ["layer_0", "layer_1", "layer_2"])


@pytest.mark.parametrize("family", ["llama", "gpt2", "mixtral"])
def test_a_gain_is_the_naive_difference(family: str) -> None:
    asked, found = ground(live(family)), sweep(family)
    near = list(asked.choose["near"])

    for place, gain in found.gains.items():
        naive = log_probs(asked.target, near, in_force(pushed(place))) - log_probs(asked.target, near)
        assert gain.value == pytest.approx(float(naive.mean()), abs=1e-4)
        assert gain.low <= gain.value <= gain.high
    assert found.others == ("far",)


def planted(gains: list[float], kept: list[float]) -> PlaceSweep:
    """Of so many nats on `near`, and so much of the accuracy on the twenty items of `far`."""
    items = [Item("near", str(one)) for one in range(10)] + [Item("far", str(one)) for one in range(20)]
    marks = {TARGET: _marks(0.0, 0.0)} | {
        f"layer_{place}": _marks(*both) for place, both in enumerate(zip(gains, kept, strict=True))
    }
    outcomes = Outcomes.of("place", "m", items, {0: marks})
    blades = tuple(pushed(f"layer_{place}") for place in range(len(gains)))
    return PlaceSweep(blades=blades, outcomes=outcomes, domain="near")


def _marks(gain: float, change: float) -> Marks:
    right = torch.arange(30) < 10 + round(20 * (1 + change))
    return Marks(right=right, log_probs=torch.full((30,), -5.0) + gain * (torch.arange(30) < 10))


def test_the_largest_gain_of_those_that_keep_the_rest_is_chosen() -> None:
    found = planted([1.0, 3.0, 2.0], [0.0, -0.5, -0.05])

    assert found.chosen.place == "layer_2"
    assert [found.keeps(place) for place in found.places] == [True, False, True]
    assert found.frame()["is_chosen"].tolist() == [False, False, True]
    assert "chosen among" in repr(found)


def test_where_every_place_loses_more_the_largest_gain_is_and_it_is_said() -> None:
    found = planted([1.0, 3.0], [-0.5, -0.4])

    assert found.chosen.place == "layer_1"
    assert f"every one loses over {LOSS:g}" in " ".join(repr(found).split())


def test_the_first_of_equals_is_chosen() -> None:
    assert planted([1.0, 1.0], [0.0, 0.0]).chosen.place == "layer_0"


def test_a_sweep_is_drawn_in_both_measures() -> None:
    found = planted([1.0, 3.0], [0.0, 0.0])

    for measure in ("log_prob", "right"):
        names = [label.get_text() for label in found.plot(measure).axes.get_yticklabels()]
        assert names == ["layer_0", "layer_1, chosen"] * 2
    with pytest.raises(InputError, match="no 'loss'"):
        found.plot("loss")


def test_the_dose_is_the_best_of_those_tried() -> None:
    asked = ground(live("llama"), live("llama", 1))
    near = list(asked.choose["near"])

    found = Making(name="e", kind="transplant").at("layer_1", asked)

    tried = {
        dose: log_probs(asked.target, near, in_force(replace(found, alpha=dose), source=asked.others["source"])).mean()
        for dose in DOSES
    }
    assert found.alpha == max(tried, key=lambda dose: float(tried[dose]))


def test_places_are_those_that_both_models_have_counted_from_the_end() -> None:
    deep = ground(live("llama"), live("llama", 1, num_hidden_layers=2))
    gated, alone = Making(name="e", kind="gated", training=replace(HOW, steps=1)), Making(name="e", kind="low_rank")

    assert places_of(gated, deep) == ["layer_-2", "layer_-1"]
    assert places_of(alone, deep) == ["layer_-3", "layer_-2", "layer_-1"]
    assert places_of(Making(name="e", kind="ffn_output"), deep) == ["ffn_-2", "ffn_-1"]
    assert (first_place(gated, deep), first_place(alone, deep)) == ("layer_-2", "layer_-3")
    blades = swept(gated, deep).blades
    assert [(one.place, one.source_place) for one in blades] == [("layer_1", "layer_0"), ("layer_2", "layer_1")]


def test_what_cannot_be_swept_is_refused() -> None:
    asked = ground(live("llama"))
    with pytest.raises(InputError, match="no place"):
        sweep_places(pushed, asked, [])
    with pytest.raises(InputError, match="layer_2 is named twice"):
        sweep_places(lambda place: pushed("layer_2"), asked, ["layer_2", "layer_-1"])
    with pytest.raises(InputError, match="reads a second model"):
        swept(Making(name="e", kind="gated"), asked)
    lone = replace(asked, fit={"near": asked.fit["near"]})
    with pytest.raises(InputError, match="there is no other"):
        swept(Making(name="e", kind="direction"), lone)
    with pytest.raises(InputError, match="No 'sword' is fitted"):
        Making(name="e", kind="sword")


def test_it_can_be_cancelled_between_two_places() -> None:
    asked, tried, cancel = ground(live("llama")), list[str](), Cancel()

    def fit(place: str) -> Blade:
        tried.append(place)
        cancel.ask()
        return pushed(place)

    with left_as_it_was(asked.target.model), pytest.raises(CancelledError), cancellable(cancel):
        sweep_places(fit, asked, ["layer_0", "layer_1"])

    assert tried == ["layer_0"]
