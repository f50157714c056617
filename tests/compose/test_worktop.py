"""The worktop: what moves make of a sheet, what would fit where, and code that makes the same sheet."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Merge, Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.layout.donors import Donor, opened
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.worktop.code import as_python
from garage_nb.compose.worktop.joints import Joint, joined, joints
from garage_nb.compose.worktop.offers import ADAPTER, offers
from garage_nb.compose.worktop.origins import Origin, origins
from garage_nb.compose.worktop.stacking import blocks_of
from garage_nb.compose.worktop.worktop import Worktop, laid
from garage_nb.errors import BuildError, UnknownPartError
from tests.families import prompt, tiny

LAYERS = 4
Donors = dict[str, Donor]


def bench(base: Any, **donors: Any) -> Donors:
    return {"": opened("base", base), **{name: opened(name, model) for name, model in donors.items()}}


@pytest.fixture(scope="module")
def llamas() -> Donors:
    return bench(tiny("llama", LAYERS), b=tiny("llama", LAYERS, seed=1), g=tiny("gpt2", LAYERS))


def with_tokenizer(donor: Donor) -> Donor:
    """As one that reads the tokens that the others read."""
    extra = {**donor.spec.extra_info, "tokenizer": {"digest": "same", "size": 1, "sketch": ""}}
    return replace(donor, spec=replace(donor.spec, extra_info=extra))


def sheet(top: Worktop, donors: Donors) -> BuildSheet:
    return BuildSheet("base", {"base": donors[""], **donors}, top.grafts)


def said(top: Worktop) -> list[str]:
    return [str(graft) for graft in top.grafts]


def dropped(donors: Donors, *moves: tuple[str, str, str]) -> Worktop:
    top = Worktop()
    for donor, part, at in moves:
        top = top.dropped(Ref(donor, part), at, donors)
    return top


def happens(top: Worktop, part: Ref, place: str, donors: Donors) -> tuple[str, str]:
    """What a drop comes to, said as an offer says it."""
    try:
        top.dropped(part, place, donors)
    except BuildError as error:
        return "refused", f"refused: {error.what} {error.hint}"
    return "fits", "fits"


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2", "gpt_neox"])
def test_a_part_that_is_dropped_is_the_donors_and_the_rest_the_bases(family: str) -> None:
    base, other = tiny(family, LAYERS), tiny(family, LAYERS, seed=1)
    donors = bench(base, b=other)
    top = dropped(donors, ("b", "attention_3", "attention_1"), ("b", "ffn_0", "ffn_2"))

    made = build(sheet(top, donors)).model.state_dict()

    spec, mine, theirs = donors[""].spec, base.state_dict(), other.state_dict()
    moved = {spec.part(at).module_path: spec.part(part).module_path
             for at, part in (("attention_1", "attention_3"), ("ffn_2", "ffn_0"))}  # fmt: skip
    for name, weight in made.items():
        home = next((path for path in moved if name.startswith(f"{path}.")), None)
        expected = mine[name] if home is None else theirs[moved[home] + name[len(home) :]]
        assert torch.equal(weight, expected), name


def test_a_layer_between_two_renumbers_what_stands_above_it(llamas: Donors) -> None:
    top = dropped(
        llamas, ("b", "attention_3", "attention_0"), ("b", "attention_3", "attention_2"), ("b", "layer_1", "gap_1")
    )

    assert said(top) == ["stack 0 b[1] 1:4", "swap attention_0 b[attention_3]", "swap attention_3 b[attention_3]"]
    assert check(sheet(top, llamas)).ok


def test_a_layer_of_the_result_is_repeated_with_what_was_swapped_in_it(llamas: Donors) -> None:
    top = dropped(llamas, ("b", "attention_3", "attention_2"), ("", "layer_2", "gap_4"))

    assert said(top) == ["stack 0:4 2", "swap attention_2 b[attention_3]", "swap attention_4 b[attention_3]"]
    made = build(sheet(top, llamas)).model
    layers = made.model.layers
    assert all(torch.equal(a, b) for a, b in zip(layers[2].parameters(), layers[4].parameters(), strict=True))


def test_a_layer_is_taken_out_with_what_was_swapped_in_it(llamas: Donors) -> None:
    top = dropped(llamas, ("b", "attention_3", "attention_2"), ("b", "ffn_0", "ffn_3")).without_layer(2, llamas)

    assert said(top) == ["stack 0:2 3", "swap ffn_2 b[ffn_0]"]


def test_without_the_stack_swaps_go_home_with_their_layers(llamas: Donors) -> None:
    top = dropped(llamas, ("b", "layer_1", "gap_1"), ("b", "attention_0", "attention_1"), ("b", "ffn_0", "ffn_4"))

    assert said(top.without(0, llamas)) == ["swap ffn_3 b[ffn_0]"]


def test_the_bases_own_order_needs_no_stack(llamas: Donors) -> None:
    top = dropped(llamas, ("b", "layer_1", "gap_0")).without_layer(0, llamas)

    assert top.grafts == ()


@pytest.mark.parametrize("seed", range(5))
def test_random_moves_do_what_the_same_moves_of_a_list_do(llamas: Donors, seed: int) -> None:
    """The oracle: blocks as a plain list of (donor, layer, whose attention), moved about by hand."""
    chance, top = random.Random(seed), Worktop()
    naive: list[tuple[str, int, Any]] = [("", layer, None) for layer in range(LAYERS)]
    seen = [top]
    for _ in range(12):
        place, layer = chance.randrange(len(naive) + 1), chance.randrange(LAYERS)
        kind = chance.choice(["insert", "repeat", "remove", "swap"])
        if kind == "insert":
            top = top.dropped(Ref("b", f"layer_{layer}"), f"gap_{place}", llamas)
            naive.insert(place, ("b", layer, None))
        elif kind == "repeat":
            old = chance.randrange(len(naive))
            top = top.dropped(Ref("", f"layer_{old}"), f"gap_{place}", llamas)
            naive.insert(place, naive[old])
        elif kind == "remove" and len(naive) > 1:
            old = chance.randrange(len(naive))
            top = top.without_layer(old, llamas)
            del naive[old]
        elif kind == "swap":
            at = chance.randrange(len(naive))
            top = top.dropped(Ref("b", f"attention_{layer}"), f"attention_{at}", llamas)
            naive[at] = (*naive[at][:2], layer)
        seen.append(top)

    assert blocks_of(top.grafts, llamas) == [block[:2] for block in naive]
    made = build(sheet(top, llamas)).model
    for block, (donor, layer, swapped) in zip(made.model.layers, naive, strict=True):
        own = llamas[donor].model.model.layers[layer]
        attention = own.self_attn if swapped is None else llamas["b"].model.model.layers[swapped].self_attn
        assert torch.equal(block.mlp.up_proj.weight, own.mlp.up_proj.weight)
        assert torch.equal(block.self_attn.q_proj.weight, attention.q_proj.weight)
    for step in reversed([one for i, one in enumerate(seen[:-1]) if one.grafts != seen[i + 1].grafts]):
        top = top.undo()
        assert top.grafts == step.grafts


def test_a_donor_goes_with_every_step_that_names_it(llamas: Donors) -> None:
    top = dropped(llamas, ("b", "attention_3", "attention_1"), ("b", "layer_0", "gap_0")).without_layer(0, llamas)
    with pytest.raises(BuildError, match=r"b is still needed: swap attention_1 b\[attention_3\]"):
        top.without_donor("b")

    bare = top.without(0, llamas).without_donor("b")

    assert bare == Worktop()
    assert top.without_donor("g") == top
    assert top.undo().undo().undo().without_donor("b").future == ()


def test_what_was_there_goes_when_another_takes_its_place(llamas: Donors) -> None:
    twice = dropped(llamas, ("b", "attention_3", "attention_1"), ("b", "attention_0", "attention_1"))
    whole = dropped(llamas, ("b", "attention_3", "attention_1"), ("b", "layer_2", "layer_1"))
    inside = whole.dropped(Ref("b", "ffn_0"), "ffn_1", llamas)

    assert said(twice) == ["swap attention_1 b[attention_0]"]
    assert said(whole) == ["swap layer_1 b[layer_2]"]
    assert said(inside) == ["swap layer_1 b[layer_2]", "swap ffn_1 b[ffn_0]"]


def test_undo_and_redo_are_steps(llamas: Donors) -> None:
    top = dropped(llamas, ("b", "attention_3", "attention_1"), ("b", "ffn_0", "ffn_2"))

    assert top.undo().undo().grafts == ()
    assert top.undo().redo() == top
    with pytest.raises(BuildError, match="nothing to undo"):
        Worktop().undo()
    with pytest.raises(BuildError, match="nothing to redo"):
        top.redo()


def test_a_refused_drop_names_both_sides(llamas: Donors) -> None:
    for part, at in (("attention_1", "attention_2"), ("layer_1", "gap_2"), ("layer_1", "layer_2")):
        with pytest.raises(BuildError, match=rf"{part} of g does not fit .*base") as caught:
            Worktop().dropped(Ref("g", part), at, llamas)
        assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("donor", "part", "at", "kind", "words"),
    [
        ("b", "attention_1", "ffn_1", BuildError, "is no ffn"),
        ("b", "attention_1", "gap_1", BuildError, "is no whole layer"),
        ("b", "layer_1", "gap_9", BuildError, "There is no gap_9"),
        ("", "attention_1", "attention_2", BuildError, "between layers only"),
        ("x", "attention_1", "attention_2", BuildError, "There is no donor 'x'"),
        ("b", "attention_9", "attention_2", UnknownPartError, "attention_9"),
        ("b", "attention_1", "attention_9", UnknownPartError, "attention_9"),
    ],
)
def test_what_cannot_be_dropped_is_refused(
    llamas: Donors, donor: str, part: str, at: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        Worktop().dropped(Ref(donor, part), at, llamas)


def test_the_last_layer_stays_and_numbers_are_counted(llamas: Donors) -> None:
    top = Worktop()
    for _ in range(LAYERS - 1):
        top = top.without_layer(0, llamas)
    with pytest.raises(BuildError, match="only layer"):
        top.without_layer(0, llamas)
    for number in (-1, 7):
        with pytest.raises(BuildError, match="no layer_"):
            top.without_layer(number, llamas)
        with pytest.raises(BuildError, match="no graft number"):
            top.without(number, llamas)


def test_a_selector_is_not_moved_in_silence(llamas: Donors) -> None:
    top = Worktop((Swap("attention_*", Ref("b")),))

    with pytest.raises(BuildError, match="by a selector"):
        top.dropped(Ref("b", "layer_1"), "gap_1", llamas)


def test_a_place_taken_from_the_same_place_keeps_its_source_when_it_moves(llamas: Donors) -> None:
    top = Worktop((Swap("attention_-1", Ref("b")), Merge("ffn_2", (Ref("b"),), blend_of("--method slerp --t 0.5"))))

    moved = top.dropped(Ref("b", "layer_1"), "gap_0", llamas)

    assert said(moved)[:2] == ["stack b[1] 0:4", "swap attention_4 b[attention_-1]"]
    assert said(moved)[2].startswith("merge ffn_3 b[ffn_2] ")


def test_offers_say_what_drops_do(llamas: Donors) -> None:
    """For every part of every donor and every place of its kind, the verdict is what happens."""
    top = dropped(llamas, ("b", "layer_2", "gap_1"))
    for donor in ("b", "g"):
        for part in ("attention_1", "ffn_2", "layer_0", "embedding", "output_head"):
            if part not in llamas[donor].spec.parts:
                continue
            for offer in offers(top, Ref(donor, part), llamas):
                assert happens(top, Ref(donor, part), offer.place, llamas) == (offer.verdict, offer.words), offer


def test_offers_are_for_places_of_the_kind_and_gaps_for_layers(llamas: Donors) -> None:
    attention = [offer.place for offer in offers(Worktop(), Ref("b", "attention_1"), llamas)]
    layer = [offer.place for offer in offers(Worktop(), Ref("b", "layer_1"), llamas)]
    own = [offer.place for offer in offers(Worktop(), Ref("", "layer_1"), llamas)]

    assert attention == [f"attention_{i}" for i in range(LAYERS)]
    assert layer == [f"layer_{i}" for i in range(LAYERS)] + [f"gap_{i}" for i in range(LAYERS + 1)]
    assert own == [f"gap_{i}" for i in range(LAYERS + 1)]
    with pytest.raises(BuildError, match="no donor 'x'"):
        offers(Worktop(), Ref("x", "layer_1"), llamas)


def test_a_part_of_another_width_comes_with_an_adapter_where_that_becomes_weights() -> None:
    wide = tiny("llama", LAYERS, hidden_size=48, head_dim=8)
    donors = bench(tiny("llama", LAYERS, head_dim=8), b=wide)

    found = offers(Worktop(), Ref("b", "ffn_1"), donors)
    top = dropped(donors, ("b", "ffn_1", "ffn_2"))

    assert {offer.verdict for offer in found} == {ADAPTER}
    assert found[0].words == "fits with an adapter: linear maps between 48 and 32, untrained"
    assert said(top) == ["swap ffn_2 b[ffn_1] --adapter untrained"]
    assert build(sheet(top, donors)).proofs.ok


def test_a_swap_of_plain_weights_can_be_joined_in_every_way(llamas: Donors) -> None:
    readable = {name: with_tokenizer(donor) for name, donor in llamas.items()}
    top = dropped(
        readable, ("b", "attention_3", "attention_1"), ("b", "embedding", "embedding"), ("b", "layer_1", "gap_0")
    )

    found = joints(top.grafts, readable)
    fitted = joined(top, 1, "fit", readable)

    assert found == [None, Joint("none", ("none", "fit", "untrained")), None]
    assert said(fitted)[1] == "swap attention_2 b[attention_3] --adapter fit"
    assert fitted.undo().grafts == top.grafts
    assert origins(laid(fitted.grafts, readable))["attention_2"] == Origin("adapted attention_3 of b", True)
    assert not origins(laid(fitted.grafts, readable))["layer_2"].changed


def test_where_tokens_differ_none_is_fitted_and_where_widths_do_one_there_is(llamas: Donors) -> None:
    wide = bench(tiny("llama", LAYERS, head_dim=8), b=tiny("llama", LAYERS, hidden_size=48, head_dim=8))
    top = dropped(wide, ("b", "ffn_1", "ffn_2"))

    assert joints(top.grafts, wide) == [Joint("untrained", ("untrained",), "b and base do not read the same tokens.")]
    with pytest.raises(BuildError, match="cannot be joined by 'fit'") as caught:
        joined(top, 0, "fit", wide)
    assert caught.value.hint == "b and base do not read the same tokens."
    for number in (-1, 1):
        with pytest.raises(BuildError, match="takes no adapter"):
            joined(top, number, "fit", wide)


def test_a_guest_apart_stays_one_and_nobody_else_is_made_one(llamas: Donors) -> None:
    apart = Worktop((Swap("ffn_1", Ref("g"), "untrained"), Swap("layer_2", Ref("b"))))

    found = joints(apart.grafts, llamas)

    assert found == [Joint("untrained", ("untrained",), "g and base do not read the same tokens."), None]


def test_origins_say_whose_each_place_is(llamas: Donors) -> None:
    top = dropped(llamas, ("b", "attention_3", "attention_1"), ("b", "layer_2", "gap_0"), ("", "layer_1", "gap_5"))
    found = origins(laid(top.grafts, llamas))

    assert found["layer_0"].words == found["attention_0"].words.replace("attention", "layer") == "layer_2 of b"
    assert found["attention_2"].words == "attention_3 of b"
    assert found["ffn_2"].words == "ffn_1 of base"
    changed = {place for place, origin in found.items() if origin.changed and "norm" not in place}
    assert changed == {"layer_0", "attention_0", "ffn_0", "attention_2", "layer_5", "attention_5", "ffn_5"}
    merged = Worktop((Merge("ffn_2", (Ref("b"),), blend_of("--method slerp --t 0.5")),))
    assert origins(laid(merged.grafts, llamas))["ffn_2"].words == "blended"


def test_the_code_makes_the_sheet_and_builds_it(llamas: Donors, monkeypatch: pytest.MonkeyPatch) -> None:
    top = dropped(llamas, ("b", "layer_1", "gap_1"), ("b", "attention_3", "attention_0"))
    grafts = (*top.grafts, Merge("ffn_2", (Ref("b", "ffn_1"),), blend_of("--method slerp --t 0.25")))
    donors = {"base": llamas[""], "b": llamas["b"]}
    code = as_python(BuildSheet("base", donors, grafts, "mine"))

    names: dict[str, Any] = dict(donors)
    exec(code, names)  # noqa: S102 - our own lines are what is tested

    assert names["sheet"] == BuildSheet("base", donors, grafts, "mine")
    with torch.no_grad():
        expected = build(BuildSheet("base", donors, grafts)).model(prompt()).logits
        assert torch.equal(names["hybrid"].model(prompt()).logits, expected)


def test_the_parts_of_the_result_come_from_the_input_to_the_output(llamas: Donors) -> None:
    top = dropped(llamas, ("b", "layer_1", "gap_1"))
    names = list(laid(top.grafts, llamas).spec.parts)

    assert names[0] == "embedding"
    assert names[-1] == "output_head"
    assert names.index("layer_norm_final") > names.index(f"layer_{LAYERS}")
