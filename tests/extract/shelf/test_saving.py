"""A part that was saved comes back as it was: the same answers, bit for bit, and the same words about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from garage_nb.core.sites import leaving
from garage_nb.errors import PartFileError
from garage_nb.extract.part import ExtractedPart
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.extract.shelf.loading import load_part
from garage_nb.extract.shelf.saving import save_part
from garage_nb.extract.trial import given_to
from garage_nb.registry.adapters import Verdict, judge
from garage_nb.registry.models import spec_of
from garage_nb.registry.traits import sorts
from tests.families import saved, tiny

FAMILIES = [
    "gpt2", "llama", "gemma2", "gemma3_text", "mixtral", "phi", "phi3", "bloom", "falcon", "gpt_neox", "opt", "olmoe",
]  # fmt: skip
UNITS = ["attention_1.head_2", "attention_1.heads[0:2,3]"]


def same(part: ExtractedPart, again: ExtractedPart) -> bool:
    given = given_to(part)
    with torch.no_grad():
        return torch.equal(leaving(part(*given)), leaving(again(*given)))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_part_comes_back_as_it_was(family: str, tmp_path: Path) -> None:
    extractor = PyTorchExtractor(tiny(family))
    whole = [name for name in extractor.list_components() if not name.endswith(("_0", "_2")) and "_0_" not in name]
    unit = "ffn_1.expert_1" if family in ("mixtral", "olmoe") else "ffn_1.neurons[2,5:9]"

    for name in (*whole, *UNITS, unit):
        part = extractor.extract_component(name)
        again = load_part(save_part(part, tmp_path))
        assert same(part, again), name
        assert again.description == part.description
        assert repr(again) == repr(part)
        assert list(again.state_dict()) == list(part.state_dict())
        assert not again.training


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", ["attention_1", "layer_1", "attention_1.head_0"])
def test_in_any_dtype(dtype: torch.dtype, name: str, tmp_path: Path) -> None:
    part = PyTorchExtractor(tiny("llama").to(dtype)).extract_component(name)

    again = load_part(save_part(part, tmp_path))

    assert {one.dtype for one in again.parameters()} == {dtype}
    assert same(part, again)


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
def test_the_kernel_of_attention_is_kept(kernel: str, tmp_path: Path) -> None:
    part = PyTorchExtractor(tiny("llama", attn_implementation=kernel)).extract_component("attention_1")

    again = load_part(save_part(part, tmp_path))

    assert again.config._attn_implementation == kernel
    assert same(part, again)


def test_a_part_that_was_trained_on_comes_back_trained(tmp_path: Path) -> None:
    part = PyTorchExtractor(tiny("gpt2")).extract_component("ffn_1")
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.mul_(1.5)

    assert same(part, load_part(save_part(part, tmp_path)))


def test_what_is_saved_again_is_the_same_file(tmp_path: Path) -> None:
    part = PyTorchExtractor(tiny("gemma2")).extract_component("attention_1")
    first = save_part(part, tmp_path / "first")
    second = save_part(load_part(first), tmp_path / "second")

    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in sorted(first.parent.iterdir())] == [p.name for p in sorted(second.parent.iterdir())]


def test_the_card_says_what_a_reader_needs(tmp_path: Path) -> None:
    folder = Path(saved("llama", tmp_path / "my-llama"))
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0  # yes\n---\n# A model\nlicense: mit\n")
    part = PyTorchExtractor(folder, device="cpu").extract_component("attention_1")

    place = save_part(part, tmp_path / "parts")

    card = json.loads(place.read_bytes())["part"]
    tensors = load_file(place.with_name(card["tensors"]["file"]))
    assert place.name == "attention_1.json"
    assert card["tensors"]["file"].startswith("attention_1-")
    assert card["description"]["model_id"] == "my-llama"  # where it lies is nobody else's business
    assert str(tmp_path) not in place.read_text()
    assert (card["licence"], card["revision"], card["model_type"]) == ("apache-2.0", None, "llama")
    assert set(card["made_with"]) == {"garage_nb", "torch", "transformers"}
    assert card["layout"] == {name: ["float32", list(one.shape)] for name, one in tensors.items()}
    assert card["description"]["parameters"] == sum(one.numel() for one in part.parameters())


def test_a_model_that_says_nothing_has_an_unknown_licence(tmp_path: Path) -> None:
    place = save_part(PyTorchExtractor(tiny("gpt2")).extract_component("ffn_1"), tmp_path)

    assert json.loads(place.read_bytes())["part"]["licence"] == "unknown"


def test_tied_weights_are_said_and_come_back(tmp_path: Path) -> None:
    part = PyTorchExtractor(tiny("gpt2")).extract_component("output_head")

    again = load_part(save_part(part, tmp_path))

    assert again.description.tied == "its weight is also that of embedding in the model, but here it is on its own"
    assert same(part, again)


def test_a_loaded_part_can_be_judged_without_its_donor(tmp_path: Path) -> None:
    part = PyTorchExtractor(tiny("llama")).extract_component("attention_1")

    again = load_part(save_part(part, tmp_path))

    own = sorts(again.spec, "attention")[0]
    assert judge(own, sorts(spec_of(tiny("llama", seed=1)), "attention")[0]).verdict is Verdict.AS_IS
    assert judge(own, sorts(spec_of(tiny("llama", hidden_size=48)), "attention")[0]).verdict is Verdict.ADAPTER


def test_groups_of_units_do_not_take_each_others_place(tmp_path: Path) -> None:
    extractor = PyTorchExtractor(tiny("llama"))

    places = {save_part(extractor.extract_component(f"ffn_1.neurons[{which}]"), tmp_path) for which in ("0:3", "1:4")}

    assert len(places) == 2
    assert {load_part(place).description.name for place in places} == {"ffn_1.neurons[0:3]", "ffn_1.neurons[1:4]"}


def test_saving_over_a_part_leaves_no_old_tensors(tmp_path: Path) -> None:
    save_part(PyTorchExtractor(tiny("llama")).extract_component("ffn_1"), tmp_path)
    part = PyTorchExtractor(tiny("llama", seed=1)).extract_component("ffn_1")

    place = save_part(part, tmp_path)

    assert len(list(tmp_path.iterdir())) == 2
    assert same(part, load_part(place))


class Own(nn.Module):
    """A model of one's own, in the shape of a language model."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(16, 8), nn.Linear(8, 16)
        self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(3)])

    def forward(self, input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
        hidden = self.table(input_ids)
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(hidden)


def test_parts_of_a_model_of_ones_own_run_but_are_not_saved(tmp_path: Path) -> None:
    part = PyTorchExtractor(Own().eval()).extract_component("embedding")
    assert part(torch.tensor([[1, 2]])).shape == (1, 2, 8)

    with pytest.raises(PartFileError, match=r"embedding cannot be saved: Own is no model class of transformers"):
        save_part(part, tmp_path / "parts")
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_its_config_does_not_make_is_not_saved(tmp_path: Path) -> None:
    model = tiny("llama")
    for layer in model.model.layers:
        layer.mlp.act_fn = nn.GELU()
    part = PyTorchExtractor(model).extract_component("ffn_1")

    with pytest.raises(PartFileError, match="it gives something else"):
        save_part(part, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_part_with_another_module_in_it_is_not_saved(tmp_path: Path) -> None:
    model = tiny("llama")
    for layer in model.model.layers:
        layer.mlp.down_proj = nn.Sequential(layer.mlp.down_proj, nn.Linear(32, 32))
    part = PyTorchExtractor(model).extract_component("ffn_1")

    with pytest.raises(PartFileError, match="its tensors are not those of such a part"):
        save_part(part, tmp_path)
    assert list(tmp_path.iterdir()) == []
