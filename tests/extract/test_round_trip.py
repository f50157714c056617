"""A model put together again from its own parts gives the same logits, bit for bit."""

from __future__ import annotations

import pytest
import torch

from garage_nb.core.skeleton import skeleton
from garage_nb.core.stored import stored
from garage_nb.extract.part import ContextPart
from garage_nb.extract.pytorch import PyTorchExtractor
from tests.families import prompt, tiny

FAMILIES = [
    "gpt2", "llama", "mistral", "qwen2", "qwen3", "mixtral", "gemma", "gemma2", "gemma3_text", "phi", "phi3", "bloom",
    "falcon", "gpt_neox",
]  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_every_attention_and_ffn_rebuilds_the_model(family: str) -> None:
    model = tiny(family)
    extractor = PyTorchExtractor(model)
    spec = extractor.extract_component("embedding").spec
    rebuilt = skeleton(type(model), model.config, dtype=torch.float32)
    taken = set()

    for name in extractor.list_components():
        if name.startswith(("attention_", "ffn_")):
            part = extractor.extract_component(name)
            path = part.spec.part(name).module_path
            rebuilt.get_submodule(path).load_state_dict(part.module.state_dict(), assign=True)
            taken |= {f"{path}.{key}" for key in part.module.state_dict()}
    rest = {key: tensor for key, tensor in stored(model) if key not in taken}
    missing = rebuilt.load_state_dict(rest, strict=False, assign=True).missing_keys

    assert set(missing) <= taken | {key for key, _ in stored(rebuilt) if "lm_head" in key}
    assert len(taken) >= 3 * 4
    with torch.no_grad():
        assert torch.equal(rebuilt(prompt()).logits, model(prompt()).logits)
    assert spec.num_layers == 3


@pytest.mark.parametrize("family", FAMILIES)
def test_what_prepares_the_call_has_no_weights_to_train(family: str) -> None:
    extractor = PyTorchExtractor(tiny(family))

    for name in ("attention_1", "layer_1"):
        part = extractor.extract_component(name)
        assert isinstance(part, ContextPart)
        assert list(part.hollow.parameters()) == []
        assert all(key.startswith("module.") for key in part.state_dict())


@pytest.mark.parametrize("name", ["attention_1", "layer_1", "embedding", "attention_1.head_0"])
def test_a_part_knows_its_place_without_the_donor(name: str) -> None:
    model = tiny("gemma3_text")
    whole = PyTorchExtractor(model).load_model()
    part = PyTorchExtractor(model).extract_component(name)

    assert part.config is not model.config
    assert part.config.to_dict() == model.config.to_dict()
    assert part.spec.part(name.partition(".")[0]).layer_idx in (None, 1)
    assert {other.layer_idx for other in part.spec.parts.values()} <= {None, 1}
    assert part.spec.num_layers == len(whole.model.layers)
    assert part.donor.model_class is type(model)
