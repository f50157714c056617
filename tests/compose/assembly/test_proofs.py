"""Every proof fails when what it claims is not so: each is broken here by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.as_in_donors import as_in_donors, taken_whole
from garage_nb.compose.assembly.build import assembled, build, build_checked
from garage_nb.compose.assembly.passage import passed
from garage_nb.compose.assembly.proof import Proof, Proofs, cached, equal, finite, logits_of, rebuilt, untouched
from garage_nb.compose.graft import Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.core.fingerprint import AtRest
from garage_nb.errors import BuildError
from garage_nb.registry.lift import lift
from tests.compose.bench import blocks_of, built, checked, logits, model, pair, stacked
from tests.compose.layout.test_refusals import untouched as left

FAMILIES = ["gpt2", "llama", "gemma2", "mixtral"]


def fresh(family: str) -> tuple[Any, Any]:
    """A hybrid of its own to break, and the layout it came from."""
    layout = stacked(family)[1].check.demand()
    return assembled(layout), layout


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_right_is_proved(family: str) -> None:
    made, layout = fresh(family)
    rows = stacked(family)[1].proofs.rows

    assert all(
        proof.holds
        for proof in (
            finite(made, logits_of(made)),
            cached(made),
            rebuilt(made, logits_of(made)),
            as_in_donors(passed(made, layout.spec, taken_whole(layout)), layout),
        )
    )
    assert [row.claim for row in rows] == [
        "finite", "cached = uncached", "parts as in their donors", "config and weights suffice", "donors untouched"
    ]  # fmt: skip
    assert all(row.holds for row in rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_with_the_number_of_another(family: str) -> None:
    """Two would write into one place of the cache."""
    made, _ = fresh(family)
    for module in blocks_of(made)[2].modules():
        if hasattr(module, "layer_idx"):
            module.layer_idx = 1

    assert cached(made).holds is False
    assert finite(made, logits_of(made)).holds is True


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_weight_that_is_not_finite(family: str, bad: float) -> None:
    made, _ = fresh(family)
    with torch.no_grad():
        next(blocks_of(made)[5].parameters()).fill_(bad)  # a copy, as the block is repeated

    assert finite(made, logits_of(made)).holds is False


@pytest.mark.parametrize("family", FAMILIES)
def test_a_config_that_does_not_say_what_the_model_does(family: str) -> None:
    made, _ = fresh(family)
    for module in made.modules():
        for name in ("scaling", "scale_attn_weights"):
            if hasattr(module, name):
                setattr(module, name, getattr(module, name) * 2 if name == "scaling" else False)

    assert rebuilt(made, logits_of(made)).holds is False


@pytest.mark.parametrize("family", FAMILIES)
def test_a_part_that_does_something_else_than_at_home(family: str) -> None:
    made, layout = fresh(family)
    block = blocks_of(made)[1]
    block.forward = lambda hidden, *args, _forward=block.forward, **kwargs: _forward(hidden * 1.01, *args, **kwargs)

    found = as_in_donors(passed(made, layout.spec, taken_whole(layout)), layout)

    assert found.holds is False
    assert "layer_1" in found.found


@pytest.mark.parametrize("what", ["weight", "flag", "tensor gone"])
def test_a_donor_that_changed_meanwhile(what: str) -> None:
    donors = pair("llama")
    opened = checked(donors, Stack.of("0 b[1]")).donors
    before = {name: (opened[name], AtRest.of(opened[name].model)) for name in "ab"}

    block = donors["b"].model.model.layers[3]
    with torch.no_grad():
        if what == "weight":
            block.mlp.up_proj.weight[3, 5] += 1e-6
        elif what == "flag":
            block.mlp.train()
        else:
            del block.mlp.up_proj.weight
            block.mlp.up_proj.weight = torch.nn.Parameter(torch.zeros(64, 32))

    found = untouched(before)
    assert found.holds is False
    assert " of b: model.layers.3" in found.found
    assert " of a" not in found.found


def test_a_donor_that_changes_during_the_build_stops_it() -> None:
    """By a hook of the user's that writes into a weight at every pass."""
    donors = pair("llama")
    weight = donors["b"].model.model.layers[0].mlp.up_proj.weight

    def writes(*_: Any) -> None:
        with torch.no_grad():
            weight.add_(1e-3)

    given = checked(donors, Stack.of("0 b[1]"))
    donors["b"].model.model.layers[0].register_forward_hook(writes)

    with pytest.raises(BuildError, match=r"donors untouched: .*weights of b"):
        build_checked(given)


@pytest.mark.parametrize("moved", ["0 2 1", "1 0 2"])
def test_a_scale_by_the_number_of_the_layer_cannot_move(moved: str) -> None:
    donor = model("gpt2", scale_attn_by_inverse_layer_idx=True)

    with left(donor), pytest.raises(BuildError, match=r"parts as in their donors: .*layer_1"):
        build(BuildSheet("a", {"a": lift(donor)}, (Stack.of(moved),)))

    assert torch.equal(logits(build(BuildSheet("a", {"a": lift(donor)}, (Stack.of("0:3"),))).model), logits(donor))


def test_nothing_is_left_of_a_build_that_fails() -> None:
    donors = pair("llama")
    a, b = (donor.model for donor in donors.values())
    with torch.no_grad():
        b.model.layers[1].mlp.up_proj.weight[0, 0] = torch.nan
    b_checked = checked({"a": donors["a"], "b": lift(b)}, Swap("ffn_1", Ref("b")))
    config = b_checked.demand().config.to_dict()

    with left(a), pytest.raises(BuildError, match="finite"):
        build_checked(b_checked)

    assert b_checked.demand().config.to_dict() == config
    assert all(parameter.requires_grad for each in (a, b) for parameter in each.parameters())


def test_equal_says_whether_it_is_bit_for_bit() -> None:
    one = torch.ones(1, 2, 3)
    other = one.clone()
    other[0, 1, 2] = 1 + 2**-23

    assert equal("same", one, one.clone()).holds is True
    assert "bit for bit" in equal("same", one, one.clone()).found
    assert equal("same", one, other).holds is True  # some kernels round by where memory lies
    assert "1.2e-07" in equal("same", one, other).found
    assert equal("same", one, one + 1e-3).holds is False


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_prove_nothing_but_equality(dtype: torch.dtype) -> None:
    expected = torch.linspace(-1, 1, 100).to(dtype)

    near, far = (equal("one", expected + off, expected) for off in (0.05, 0.2))

    assert near.holds is None
    assert near.found.startswith(f"not told apart in {str(dtype)[6:]}: ")
    assert far.holds is False
    assert equal("one", expected, expected).holds


def test_proofs_as_an_answer() -> None:
    rows = (Proof("finite", True, "yes"), Proof("b <b>x</b>", False, "no"), Proof("cached", None, "keeps no cache"))

    proofs = Proofs("mine", rows)

    assert not proofs.ok
    assert not proofs
    assert Proofs("mine", rows[::2]).ok
    assert list(proofs.frame().index) == ["finite", "b <b>x</b>", "cached"]
    assert list(proofs.frame()["holds"])[:2] == [True, False]
    assert "not as it should be" in repr(proofs)
    assert "✗ no" in repr(proofs)
    assert "<b>" not in proofs._repr_html_().replace("<b>b", "")


def test_random_numbers_and_grad_mode_stay() -> None:
    donors = pair("gemma3_text")
    random = torch.get_rng_state()

    with torch.no_grad():
        built(donors, Stack.of("0 b[1] 2"))
        assert not torch.is_grad_enabled()

    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), random)
