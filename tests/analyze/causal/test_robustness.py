"""Noise curves: every point is one forward with noise drawn by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.analyze.bootstrap import bootstrap
from garage_nb.analyze.causal.robustness import Robustness, robustness
from garage_nb.errors import EditError, GarageError, InputError
from garage_nb.garage import Garage
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from tests.analyze.naive import hooked, last_logits
from tests.families import tiny
from tests.restored import hooks_on, left_as_it_was

PROMPTS = [[3, 1, 4, 1, 5, 9], [2, 7, 18, 28]]
GIVEN = {"input_ids": [PROMPTS[0], [2, 2, *PROMPTS[1]]], "attention_mask": [[1] * 6, [0, 0, 1, 1, 1, 1]]}
TARGET, FOIL = 5, 9


def curve(model: Any, parts: str = "layer_*", recipe: Recipe | None = None, **options: Any) -> Robustness:
    asked = {"prompts": GIVEN, "stds": (0, 0.5, 2), "draws": 2, "target": TARGET, "foil": FOIL, **options}
    return robustness(Garage(model).lifted, recipe=recipe or Recipe(), parts=parts, **asked)


def noisy(hidden: Tensor, std: float, seed: int) -> Tensor:
    drawn = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(seed))
    return hidden + std * hidden.std(correction=0) * drawn


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_every_point_is_a_forward_of_its_own(family: str) -> None:
    model = tiny(family)

    with left_as_it_was(model):
        found = curve(model, "layer_1,attention_2.head_1", seed=4)

    for at, ids in enumerate(PROMPTS):
        for draw in range(2):
            for row, name in enumerate(found.parts):
                for column, std in enumerate(found.stds):
                    change = lambda hidden, std=std, draw=draw: noisy(hidden, std, 4 + draw)  # noqa: E731
                    with hooked(model, name, change):
                        logits = last_logits(model, ids)
                    expected = float(logits[TARGET] - logits[FOIL])
                    assert float(found.values[at, draw, row, column]) == pytest.approx(expected, abs=1e-5)


def test_no_noise_is_the_untouched_model(llama: Any) -> None:
    found = curve(llama)

    expected = found.untouched[:, None, None].expand(2, 2, 3)
    torch.testing.assert_close(found.values[..., 0], expected, rtol=1e-5, atol=1e-5)


def test_the_interval_is_over_prompts_and_of_one_over_draws(llama: Any) -> None:
    several, one = curve(llama), curve(llama, prompts=PROMPTS[0], draws=4)

    expected = bootstrap(several.values.mean(dim=1).flatten(1))
    torch.testing.assert_close(several.interval.low.flatten(), expected.low)
    torch.testing.assert_close(one.interval.high.flatten(), bootstrap(one.values[0].flatten(1)).high)
    torch.testing.assert_close(several.interval.mean, several.values.mean(dim=(0, 1)))


def test_the_recipe_comes_first(llama: Any) -> None:
    found = curve(llama, "layer_1", Recipe((Scale("layer_0", 2.0),)))

    with hooked(llama, "layer_0", lambda hidden: 2.0 * hidden):
        logits = last_logits(llama, PROMPTS[0])
    assert float(found.untouched[0]) == pytest.approx(float(logits[TARGET] - logits[FOIL]), abs=1e-5)


def test_the_global_numbers_stay_and_the_seed_says_it_all(llama: Any) -> None:
    before = torch.get_rng_state()

    first, again, other = curve(llama), curve(llama), curve(llama, seed=7)

    assert torch.equal(first.values, again.values)
    assert not torch.equal(first.values, other.values)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("options", [{"draws": 0}, {"stds": (-1,)}, {"metric": "loss"}, {"parts": "layer_9"}])
def test_what_is_no_noise_is_refused_in_two_lines(llama: Any, options: dict[str, Any]) -> None:
    with pytest.raises((InputError, EditError, GarageError)) as caught:
        curve(llama, **options)

    assert str(caught.value).count("\n") == 1
    assert hooks_on(llama) == {}


def test_frame_and_plots(llama: Any) -> None:
    several, one = curve(llama), curve(llama, "layer_1")

    assert several.frame().shape == (9, 3)
    assert several.frame().loc[("layer_1", 0.5), "metric"] == float(several.interval.mean[1, 1])
    assert several.plot().axes.images[0].get_array().shape == (3, 3)
    assert list(one.plot().axes.lines[-1].get_ydata()) == one.interval.mean[0].tolist()
    assert "2 draws" in repr(one)
