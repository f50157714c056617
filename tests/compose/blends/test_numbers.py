"""What a blend computes, against closed forms and naive loops in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.compose.blends.blend import Spot, in_block
from garage_nb.compose.blends.drawing import one_build
from garage_nb.compose.blends.methods import METHODS, blend_from, blend_of
from garage_nb.errors import BuildError

HERE = Spot("model.layers.1.mlp.up_proj.weight", 0.5)


def tensors(count: int, *shape: int) -> list[Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=draw) for _ in range(count)]


def test_linear_is_the_weighted_mean() -> None:
    a, b = tensors(2, 3, 4)

    mixed = blend_of("--method linear --weight 1,3").blended(a, [b], HERE)

    np.testing.assert_allclose(mixed, (a.double() + 3 * b.double()) / 4, rtol=1e-6)


def test_slerp_keeps_to_the_circle_between_unit_vectors_at_right_angles() -> None:
    a, b = torch.tensor([1.0, 0]), torch.tensor([0, 1.0])

    mixed = blend_of("--method slerp --t 0.25").blended(a, [b], HERE)

    np.testing.assert_allclose(mixed, [math.cos(math.pi / 8), math.sin(math.pi / 8)], rtol=1e-6)


def test_task_arithmetic_adds_what_was_learned() -> None:
    base, a, b = tensors(3, 5)

    mixed = blend_of("--method task_arithmetic --weight 0.5,-1 --lambda 2").blended(base, [a, b], HERE)

    base, a, b = base.double(), a.double(), b.double()
    np.testing.assert_allclose(mixed, base + 2 * (0.5 * (a - base) - (b - base)), rtol=1e-5, atol=1e-6)


def test_ties_number_by_number() -> None:
    base, *others = tensors(4, 40)
    weights, keep = [0.5, 1.0, 0.7], 20

    mixed = blend_of("--method ties --weight 0.5,1,0.7 --density 0.5").blended(base, others, HERE)

    deltas = []
    for other, weight in zip(others, weights, strict=True):
        delta = (other.double() - base.double()).numpy()
        edge = np.sort(np.abs(delta))[-keep]
        deltas.append(weight * np.where(np.abs(delta) >= edge, delta, 0))
    for i in range(40):
        column = [delta[i] for delta in deltas]
        sign = 1 if sum(column) >= 0 else -1
        agree = [k for k, number in enumerate(column) if np.sign(number) == sign]
        total = sum(weights[k] for k in agree) or 1
        assert mixed[i].item() == pytest.approx(
            base[i].item() + sum(column[k] for k in agree) / total, rel=1e-5, abs=1e-6
        )


def test_dare_keeps_its_share_and_makes_up_for_the_rest() -> None:
    base, other = torch.zeros(100_000), torch.ones(100_000)

    mixed = blend_of("--method dare_linear --weight 1 --density 0.3").blended(base, [other], HERE)

    kept = mixed != 0
    share = kept.double().mean().item()
    assert abs(share - 0.3) < 5 * math.sqrt(0.3 * 0.7 / 100_000)  # five standard errors
    assert mixed[kept].mean().item() == pytest.approx(1 / share, rel=1e-4)
    assert mixed.double().mean().item() == pytest.approx(1, rel=1e-4)


def test_dare_draws_by_its_own_seed_and_leaves_the_global_numbers_alone() -> None:
    base, other = tensors(2, 500)
    before = torch.random.get_rng_state()

    one, again, another = (
        blend_of(f"--method dare_ties --weight 1 --density 0.5 --seed {seed}").blended(base, [other], HERE)
        for seed in (1, 1, 2)
    )

    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one, again)
    assert not torch.equal(one, another)


def test_a_build_has_one_generator_for_all_its_tensors() -> None:
    base, other = tensors(2, 500)
    blend = blend_of("--method dare_ties --weight 1 --density 0.5")
    alone = blend.blended(base, [other], HERE)

    with one_build():
        first, second = (blend.blended(base, [other], HERE) for _ in range(2))

    assert not torch.equal(first, second)
    assert torch.equal(first, alone)
    assert torch.equal(blend.blended(base, [other], HERE), alone)


def test_a_build_that_fails_leaves_no_generator() -> None:
    base, other = tensors(2, 500)
    blend = blend_of("--method dare_ties --weight 1 --density 0.5")
    alone = blend.blended(base, [other], HERE)

    def breaks() -> None:
        with one_build():
            blend.blended(base, [other], HERE)
            blend.blended(base, [other[:2]], HERE)

    with pytest.raises(BuildError):
        breaks()

    assert torch.equal(blend.blended(base, [other], HERE), alone)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_given_is_changed_or_shared(method: str) -> None:
    given = {name: 1 for name in ("weight", "t", "scale") if name in METHODS[method].__dataclass_fields__}
    own, other = tensors(2, 4, 5)
    copies = own.clone(), other.clone()

    mixed = blend_from(method, given).blended(own, [] if method == "passthrough" else [other], HERE)

    assert torch.equal(own, copies[0])
    assert torch.equal(other, copies[1])
    assert mixed.data_ptr() not in (own.data_ptr(), other.data_ptr())
    assert not mixed.requires_grad


def test_parameters_blend_without_gradients() -> None:
    own, other = (torch.nn.Parameter(tensor) for tensor in tensors(2, 4, 5))

    assert not blend_of("--method linear --weight 1").blended(own, [other], HERE).requires_grad


def test_depth_runs_from_the_first_layer_to_the_last() -> None:
    assert [in_block(i, 3) for i in range(3)] == [0, 0.5, 1]
    assert in_block(0, 1) == 1  # mergekit's


def test_names_of_a_source_are_those_it_has_itself() -> None:
    a, b = torch.zeros(3), torch.ones(3)
    blend = blend_of("--method linear --normalize false --weight 1,layers.7.=5/0")

    assert blend.blended(a, [b], Spot("layers.1.w", inputs=("layers.1.w", "layers.7.w"))).tolist() == [5, 5, 5]
    assert blend.blended(a, [b], Spot("layers.7.w", inputs=("layers.7.w", "layers.1.w"))).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("words", "others", "said"),
    [
        ("--method slerp --t 0.5", 2, "slerp goes from one model to one other, not to 2."),
        ("--method passthrough --scale 0.5", 1, "passthrough takes one model as it is, not 2."),
        ("--method ties --weight 0.5", 0, "ties has no model besides the base."),
        ("--method ties --weight 0.5,0.2", 3, "ties has 2 of weight, and there are 3 to blend."),
        ("--method dare_ties --weight 1 --density 0.1,0.2", 1, "dare_ties has 2 of density, and there are 1 to blend."),
        ("--method linear --weight 0.5,0.5", 2, "linear has 2 of weight, and there are 3 to blend."),
    ],
)  # fmt: skip
def test_another_number_of_models_is_refused_before_and_while_blending(words: str, others: int, said: str) -> None:
    blend = blend_of(words)

    for attempt in (lambda: blend.demand(others), lambda: blend.blended(torch.ones(2), [torch.ones(2)] * others, HERE)):
        with pytest.raises(BuildError) as error:
            attempt()

        assert error.value.what == said


def test_what_does_not_blend_is_refused() -> None:
    blend = blend_of("--method linear --weight 1,-1")
    ones = torch.ones(2, 3)

    for own, other, said in (
        (ones, torch.ones(3, 2), "is (2, 3) on cpu here and (3, 2) on cpu there"),
        (ones.long(), ones.long(), "holds whole numbers"),
        (ones, ones, "sum to 0"),
    ):
        with pytest.raises(BuildError, match=HERE.tensor.replace(".", r"\.")) as error:
            blend.blended(own, [other], HERE)
        assert said in error.value.what


def test_a_value_that_says_nothing_of_a_tensor_is_refused() -> None:
    with pytest.raises(BuildError, match=r"says nothing of model\.layers\.1\.mlp\.up_proj\.weight"):
        blend_of("--method slerp --t self_attn=0.5").blended(torch.ones(2), [torch.ones(2)], HERE)
