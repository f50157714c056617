"""A block's number is its place in the list it is kept in, also where some blocks do not run."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from garage_nb.errors import UnavailablePartError
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.part_spec import PartType
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.zoo import inputs

from .models import fresh, opened, seen
from .own import GPT

IDLE = "it did not run on token ids alone"


class EveryOther(GPT):
    """Leaves out the block in the middle."""

    def forward(self, ids: Tensor) -> Tensor:
        inner = self.transformer
        x = inner["wte"](ids) + inner["wpe"](torch.arange(ids.shape[1]))
        for block in inner["h"][::2]:
            x = block(x)
        return self.lm_head(inner["ln_f"](x))


def test_mllama_without_an_image_keeps_its_numbers() -> None:
    _, spec = opened("causal-mllama")

    layers = {name: part for name, part in spec.parts.items() if part.part_type is PartType.FULL_LAYER}

    assert {name: part.module_path for name, part in layers.items()} == {
        f"layer_{place}": f"model.layers.{place}" for place in range(3)
    }
    assert [part.layer_idx for part in layers.values()] == [0, 1, 2]
    assert {name: part.unavailable for name, part in layers.items()} == {"layer_0": "", "layer_1": IDLE, "layer_2": ""}
    assert {name for name, part in spec.parts.items() if part.layer_idx == 1} == {"layer_1"}
    assert spec.parts["attention_2"].module_path == "model.layers.2.self_attn"
    assert spec.num_layers == 3
    assert spec.name("layer_-1") == "layer_2"


def test_what_did_not_run_is_reported_and_not_proved() -> None:
    _, spec = opened("causal-mllama")

    assert {proof.layer: proof.reason for proof in spec.proofs} == {"layer_0": "", "layer_1": IDLE, "layer_2": ""}
    assert dict(spec.report().unavailable) == {"layer_1": IDLE}
    assert not spec.report()
    with pytest.raises(UnavailablePartError, match=IDLE):
        spec.site("layer_1")


def test_what_is_read_by_number_is_what_leaves_that_place() -> None:
    model, _ = opened("causal-mllama")

    shot = SnapshotCapture(model).run(inputs(model), layers="layer_2", keep=True)["layer_2"].hidden

    assert shot is not None
    assert torch.equal(shot, seen(model, "model.layers.2")["model.layers.2"])


def test_a_model_of_ones_own_that_leaves_a_block_out() -> None:
    spec = spec_of(EveryOther())

    found = {name: part.unavailable for name, part in spec.parts.items() if part.part_type is PartType.FULL_LAYER}

    assert found == {"layer_0": "", "layer_1": IDLE, "layer_2": ""}


def test_shared_blocks_are_numbered_by_their_calls() -> None:
    spec = spec_of(fresh("masked-albert"))

    paths = {part.module_path for part in spec.of_type(PartType.FULL_LAYER)}

    assert spec.num_layers == 3
    assert paths == {"albert.encoder.albert_layer_groups.0.albert_layers.0"}
