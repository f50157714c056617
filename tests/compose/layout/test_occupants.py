"""Whose part stands at a place: with a whole layer come its halves, its norms, and what is inside these."""

from __future__ import annotations

import re

import pytest
import torch

from garage_nb.compose.graft import Swap
from garage_nb.compose.layout.layout import Layout
from garage_nb.compose.ref import Ref
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.registry.lift import lift
from tests.compose.bench import EVERY, built, checked, logits, model, naive_swap, pair


def swap(at: str, source: str) -> Swap:
    return Swap(at, Ref.of(source))


def standing(layout: Layout, layer: int) -> dict[str, str]:
    """By places in a layer, the part that stands there."""
    inside = layout.spec.get_full_layer(layer).module_path
    return {name: str(layout.occupants[name]) for name, part in layout.spec.parts.items()
            if part.module_path.startswith(inside)}  # fmt: skip


@pytest.mark.parametrize("family", EVERY)
def test_a_layer_brings_all_that_is_in_it(family: str) -> None:
    """`layer_1` from `layer_3` of the other, or the nearest that sees as far."""
    donors = pair(family)
    theirs = next(layer for layer in (3, 2, 1) if checked(donors, swap("layer_1", f"b[{layer}]")).ok)

    layout = checked(donors, swap("layer_1", f"b[{theirs}]")).demand()

    found = standing(layout, 1)
    assert len(found) > 2
    assert found == {name: f"{re.sub('_1(?=_|$)', f'_{theirs}', name)} of b" for name in found}
    assert set(map(str, layout.occupants.values())).isdisjoint(f"{name} of a" for name in found)
    assert all(who.endswith(" of a") for who in standing(layout, 0).values())


def test_a_later_refusal_names_what_stands_there() -> None:
    donors = {**pair("llama"), "c": lift(model("llama", seed=2, num_key_value_heads=4))}

    found = checked(donors, swap("layer_1", "b[layer_3]"), swap("attention_1", "c"))

    assert "in the place of attention_3 of b" in found.findings[1].reason


def test_the_other_half_of_a_layer_is_proved_as_that_of_its_donor() -> None:
    donors = {**pair("llama"), "c": lift(model("llama", seed=2))}

    hybrid = built(donors, swap("layer_1", "b[layer_3]"), swap("attention_1", "c[attention_0]"))

    (proof,) = (row for row in hybrid.proofs.rows if row.claim == "parts as in their donors")
    assert proof.found.startswith("all 4 give")  # two layers, and two halves of two donors
    home, b, c = "model.layers", donors["b"].model, donors["c"].model
    expected = naive_swap(donors["a"].model, (f"{home}.1", b, f"{home}.3"),
                          (f"{home}.1.self_attn", c, f"{home}.0.self_attn"))  # fmt: skip
    assert torch.equal(logits(hybrid.model), logits(expected))


def test_a_part_from_a_shelf_brings_what_is_in_it() -> None:
    donors = pair("mixtral")
    part = PyTorchExtractor(donors["b"].model).extract_component("layer_3")

    layout = checked({"a": donors["a"], "p": part}, swap("layer_1", "p")).demand()

    assert standing(layout, 1)["gate_1"] == "gate_3 of p"
