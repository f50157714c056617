"""ModelRegistry: ids, live modules, and which parts of one model would run in another."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.core.family import ModelFamily
from garage_nb.errors import ModelNotFoundError, UnknownPartError
from garage_nb.registry.models import ModelRegistry, PartType
from tests.families import FAMILIES, tiny


class Words:
    """A tokenizer as far as the registry looks."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def get_vocab(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path)


def test_what_was_registered_is_found_again_by_another_registry(registry: ModelRegistry, tmp_path: Path) -> None:
    spec = registry.register("mine", tiny("llama"))

    other = ModelRegistry(cache_dir=str(tmp_path))

    assert other.get_spec("mine") == spec
    assert other.list_models() == ["mine"]
    assert other.get_part("mine", "attention_-1").module_path == "model.layers.2.self_attn"


@pytest.mark.parametrize("model_type", FAMILIES)
def test_families_are_told_by_config(registry: ModelRegistry, model_type: str) -> None:
    assert registry.detect_family(tiny(model_type, layers=1)) is not ModelFamily.UNKNOWN


def test_parts_by_type(registry: ModelRegistry, gpt2: Any) -> None:
    registry.register("mine", gpt2)

    assert registry.list_parts("mine", PartType.ATTENTION) == ["attention_0", "attention_1", "attention_2"]
    assert registry.list_parts("mine", "self_attention") == registry.list_parts("mine", PartType.ATTENTION)
    assert registry.list_parts("mine", "lm_head") == ["output_head"]
    assert registry.list_parts("mine", "gate") == []
    assert len(registry.list_parts("mine")) == 1 + 1 + 3 * 5 + 2


def test_modules_are_those_of_the_live_model(registry: ModelRegistry, gpt2: Any) -> None:
    registry.register("mine", gpt2)

    assert registry.get_module("mine", "ffn_1") is gpt2.transformer.h[1].mlp
    with pytest.raises(UnknownPartError, match="ffn_7"):
        registry.get_module("mine", "ffn_7")


def test_a_registry_keeps_no_model_in_memory(registry: ModelRegistry) -> None:
    registry.register("mine", tiny("gpt2", layers=1))
    gc.collect()

    with pytest.raises(ModelNotFoundError, match="not in memory"):
        registry.get_module("mine", "ffn_0")
    assert registry.get_spec("mine").num_layers == 1


def test_an_id_never_registered_names_the_known_ones(registry: ModelRegistry, gpt2: Any) -> None:
    registry.register("mine", gpt2)

    with pytest.raises(ModelNotFoundError, match="'mime'") as caught:
        registry.get_spec("mime")

    assert "mine" in caught.value.hint


def compared(registry: ModelRegistry, a: Any, b: Any, *tokenizers: Words) -> dict[str, Any]:
    for name, model, words in zip("ab", (a, b), tokenizers or (None, None), strict=True):
        registry.register(name, model, words)
    return registry.compare("a", "b")


def test_twins_share_every_part(registry: ModelRegistry) -> None:
    same = Words("x", "y")

    result = compared(registry, tiny("llama"), tiny("llama", layers=2, seed=1), same, Words("x", "y"))

    assert result["reasons"] == {}
    assert set(result["compatible_parts"]) == {
        "embedding", "attention", "ffn", "layer_norm", "output_head", "rotary_emb", "full_layer",
    }  # fmt: skip
    assert (result["layers"], result["families"], result["tokenizers"]) == ((3, 2), ("llama", "llama"), "same")


def test_a_part_called_compatible_runs_in_the_other_model(registry: ModelRegistry) -> None:
    """Worked out, and true: the block of one really runs in the place of the other's."""
    a, b = tiny("llama"), tiny("llama", seed=1)
    assert "full_layer" in compared(registry, a, b)["compatible_parts"]

    b.model.layers[1] = a.model.layers[1]

    assert b(torch.tensor([[1, 2, 3]])).logits.isfinite().all()


@pytest.mark.parametrize(
    ("changes", "parts", "reason"),
    [
        ({"num_key_value_heads": 4}, {"attention", "full_layer"}, "key-value heads 2 and 4"),
        ({"num_attention_heads": 8}, {"attention", "full_layer", "rotary_emb"}, "heads 4 and 8"),
        ({"intermediate_size": 96}, {"ffn", "full_layer"}, "neurons 64 and 96"),
        ({"hidden_act": "gelu"}, {"ffn", "full_layer"}, "activation silu and gelu"),
        ({"vocab_size": 99}, {"embedding", "output_head"}, "64 and 99"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 99.0}}, {"attention", "full_layer", "rotary_emb"},
         "positions"),
    ],
)  # fmt: skip
def test_each_difference_tells_on_the_parts_it_touches(
    registry: ModelRegistry, changes: dict[str, Any], parts: set[str], reason: str
) -> None:
    same = Words("x"), Words("x")

    result = compared(registry, tiny("llama"), tiny("llama", **changes), *same)

    assert set(result["reasons"]) == parts
    assert any(reason in why for why in result["reasons"].values())
    assert not set(result["compatible_parts"]) & parts


def test_other_widths_share_nothing_but_angles(registry: ModelRegistry) -> None:
    wide = tiny("llama", hidden_size=64, num_attention_heads=8, num_key_value_heads=2)

    result = compared(registry, tiny("llama"), wide)

    assert result["compatible_parts"] == ["rotary_emb"]
    assert result["hidden_dims"] == (32, 64)


def test_other_families_of_the_same_shape_do_not_fit(registry: ModelRegistry) -> None:
    result = compared(registry, tiny("llama"), tiny("gpt2"))

    assert result["compatible_parts"] == []
    assert result["reasons"]["rotary_emb"] == "b has none"
    assert result["reasons"]["position_embedding"] == "a has none"


def test_other_words_in_the_same_number_do_not_fit(registry: ModelRegistry) -> None:
    result = compared(registry, tiny("llama"), tiny("llama"), Words("x", "y"), Words("y", "x"))

    assert set(result["reasons"]) == {"embedding", "output_head"}
    assert result["tokenizers"] == "different"


def test_without_tokenizers_embeddings_are_not_promised(registry: ModelRegistry) -> None:
    result = compared(registry, tiny("llama"), tiny("llama"))

    assert result["tokenizers"] == "unknown"
    assert set(result["reasons"]) == {"embedding", "output_head"}


def test_experts_and_a_plain_ffn_do_not_fit(registry: ModelRegistry) -> None:
    result = compared(registry, tiny("mixtral"), tiny("mistral", sliding_window=None))

    assert {"ffn", "gate", "full_layer"} <= set(result["reasons"])
