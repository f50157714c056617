"""Blends against mergekit's own methods, on random tensors, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.compose.blends.blend import Spot
from garage_nb.compose.blends.methods import blend_from

SHAPES = [(7,), (33, 65), (3, 5, 7), (257, 129)]
LARGE = (1030, 1031)  # more than slerp takes at a time
DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]
DELTAS = {"weight": [0.1, 0.5, -0.3]}
THINNED = {**DELTAS, "density": [0.5, 0.2, 1]}
PLAIN = [
    ("linear", {"weight": [0.1, 0.5, 0.3, 0.7]}),
    ("linear", {"weight": [0.1, 0.5, 0.3, -0.7], "normalize": False}),
    ("task_arithmetic", DELTAS),
    ("task_arithmetic", {**DELTAS, "normalize": True, "lambda": 0.7}),
    ("ties", THINNED),
    ("ties", {**THINNED, "normalize": False, "lambda": 1.5}),
    ("ties", {**DELTAS, "density": [0.0, 0.001, 0.9]}),
    ("dare_linear", THINNED),
    ("dare_linear", {**THINNED, "rescale": False, "normalize": True}),
    ("dare_ties", THINNED),
    ("dare_ties", {**DELTAS, "density": [0.0, 0.1, 0.9], "lambda": 2}),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("method", "given"), PLAIN)
def test_four_models(method: str, given: dict[str, Any], dtype: torch.dtype) -> None:
    for shape in SHAPES:
        tensors = drawn(shape, dtype)

        theirs = by_mergekit(method, tensors, given, seed=5)
        ours = blended(method, tensors, given | ({"seed": 5} if "dare" in method else {}))

        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("t", [0, 0.3, 1])
def test_slerp(t: float, dtype: torch.dtype) -> None:
    for shape in (*SHAPES, LARGE):
        a, b = drawn(shape, dtype, count=2)
        for other in (b, a + 0.001 * b, -a, torch.zeros_like(a)):  # across, beside, against and nowhere
            theirs = by_mergekit("slerp", [a, other], {"t": t})

            assert torch.equal(blended("slerp", [a, other], {"t": t}), theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_ties_that_are_rescaled(dtype: torch.dtype) -> None:
    for shape in SHAPES:
        tensors = drawn(shape, dtype)

        given = {**THINNED, "rescale": True}

        assert torch.equal(blended("ties", tensors, given), by_mergekit("ties", tensors, given))


def test_sums_beyond_float16_are_numbers_where_mergekit_has_none() -> None:
    tensors = drawn((400, 400), torch.float16)
    given = {**THINNED, "rescale": True}

    ours, theirs = blended("ties", tensors, given), by_mergekit("ties", tensors, given)
    exact = blended("ties", [tensor.double() for tensor in tensors], given)

    assert theirs.isnan().any()
    assert ours.isfinite().all()
    unlike = (ours.double() - exact).abs() > 0.02  # where a rounded sum near 0 elects the other sign
    assert unlike.double().mean() < 1e-3


def test_models_of_several_precisions_meet_in_the_widest() -> None:
    a, b, c = drawn((5, 6), torch.float32, count=3)
    mixed = [a.bfloat16(), b, c.half()]

    ours = blended("linear", mixed, {"weight": 0.5})

    assert ours.dtype == torch.float32
    assert torch.equal(ours, by_mergekit("linear", mixed, {"weight": [0.5] * 3}))


def test_int8_mask_changes_no_number_in_mergekit() -> None:
    for dtype in DTYPES:
        tensors = drawn((33, 65), dtype)

        kept = by_mergekit("ties", tensors, {**THINNED, "int8_mask": True})

        assert torch.equal(kept, by_mergekit("ties", tensors, THINNED))


def test_passthrough() -> None:
    (own,) = drawn((5, 6), torch.bfloat16, count=1)

    assert torch.equal(blended("passthrough", [own], {"scale": 0.3}), by_mergekit("passthrough", [own], {"scale": 0.3}))


def blended(method: str, tensors: list[Tensor], given: dict[str, Any]) -> Tensor:
    return blend_from(method, given).blended(tensors[0], tensors[1:], Spot("some.weight"))


def by_mergekit(method: str, tensors: list[Tensor], given: dict[str, Any], seed: int = 0) -> Tensor:
    """The first is the base of methods that have one. The global random numbers stay as they are."""
    pytest.importorskip("mergekit")
    from mergekit import merge_methods
    from mergekit.merge_methods.base import TensorGroup

    has_base = method not in ("linear", "passthrough")
    group = TensorGroup.from_tensors(tensors, base_index=0 if has_base else None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return merge_methods.get(method)([group], parameters=given)[0]


def drawn(shape: tuple[int, ...], dtype: torch.dtype, count: int = 4) -> list[Tensor]:
    draw = torch.Generator().manual_seed(len(shape))
    return [torch.randn(shape, generator=draw).to(dtype) for _ in range(count)]
