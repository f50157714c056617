"""What is fitted is the closed form, or what training finds by the same seed; the models stay as they were."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.core.fingerprint import AtRest
from garage_nb.errors import CancelledError, EditError, NotFiniteError
from garage_nb.inject.blades.edit import in_force
from garage_nb.inject.blades.fitting.lessons import Lessons, lessons_of
from garage_nb.inject.blades.fitting.training import Training
from garage_nb.inject.blades.kinds.direction import fit_direction
from garage_nb.inject.blades.kinds.ffn_output import fit_ffn_output
from garage_nb.inject.blades.kinds.gated import GATES, fit_gated
from garage_nb.inject.blades.kinds.low_rank import fit_low_rank
from garage_nb.inject.blades.kinds.projected import RIDGE, fit_projected
from garage_nb.inject.blades.kinds.sae_feature import sae_blade
from garage_nb.inject.sae import Sae
from garage_nb.registry.lift import Lifted
from tests.families import tiny
from tests.inject.blades.making import LEARNED, LESSONS, TEXTS, lifted, under
from tests.inject.blades.naive import states
from tests.restored import left_as_it_was

QUICK = Training(steps=12, rate=0.05, batch=2)
NARROW = {"hidden_size": 16}
GROWTH = {"hidden_size": 48}


def rows(live: Lifted, layer: int, text: str) -> np.ndarray:
    ids = torch.tensor([live.tokenizer(text)["input_ids"]])
    return states(live, layer, input_ids=ids, use_cache=False)[0].double().numpy()


def all_rows(live: Lifted, layer: int) -> np.ndarray:
    return np.concatenate([rows(live, layer, text) for text in TEXTS])


@pytest.mark.parametrize("family", LEARNED)
def test_a_direction_is_the_difference_of_means(family: str) -> None:
    live, a, b = lifted(family), TEXTS[:4], TEXTS[4:7]

    with left_as_it_was(live.model):
        last, mean = (fit_direction("d", live, "layer_-2", a, b, positions=at) for at in ("-1", "all"))

    expected = [np.mean([rows(live, 1, text)[-1] for text in side], axis=0) for side in (a, b)]
    np.testing.assert_allclose(last.tensors["direction"], expected[0] - expected[1], rtol=0, atol=1e-6)
    expected = [np.mean([rows(live, 1, text).mean(axis=0) for text in side], axis=0) for side in (a, b)]
    np.testing.assert_allclose(mean.tensors["direction"], expected[0] - expected[1], rtol=0, atol=1e-6)
    assert (last.place, last.width, last.fit.n) == ("layer_1", 32, 7)


def test_a_principal_direction_is_that_of_the_differences_pair_by_pair() -> None:
    live, a, b = lifted("llama"), TEXTS[:4], TEXTS[4:]

    found = fit_direction("d", live, "layer_1", a, b, how="pca").tensors["direction"].double().numpy()

    differences = np.stack([rows(live, 1, x)[-1] - rows(live, 1, y)[-1] for x, y in zip(a, b, strict=True)])
    axis = np.linalg.eigh(differences.T @ differences)[1][:, -1]
    axis = axis * np.sign((differences @ axis).mean())
    np.testing.assert_allclose(found, axis * (differences @ axis).mean(), rtol=0, atol=1e-5)
    with pytest.raises(EditError, match="are no pairs"):
        fit_direction("d", live, "layer_1", a, b[:2], how="pca")


@pytest.mark.parametrize("source", [lifted("llama", seed=1), lifted("llama", **NARROW), lifted("llama", **GROWTH)])
def test_projections_are_their_closed_forms(source: Lifted) -> None:
    target = lifted("llama")

    with left_as_it_was(target.model), left_as_it_was(source.model):
        found = {
            how: fit_projected("p", target, "layer_1", source, TEXTS, how=how).tensors
            for how in ("least_squares", "procrustes", "truncation")
        }

    x, y = all_rows(source, 1), all_rows(target, 1)
    centred, aim = x - x.mean(axis=0), y - y.mean(axis=0)
    squares = centred.T @ centred / len(x)
    ridge = RIDGE * np.trace(squares) / len(squares) * np.eye(len(squares))
    weight = np.linalg.solve(squares + ridge, centred.T @ aim / len(x))
    np.testing.assert_allclose(found["least_squares"]["weight"], weight, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found["least_squares"]["bias"], y.mean(axis=0) - x.mean(axis=0) @ weight, atol=1e-4)
    turn = found["procrustes"]["weight"].double().numpy()
    small = turn.T @ turn if turn.shape[0] >= turn.shape[1] else turn @ turn.T
    np.testing.assert_allclose(small, np.eye(len(small)), rtol=0, atol=1e-5)
    reached = np.linalg.svd(centred.T @ aim, compute_uv=False).sum()  # the most that any rotation can reach
    np.testing.assert_allclose(np.trace(turn.T @ centred.T @ aim), reached, rtol=1e-5)
    kept = np.sort(np.argsort(-np.abs(x).mean(axis=0))[:32])
    moved = x @ found["truncation"]["weight"].double().numpy()
    np.testing.assert_array_equal(moved[:, : len(kept)], x[:, kept])
    assert not moved[:, len(kept) :].any()


def test_an_ffn_output_blade_goes_from_ffn_to_ffn() -> None:
    target, source = lifted("llama"), lifted("llama", **GROWTH)

    blade = fit_ffn_output("f", target, "ffn_1", source, TEXTS)

    assert (blade.place, blade.source_place, blade.width, blade.source_width) == ("ffn_1", "ffn_1", 32, 48)
    assert not torch.equal(under(target, in_force(blade, source=source)), under(target))
    with pytest.raises(EditError, match="layer_1 is no ffn"):
        fit_ffn_output("f", target, "layer_1", source, TEXTS)


def fit(kind: str, **how: Any) -> Any:
    target, source = lifted("llama"), lifted("llama", seed=1)
    training = Training(**{**vars(QUICK), **how})
    if kind == "low_rank":
        return fit_low_rank("l", target, "layer_1", LESSONS, rank=2, how=training)
    return fit_gated("g", target, "layer_1", source, LESSONS, gate=kind, how=training)


@pytest.mark.parametrize("kind", ["low_rank", *GATES])
def test_training_learns_and_the_same_seed_gives_the_same_blade(kind: str) -> None:
    target = lifted("llama")
    random = torch.get_rng_state()

    with left_as_it_was(target.model):
        first, again, other = fit(kind), fit(kind), fit(kind, seed=1)

    begun = fit(kind, steps=1, rate=1e-9)
    assert {name: tensor.tolist() for name, tensor in first.tensors.items()} == {
        name: tensor.tolist() for name, tensor in again.tensors.items()
    }
    assert any(not torch.equal(first.tensors[name], other.tensors[name]) for name in first.tensors)
    assert surprise(target, first) < surprise(target, begun)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(weight.grad is None and weight.requires_grad for weight in target.model.parameters())
    assert (first.fit.n, first.fit.steps, first.fit.seed) == (3, 12, 0)


def surprise(target: Lifted, blade: Any) -> float:
    """Of the answers, in nats, with the blade in force as an edit."""
    source = None if blade.source is None else lifted("llama", seed=1)
    total = 0.0
    for lesson in lessons_of(LESSONS, target):
        scores = under(target, in_force(blade, source=source), ids=lesson.ids)[0].log_softmax(dim=-1)
        total -= float(scores[:-1].gather(1, lesson.ids[1:, None])[lesson.wanted[1:]].sum())
    return total


def test_the_first_loss_is_that_of_the_model_itself() -> None:
    """Low rank begins as doing nothing."""
    target, ids = lifted("gpt2"), torch.tensor([3, 4, 5, 6])

    blade = fit_low_rank("l", target, "layer_1", Lessons(("w3 w4",), (" w5 w6",)), how=Training(steps=1, batch=1))

    scores = under(target, ids=ids)[0].log_softmax(dim=-1)
    np.testing.assert_allclose(blade.fit.loss, -float(scores[1, 5] + scores[2, 6]) / 2, rtol=1e-5)


@pytest.mark.parametrize("family", LEARNED)
def test_an_input_gate_is_its_formula(family: str) -> None:
    target, source = lifted(family), lifted(family, seed=1)
    blade = fit_gated("g", target, "layer_1", source, LESSONS, how=QUICK)
    t = blade.tensors

    acting = in_force(blade, source=source, alpha=0.5)._acting()._act
    h, s = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(1)).unbind()

    gate = 1 / (1 + np.exp(-(h @ t["from_target"] + s @ t["from_source"] + t["logit"]).numpy()))
    expected = h.numpy() + 0.5 * gate[:, None] * (s - h).numpy()
    np.testing.assert_allclose(acting(t, h, s, 0.5), expected, rtol=0, atol=1e-5)


def test_a_gate_over_another_width_asks_for_a_projection() -> None:
    target, source = lifted("llama"), lifted("llama", **GROWTH)

    with pytest.raises(EditError, match="48 wide"):
        fit_gated("g", target, "layer_1", source, LESSONS)
    lessons = Lessons(TEXTS)
    blade = fit_gated("g", target, "layer_1", source, lessons, gate="vector", projection="least_squares", how=QUICK)

    assert {name: tuple(tensor.shape) for name, tensor in blade.tensors.items()} == {
        "logit": (32,), "weight": (48, 32), "bias": (32,)
    }  # fmt: skip
    fixed = fit_projected("p", target, "layer_1", source, TEXTS).tensors["weight"]
    assert torch.equal(blade.tensors["weight"], fixed)


def test_a_feature_blade_is_the_sae_edit() -> None:
    live, made = lifted("llama"), torch.Generator().manual_seed(0)
    tensors = [torch.randn(shape, generator=made) for shape in ((32, 8), (8,), (8, 32), (32,))]
    sae = Sae("layer_1", *tensors, features={2: 3.0})

    blade = sae_blade("f", live, sae)

    assert torch.equal(under(live, in_force(blade)), under(live, sae))
    assert torch.equal(under(live, in_force(blade, alpha=0)), under(live))


def test_what_goes_wrong_leaves_the_model_as_it_was() -> None:
    live = lifted("llama")
    before, cancel = AtRest.of(live.model), Cancel()
    cancel.ask()
    broken = replace(live, model=tiny("llama"))
    broken.model.lm_head.weight.data[5] = math.inf

    with pytest.raises(CancelledError), cancellable(cancel):
        fit_low_rank("l", live, "layer_1", LESSONS)
    with pytest.raises(NotFiniteError, match="while the blade was fitted"):
        fit_low_rank("l", broken, "layer_1", LESSONS)
    with pytest.raises(EditError, match="too few to fit"):
        fit_projected("p", live, "layer_1", lifted("llama", seed=1), TEXTS[:2])
    with pytest.raises(EditError, match="is no rank"):
        fit_low_rank("l", live, "layer_1", LESSONS, rank=0)
    with pytest.raises(EditError, match="are no lessons"):
        Lessons(("w3",), (" w4", " w5"))
    with pytest.raises(EditError, match="nothing to learn"):
        fit_low_rank("l", live, "layer_1", Lessons(("w3",)))

    assert not before.differences(AtRest.of(live.model))
    assert torch.is_grad_enabled()
