"""Parts of families that stand out are kept and come back, or are refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from garage_nb.errors import PartFileError
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.extract.shelf.loading import load_part
from garage_nb.extract.shelf.saving import save_part
from tests.extract.shelf.test_saving import same
from tests.extract.test_chain import of_the_zoo

KEPT = {
    "causal-bert": "output_head",  # its bias is tied to that of a module that is no part
    "masked-mobilebert": "embedding",
    "causal-zamba": "layer_norm_1_input_layernorm",  # tied to that of a layer that is not kept beside it
    "causal-emu3": "ffn_1",  # transformers lists its class under the larger model
    "causal-musicgen": "attention_1",
    "causal-got_ocr2": "attention_1",  # its text reads with another kernel than its images
    "seq2seq-led": "attention_1",  # its positions are looked up by a shape
}


@pytest.mark.parametrize("entry", KEPT)
def test_it_comes_back_as_it_was(entry: str, tmp_path: Path) -> None:
    part = PyTorchExtractor(of_the_zoo(entry)).extract_component(KEPT[entry])

    again = load_part(save_part(part, tmp_path))

    assert same(part, again)
    weights = part.state_dict()
    assert all(torch.equal(one, weights[name]) for name, one in again.state_dict().items())
    assert repr(again) == repr(part)


@pytest.mark.parametrize(("entry", "name"), [("causal-rwkv", "mixer_1"), ("causal-big_bird", "attention_1")])
def test_models_that_change_themselves_when_they_run_are_refused(entry: str, name: str, tmp_path: Path) -> None:
    part = PyTorchExtractor(of_the_zoo(entry)).extract_component(name)

    with pytest.raises(PartFileError, match=rf"{name} cannot be saved: built again .* does not run: it raises Attr"):
        save_part(part, tmp_path)
    assert list(tmp_path.iterdir()) == []
