"""What several steps make of one weight is rounded once, and what is drawn for it is drawn once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from garage_nb.compose.assembly.build import build
from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Merge
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Add, Scale
from garage_nb.registry.lift import Lifted, lift
from tests.compose.bench import built, model

HALF, THIRD = "--method linear --weight 0.5", "--method linear --weight 1,2"
TASK = "--method task_arithmetic --weight 0.3"


def lifted(family: str, dtype: torch.dtype) -> dict[str, Lifted]:
    return {name: lift(model(family, seed=seed).to(dtype)) for seed, name in enumerate("abc")}


def merge(at: str, source: str, how: str) -> Merge:
    return Merge(at, (Ref.of(source),), blend_of(how))


def weights(donors: dict[str, Lifted], name: str) -> list[Tensor]:
    return [donor.model.state_dict()[name].double() for donor in donors.values()]


def half_a_step(exact: Tensor, dtype: torch.dtype) -> Tensor:
    """What rounding to nearest may be off by at each number, with a hair for float32's own rounding."""
    steps = torch.exp2(torch.floor(torch.log2(exact.abs().clamp(min=torch.finfo(dtype).tiny))))
    return 0.5 * torch.finfo(dtype).eps * steps * 1.01 + 1e-8


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("how", [HALF, THIRD, TASK])
def test_merges_of_merges(how: str, dtype: torch.dtype) -> None:
    donors = lifted("llama", dtype)
    name = "model.layers.0.mlp.up_proj.weight"
    grafts = [merge("ffn_0", "b", THIRD), merge("ffn_0", "c", how), merge("ffn_0", "b", HALF)]

    found = built(donors, *grafts).model.state_dict()[name]

    a, b, c = weights(donors, name)
    inner = (a + 2 * b) / 3
    then = {HALF: (inner + c) / 2, THIRD: (inner + 2 * c) / 3, TASK: inner + 0.3 * (c - inner)}[how]
    exact = (then + b) / 2
    assert found.dtype == dtype
    assert bool(((found.double() - exact).abs() <= half_a_step(exact, dtype)).all())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_edits_on_edits(dtype: torch.dtype) -> None:
    donors = {"a": lifted("llama", dtype)["a"]}
    name, factors = "model.layers.1.mlp.down_proj.weight", (0.3, 0.7, 1.9)

    edits = tuple(Scale("ffn_1", factor) for factor in factors)
    found = build(BuildSheet("a", donors, edits=edits)).model.state_dict()[name]

    exact = 0.3 * 0.7 * 1.9 * weights(donors, name)[0]
    assert bool(((found.double() - exact).abs() <= half_a_step(exact, dtype)).all())


def test_one_merge_is_in_the_precision_of_the_weights_as_ever() -> None:
    """As mergekit has it: what a task adds is rounded before it is added."""
    donors = lifted("llama", torch.bfloat16)
    name = "model.layers.0.mlp.up_proj.weight"

    found = built(donors, merge("ffn_0", "b", TASK)).model.state_dict()[name]

    a, b, _ = (donor.model.state_dict()[name] for donor in donors.values())
    assert torch.equal(found, a + ((b - a)[None] * torch.tensor([0.3], dtype=a.dtype)[:, None, None]).sum(dim=0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("edit", [Scale("ffn_1", 0.5), Add("ffn_1", 0.5), Add("ffn_1.neuron_3", 1.0)], ids=str)
def test_an_edit_acts_on_the_numbers_that_were_drawn(edit: Edit, dtype: torch.dtype) -> None:
    """The bias that it makes, and the weight that this is made of, see one and the same blend."""
    donors = lifted("gpt2", dtype)
    drawn = merge("ffn_*", "b", "--method dare_linear --weight 1 --density 0.5")

    hybrid = build(BuildSheet("a", donors, (drawn,), edits=(edit,)))

    bare = built(donors, drawn).model.state_dict()
    claims = {row.claim: row.holds for row in hybrid.proofs.rows}
    own, changed = hybrid.model.state_dict(), "h.1.mlp.c_proj"
    assert claims["edits in weights = in force"] is not False
    assert claims["edits in weights = in force"] or dtype is torch.bfloat16  # which may be too coarse to tell
    assert all(torch.equal(own[name], bare[name]) for name in own if changed not in name)
    assert not torch.equal(own[f"transformer.{changed}.bias"], bare[f"transformer.{changed}.bias"])
