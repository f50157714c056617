"""A film has, step by step, what a pass over the whole text has at that token."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.core.batch import prepare
from garage_nb.core.generate import generate
from garage_nb.errors import InputError
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from garage_nb.snapshot.film import Film, Steps
from tests.families import FAMILIES, prompt, tiny

PARTS = ("layer_0", "attention_1", "layer_2")
OPTIONS: dict[str, Any] = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 2}


def filmed(model: Any, recipe: Recipe) -> tuple[Steps, torch.Tensor]:
    spec = spec_of(model)
    film = Film(spec, PARTS)
    ids = generate(model, prepare(prompt(), model), [*recipe.taps(spec), *film.taps()], chain=spec.chain, **OPTIONS)
    return film.steps([str(token) for token in ids[0, prompt().shape[1] :].tolist()]), ids


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("recipe", [Recipe(), Recipe((Scale("layer_1", 1.4), Scale("attention_0", 0.5)))])
def test_every_step_is_that_token_of_a_whole_pass(family: str, recipe: Recipe) -> None:
    model = tiny(family)

    steps, ids = filmed(model, recipe)

    spec, start = spec_of(model), prompt().shape[1]
    whole = SnapshotCapture(model).run(ids, PARTS, under=recipe.taps(spec), keep=True)
    for name in PARTS:
        hidden = whole[name].hidden
        assert hidden is not None
        norms = hidden[0].double().norm(dim=-1)
        expected = [norms[:start].mean(), *norms[start : start + OPTIONS["max_new_tokens"] - 1]]
        assert steps.values_of("norm", name) == pytest.approx([float(norm) for norm in expected], rel=1e-4)


def test_its_frame_has_a_row_for_each_step_and_part(llama: Any) -> None:
    steps, ids = filmed(llama, Recipe())

    frame = steps.frame()

    assert list(frame.index.names) == ["step", "part"]
    assert len(frame) == OPTIONS["max_new_tokens"] * len(PARTS)
    assert frame.loc[(1, "layer_2"), "norm"] == steps.values_of("norm", "layer_2")[1]
    assert [frame.loc[(step, "layer_0"), "token"] for step in range(4)] == [str(t) for t in ids[0, -4:].tolist()]


def test_it_shows_itself(llama: Any) -> None:
    steps, _ = filmed(llama, Recipe())

    axes = steps.plot("norm").axes

    assert "norm of attention_1" in repr(steps)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(PARTS)
    with pytest.raises(InputError, match="no statistic 'size'"):
        steps.values_of("size", "layer_0")
