"""Adapters among other grafts: what comes later at their place takes it whole, or is refused; none is lost unsaid."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Graft, Merge, Stack, Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.stitching.stitched import guests
from garage_nb.errors import BuildError
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.registry.lift import lift
from tests.compose.bench import logits
from tests.compose.stitching.by_hand import guest, narrow_llama, of_two
from tests.families import tiny


@cache
def donors() -> dict[str, Any]:
    """`b` goes into weights, `g` stands apart, `c` is as the base is."""
    more = {"g": lift(guest("gpt2")), "c": lift(tiny("llama", seed=4))}
    parts = {"wide": PyTorchExtractor(narrow_llama()).extract_component("ffn_1"),
             "part": PyTorchExtractor(tiny("llama", seed=9)).extract_component("ffn_1")}  # fmt: skip
    return {**of_two("llama", narrow_llama()), **more, **parts}


def made(*grafts: Graft) -> Any:
    return build(BuildSheet("a", donors(), grafts)).model


def joined(at: str, source: str) -> Swap:
    return Swap(at, Ref(source), "untrained")


HALF = blend_of("--method linear --weight 0.5,0.5")


@pytest.mark.parametrize("joins", ["b", "g"])
def test_a_layer_that_comes_later_takes_the_place_of_all_in_it(joins: str) -> None:
    layer = Swap("layer_1", Ref("c"))

    found = made(joined("ffn_1", joins), layer)

    assert torch.equal(logits(found), logits(made(layer)))
    assert not guests(found)


@pytest.mark.parametrize("joins", ["b", "g"])
def test_so_does_a_guest_that_is_a_layer(joins: str) -> None:
    layer = joined("layer_1", "g")

    found = made(joined("ffn_1", joins), layer)

    assert torch.equal(logits(found), logits(made(layer)))
    assert list(guests(found)) == ["model.layers.1"]


def test_what_became_weights_is_blended_like_any() -> None:
    into, of_c = made(joined("ffn_1", "b")), donors()["c"].model

    found = made(joined("ffn_1", "b"), Merge("ffn_1", (Ref("c"),), HALF))

    for name in ("gate", "up", "down"):
        home = f"model.layers.1.mlp.{name}_proj.weight"
        expected = (into.get_parameter(home).double() + of_c.get_parameter(home).double()) / 2
        torch.testing.assert_close(found.get_parameter(home).double(), expected, rtol=0, atol=1e-7)


def test_grafts_elsewhere_leave_it() -> None:
    alone, merge = made(joined("ffn_1", "g")), Merge("ffn_2", (Ref("c"),), HALF)

    found = made(joined("ffn_1", "g"), merge)

    theirs, ours = (next(iter(guests(each).values())).state_dict() for each in (alone, found))
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    assert torch.equal(found.model.layers[2].mlp.up_proj.weight, made(merge).model.layers[2].mlp.up_proj.weight)


REFUSED: dict[str, tuple[tuple[Graft, ...], str]] = {
    "a half in a layer that is a guest": ((joined("layer_1", "g"), Swap("ffn_1", Ref("c"))), "inside a guest"),
    "a guest in a guest": ((joined("layer_1", "g"), joined("ffn_1", "g")), "inside a guest"),
    "two at one place": ((joined("ffn_1", "b"), joined("ffn_1", "g")), "ffn_1 of b stands with adapters at ffn_1"),
    "two at one place, apart": ((joined("ffn_1", "g"), joined("ffn_1", "b")), "ffn_1 of g stands with adapters"),
    "a guest has no weights to merge": (
        (joined("ffn_1", "g"), Merge("ffn_1", (Ref("c"),), HALF)),
        "no weights to merge",
    ),
    "a stack would lose what became weights": ((joined("ffn_1", "b"), Stack.of("0 1 1")), "Stack first"),
    "a stack would lose a guest": ((joined("ffn_1", "g"), Stack.of("0 1 1")), "Stack first"),
    "a part without its model": ((joined("ffn_1", "wide"),), "wide is a part, not a whole model"),
    "in the place of a part without its model": ((Swap("ffn_1", Ref("part")), joined("ffn_1", "g")), "part is a part"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_lost_or_unclear_is_refused_before_it_is_built(case: str) -> None:
    grafts, said = REFUSED[case]
    sheet = BuildSheet("a", donors(), grafts)

    assert [finding.verdict for finding in check(sheet).findings][len(grafts) - 1] == "refused"
    with pytest.raises(BuildError, match=said) as caught:
        build(sheet)
    assert str(caught.value).count("\n") == 1
