"""What the catalogue says of a model is what the model is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from garage_nb.core.family import ModelFamily
from garage_nb.core.units import Columns
from garage_nb.errors import UnknownPartError, UnsupportedModelError
from garage_nb.registry.decompose import ModelDecomposer, decomposer_for, spec_of
from garage_nb.registry.specs import PartType
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import FAMILIES, HEAD_DIM, HEADS, HIDDEN, NEURONS, POSITIONS, VOCAB, prompt, tiny

FAMILY_OF = {
    "gpt2": "gpt2", "llama": "llama", "mistral": "mistral", "mixtral": "mixtral", "qwen2": "qwen", "qwen3": "qwen",
    "gemma": "gemma", "gemma2": "gemma", "gemma3_text": "gemma", "phi": "phi", "phi3": "phi",
}  # fmt: skip


@pytest.mark.parametrize("model_type", FAMILIES)
def test_numbers_of_the_model(model_type: str) -> None:
    spec = spec_of(tiny(model_type))

    assert spec.family is ModelFamily(FAMILY_OF[model_type])
    assert (spec.num_layers, spec.hidden_dim, spec.num_heads) == (3, HIDDEN, HEADS)
    assert (spec.vocab_size, spec.max_seq_len) == (VOCAB, POSITIONS)


def test_dims_of_parts_are_those_of_the_tensors(any_model: Any) -> None:
    spec = spec_of(any_model)

    snapshots = SnapshotCapture(any_model).run(prompt(), layers=list(spec.parts))

    assert {name: snapshots[name].shape[-1] for name in spec.parts} == {
        name: part.output_dim for name, part in spec.parts.items()
    }


def test_heads_and_neurons_are_those_of_the_tensors(any_model: Any) -> None:
    spec = spec_of(any_model)
    ffn = spec.get_ffn(0)

    heads = SnapshotCapture(any_model).run(prompt(), layers="attention_0.heads")

    assert spec.get_attention(0).head_dim == HEAD_DIM
    assert heads["attention_0.heads"].shape == (1, prompt().shape[1], HEADS * HEAD_DIM)
    if ffn.intermediate_dim is not None:
        neurons = SnapshotCapture(any_model).run(prompt(), layers="ffn_0.neurons")
        assert neurons["ffn_0.neurons"].shape[-1] == ffn.intermediate_dim
        assert ffn.intermediate_dim == (4 * HIDDEN if spec.family is ModelFamily.GPT2 else NEURONS)


def test_lists_run_from_input_to_output(llama: Any) -> None:
    spec = spec_of(llama)

    assert [part.layer_idx for part in spec.all_attention_parts()] == [0, 1, 2]
    assert [part.layer_idx for part in spec.all_ffn_parts()] == [0, 1, 2]
    names = list(spec.parts)
    assert (names[0], names[-1]) == ("embedding", "output_head")
    assert spec.get_full_layer(-1).module_path == "model.layers.2"
    assert spec.part("ffn_1.neurons") is spec.get_ffn(1)


def test_a_layer_out_of_range_is_refused(llama: Any) -> None:
    with pytest.raises(UnknownPartError, match="attention_3"):
        spec_of(llama).get_attention(3)
    with pytest.raises(UnknownPartError, match="not a catalogued part"):
        spec_of(llama).part("model.layers.0.mlp.up_proj")


def test_neurons_of_fused_experts_cannot_be_read() -> None:
    with pytest.raises(UnknownPartError, match=r"ffn_0\.neurons"):
        spec_of(tiny("mixtral")).name("ffn_0.neurons")


def test_columns_of_a_head_and_of_a_neuron(llama: Any) -> None:
    spec = spec_of(llama)

    assert spec.site("attention_0.head_2").unit == Columns(16, 24)
    assert spec.site("ffn_0.neuron_-1").unit == Columns(63, 64)
    assert spec.site("attention_0.heads").unit is None
    assert spec.site("layer_0").unit is None


def test_a_model_with_other_layers_is_counted_as_it_is() -> None:
    assert spec_of(tiny("llama", layers=1)).select("all") == ["layer_0"]


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_a_model_without_a_head_has_all_other_parts(model_type: str) -> None:
    model = tiny(model_type)

    parts = list(spec_of(model.base_model).parts)

    assert [*parts, "output_head"] == list(spec_of(model).parts)


def test_a_module_that_reads_no_tokens_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="Linear has no table of token embeddings"):
        spec_of(nn.Linear(2, 2))


def test_a_decomposer_can_be_taught(monkeypatch: pytest.MonkeyPatch, llama: Any) -> None:
    from garage_nb.registry import decompose

    class Odd(nn.Module):
        config = llama.config

    class OddDecomposer(ModelDecomposer):
        def detect(self, model: Any) -> bool:
            return isinstance(model, Odd)

        def decompose(self, model: Any, model_id: str) -> Any:
            return spec_of(llama)

    monkeypatch.setattr(decompose, "_DECOMPOSERS", list(decompose._DECOMPOSERS))
    decompose.teach(OddDecomposer())

    assert isinstance(decomposer_for(Odd()), OddDecomposer)
    assert not isinstance(decomposer_for(llama), OddDecomposer)
    assert spec_of(Odd()) == spec_of(llama)


def test_looking_changes_nothing(any_model: Any) -> None:
    before = {name: tensor.clone() for name, tensor in any_model.state_dict().items()}

    spec_of(any_model, "again")

    assert all(torch.equal(tensor, before[name]) for name, tensor in any_model.state_dict().items())
    assert {part.part_type for part in spec_of(any_model).parts.values()} >= {PartType.ATTENTION, PartType.FFN}
