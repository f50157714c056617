"""The depth table means what it says, and the gate stops shallow models."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.registry.decompose import spec_of
from garage_nb.showroom import DOMAINS
from garage_nb.showroom.depth import Depth, failures, measure, skip
from garage_nb.showroom.recipes import new_model, recipe
from garage_nb.showroom.tokenizer import build

NAMES = ("showroom-llama", "showroom-gpt2", "showroom-moe")


def _untrained(name: str) -> Any:
    torch.manual_seed(0)
    return new_model(replace(recipe(name), layers=3), build().get_vocab_size()).eval()


@pytest.mark.parametrize("name", NAMES)
def test_skipping_a_block_equals_a_model_without_it(name: str) -> None:
    model = _untrained(name)
    batch = prepare(list(range(5, 25)), model)
    skipped = logits(model, batch, skip(spec_of(model), 1))
    blocks = model.get_submodule(spec_of(model).site("layer_0").path.rpartition(".")[0])
    assert isinstance(blocks, nn.ModuleList)

    del blocks[1]
    for field in ("num_hidden_layers", "n_layer"):
        if field in model.config.to_dict():
            setattr(model.config, field, 2)

    assert torch.equal(skipped, logits(model, batch))


@pytest.mark.parametrize("name", NAMES)
def test_the_lens_after_the_last_block_is_the_model(name: str) -> None:
    depth = measure(_untrained(name), build(), 20, domains=("copy", "sorting"))

    assert {domain: shares[-1] for domain, shares in depth.lens.items()} == depth.whole
    assert depth.blocks == 3


def _deep() -> Depth:
    return Depth(
        n=100,
        whole=dict.fromkeys(DOMAINS, 0.9),
        skipped=dict.fromkeys(DOMAINS, (0.0, 0.5)),
        lens=dict.fromkeys(DOMAINS, (0.1, 0.9)) | {"copy": (0.89, 0.9)},
    )


def test_a_deep_model_passes() -> None:
    assert failures(_deep()) == []
    assert [_deep().peak(domain) for domain in ("copy", "facts")] == [0, 1]
    assert _deep().drop("copy", 1) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"skipped": dict.fromkeys(DOMAINS, (0.0, 0.85))}, "skipping block 1 costs less than 10%"),
        ({"lens": dict.fromkeys(DOMAINS, (0.1, 0.9))}, "every domain peaks at the same depth"),
        ({"whole": _deep().whole | {"recall": 0.3}}, "recall is at 30%, induction needs 60%"),
        ({"whole": _deep().whole | dict.fromkeys(("facts", "sorting", "stories"), 0.2)}, "only 5 domains"),
    ],
)
def test_the_gate_says_what_is_missing(change: dict[str, Any], reason: str) -> None:
    assert [said for said in failures(replace(_deep(), **change)) if reason in said]
