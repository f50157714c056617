"""Parts that were taken out as donors: put back, they make the model that they came from, bit for bit."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Merge, Stack, Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.layout.layout import names_inside
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import BuildError, PartFileError, UnknownPartError
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.extract.shelf.saving import save_part
from garage_nb.registry.lift import Lifted, lift
from tests.compose.bench import EVERY, logits, model, naive_swap, pair
from tests.compose.layout.test_refusals import untouched
from tests.compose.stitching.by_hand import guest, narrow_llama
from tests.families import tiny

HALVES = ("attention", "ffn")
ON_THE_SHELF = ["gpt2", "llama", "mixtral", "gemma3_text", "bloom", "opt"]  # OPT's ffn is two modules of its block


def redrawn(of: Any, donor: Lifted, names: list[str]) -> Any:
    """A copy with other weights where the parts come."""
    made = copy.deepcopy(of)
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        weights = dict(made.named_parameters())
        for name in names:
            for inner, inside in names_inside(donor.spec.part(name), weights):
                if "layer_norm" not in inner:  # OPT's: a part by itself
                    weights[inside].copy_(0.1 * torch.randn(weights[inside].shape, generator=drawn))
    return made


def halves(donor: Lifted) -> list[str]:
    return [f"{half}_{layer}" for layer in range(donor.spec.num_layers) for half in HALVES]


@pytest.mark.parametrize("family", EVERY)
def test_rebuilt_from_all_its_halves_it_is_the_same_bit_for_bit(family: str) -> None:
    of = lift(model(family, 2))
    names, extractor = halves(of), PyTorchExtractor(of.model)
    base = redrawn(of.model, of, names)
    donors: dict[str, Any] = {"a": lift(base)} | {name: extractor.extract_component(name) for name in names}
    assert not torch.equal(logits(base), logits(of.model))

    with untouched(of.model, base):
        hybrid = build(BuildSheet("a", donors, tuple(Swap(name, Ref(name)) for name in names)))

    assert torch.equal(logits(hybrid.model), logits(of.model))
    after = hybrid.model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in of.model.state_dict().items())
    assert hybrid.proofs.ok


@pytest.mark.parametrize("family", ON_THE_SHELF)
def test_from_part_files_by_a_sheet_of_words(family: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    of = lift(model(family, 2))
    names, extractor = halves(of), PyTorchExtractor(of.model)
    files = {name: str(save_part(extractor.extract_component(name), tmp_path / "parts")) for name in names}
    base = redrawn(of.model, of, names)

    hybrid = build(BuildSheet("a", {"a": lift(base), **files}, tuple(Swap(name, Ref(name)) for name in names)))

    assert torch.equal(logits(hybrid.model), logits(of.model))
    again = AutoModelForCausalLM.from_pretrained(hybrid.save_pretrained(tmp_path / "hybrid"), local_files_only=True)
    assert torch.equal(logits(again.eval()), logits(of.model))


def test_a_part_of_another_model_at_another_depth() -> None:
    donors = pair("llama")
    part = PyTorchExtractor(donors["b"].model).extract_component("attention_3")

    hybrid = build(BuildSheet("a", {"a": donors["a"], "part": part}, (Swap("attention_1", Ref("part")),)))

    home = "model.layers.{}.self_attn"
    expected = naive_swap(donors["a"].model, (home.format(1), donors["b"].model, home.format(3)))
    assert torch.equal(logits(hybrid.model), logits(expected))
    mine = hybrid.model.model.layers[1].self_attn.q_proj.weight
    assert mine.data_ptr() == part.module.q_proj.weight.data_ptr()
    assert not mine.requires_grad


def test_a_part_is_blended_like_a_model() -> None:
    donors = pair("llama")
    part = PyTorchExtractor(donors["b"].model).extract_component("ffn_2")
    blend = blend_of("--method linear --weight 0.5")

    hybrid = build(BuildSheet("a", {"a": donors["a"], "part": part}, (Merge("ffn_1", (Ref("part"),), blend),)))

    expected = build(BuildSheet("a", donors, (Merge("ffn_1", (Ref("b", "ffn_2"),), blend),)))
    assert torch.equal(logits(hybrid.model), logits(expected.model))


@pytest.mark.parametrize(
    ("graft", "taken", "said"),
    [
        (Swap("ffn_1", Ref("part")), "attention_1", "attention_1 of part is no ffn, as ffn_1 of a is"),
        (Swap("ffn_1", Ref("part", "ffn_0")), "ffn_1", "ffn_0"),
        (Swap("ffn_1", Ref("part")), "ffn_1.neurons[0:4]", "neurons"),
        (Stack((Ref("", "0"), Ref("part", "1"))), "ffn_1", "part"),
    ],
)
def test_what_a_part_is_not(graft: Any, taken: str, said: str) -> None:
    donor = lift(tiny("llama"))
    part = PyTorchExtractor(tiny("llama", seed=1)).extract_component(taken)
    sheet = BuildSheet("a", {"a": donor, "part": part}, (graft,))

    with untouched(donor.model), pytest.raises((BuildError, UnknownPartError), match=said) as caught:
        build(sheet)

    assert str(caught.value).count("\n") == 1


def test_a_part_of_another_width_is_refused_naming_both() -> None:
    part = PyTorchExtractor(narrow_llama()).extract_component("ffn_1")

    found = check(BuildSheet("a", {"a": lift(tiny("llama")), "part": part}, (Swap("ffn_1", Ref("part")),)))

    assert found.findings[0].verdict == "refused"
    assert "ffn_1 of part does not fit in the place of ffn_1 of a: width 48 and 32" in found.findings[0].reason


@pytest.mark.parametrize("damage", ["gone", "cut short", "a bit", "card"])
def test_a_damaged_part_file_is_refused(damage: str, tmp_path: Path) -> None:
    donor = lift(tiny("llama"))
    card = save_part(PyTorchExtractor(guest("gpt2")).extract_component("ffn_1"), tmp_path)
    (tensors,) = tmp_path.glob("*.safetensors")
    data = tensors.read_bytes()
    if damage == "gone":
        tensors.unlink()
    elif damage == "card":
        card.write_text(card.read_text().replace('"ffn_1"', '"ffn_2"'))
    else:
        tensors.write_bytes(data[:-100] if damage == "cut short" else data[:-1] + bytes([data[-1] ^ 1]))

    with untouched(donor.model), pytest.raises(PartFileError) as caught:
        build(BuildSheet("a", {"a": donor, "part": str(card)}, (Swap("ffn_1", Ref("part"), "untrained"),)))

    assert str(caught.value).count("\n") == 1
