"""Parts of models that accelerate keeps elsewhere hold the real weights, and the model stays where it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.errors import UnsupportedModelError
from garage_nb.extract.pytorch import PyTorchExtractor
from tests.families import tiny

FAMILIES = ["gpt2", "llama", "mixtral", "gemma2"]
NAMES = ["attention_1", "ffn_1", "layer_1", "embedding", "output_head", "layer_norm_final", "attention_1.head_1"]


def offloaded(family: str, kind: str, folder: Path) -> Any:
    from accelerate import cpu_offload, disk_offload

    model, here = tiny(family), torch.device("cpu")
    if kind == "disk":
        return disk_offload(model, str(folder), execution_device=here)
    return cpu_offload(model, execution_device=here, offload_buffers=kind == "host, with buffers")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["host", "host, with buffers", "disk"])
def test_weights_kept_elsewhere_are_in_the_copy(family: str, kind: str, tmp_path: Path) -> None:
    model = offloaded(family, kind, tmp_path)
    assert all(parameter.is_meta for parameter in model.parameters())
    extractor, plain = PyTorchExtractor(model), PyTorchExtractor(tiny(family))
    unit = "ffn_1.expert_2" if family == "mixtral" else "ffn_1.neurons[1,4]"

    for name in (*NAMES, unit):
        part, expected = extractor.extract_component(name), plain.extract_component(name)
        own, others = part.state_dict(), expected.state_dict()
        assert list(own) == list(others)
        assert all(torch.equal(own[key], others[key]) for key in own), name
        assert part.description == expected.description
        assert part.test().ok

    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("kind", ["host", "disk"])
def test_a_copy_does_not_reach_what_is_kept_elsewhere(kind: str, tmp_path: Path) -> None:
    model = offloaded("llama", kind, tmp_path)
    ids = torch.tensor([[3, 1, 4, 1]])
    with torch.no_grad():
        before = model(ids).logits
        for name in ("layer_1", "embedding", "attention_1.head_0"):
            for parameter in PyTorchExtractor(model).extract_component(name).parameters():
                parameter.zero_()

        assert torch.equal(model(ids).logits, before)


def test_weights_that_nobody_keeps_are_refused() -> None:
    model = tiny("llama")
    extractor = PyTorchExtractor(model)
    extractor.list_components()
    model.to("meta")

    for name in ("ffn_1", "attention_1", "attention_1.head_0"):
        with pytest.raises(UnsupportedModelError, match="not in memory"):
            extractor.extract_component(name)
