"""What a part says of itself must be so, and a part that was broken must be found out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.extract.part import ExtractedPart
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.extract.trial import CAUSAL, Finding
from tests.coverage.zoo import build, entries
from tests.families import tiny

FAMILIES = ["gpt2", "llama", "gemma3_text", "mixtral", "phi", "bloom", "opt"]


def finding(part: ExtractedPart, claim: str) -> Finding:
    return next(one for one in part.test().findings if one.claim == claim)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_fails_of_any_part_of_any_family(family: str) -> None:
    extractor = PyTorchExtractor(tiny(family))
    units = ["attention_1.head_1", *([] if family in ("mixtral", "opt") else ["ffn_1.neurons[0:3]"])]
    names = [name for name in extractor.list_components() if not (family == "opt" and name.startswith("ffn"))]

    for name in (*names, *units):
        found = extractor.extract_component(name).test()
        assert found.ok, (name, found)
        assert bool(found)


def test_each_claim_has_its_number() -> None:
    part = PyTorchExtractor(tiny("llama")).extract_component("attention_1")

    frame = part.test().frame()

    assert list(frame.index) == [
        "shape", "finite", "gradient to the input", "gradient to the weights", CAUSAL, "equal to the part in the model",
    ]  # fmt: skip
    assert frame["found"].tolist()[:2] == ["(2, 8, 32) → (2, 8, 32)", "0 of 512 are NaN or infinite"]
    assert frame["found"].tolist()[3] == "4 of 4 tensors reached"
    assert frame["found"].tolist()[5] == "bit for bit"
    assert frame["holds"].all()
    assert "attention_1 of LlamaForCausalLM: nothing fails" in repr(part.test())


def test_a_part_that_gives_nan_is_reported() -> None:
    part = PyTorchExtractor(tiny("gpt2")).extract_component("ffn_1")
    with torch.no_grad():
        part.module.c_proj.bias[3] = float("nan")  # type: ignore[union-attr, index, operator]

    found = part.test()

    assert not found.ok
    assert finding(part, "finite") == Finding("finite", False, "16 of 512 are NaN or infinite")


def test_a_part_that_looks_ahead_is_reported() -> None:
    part = PyTorchExtractor(tiny("llama")).extract_component("ffn_1")
    part.module.register_forward_hook(lambda module, args, out: out + out.sum(1, keepdim=True))

    assert finding(part, CAUSAL).ok is False


def test_a_part_that_raises_is_reported() -> None:
    part = PyTorchExtractor(tiny("llama")).extract_component("attention_1")
    part.module.o_proj = torch.nn.Linear(3, 3)

    found = part.test()

    assert not found.ok
    assert found.findings[0].claim == "runs alone"
    assert "RuntimeError" in found.findings[0].found


def test_weights_that_no_gradient_reaches_are_counted() -> None:
    part = PyTorchExtractor(tiny("llama")).extract_component("ffn_1")
    part.module.spare = torch.nn.Linear(2, 2)

    assert finding(part, "gradient to the weights") == Finding(
        "gradient to the weights", False, "3 of 5 tensors reached"
    )


def test_attention_that_looks_both_ways_by_design_does_not_fail() -> None:
    bert: Any = build(next(entry for entry in entries() if str(entry) == "masked-bert"))
    part = PyTorchExtractor(bert).extract_component("attention_1")

    assert finding(part, CAUSAL).ok is None
    assert finding(part, CAUSAL).found.startswith("it looks both ways: largest change 0.")
    assert part.test().ok


def test_what_was_not_compared_is_not_called_equal() -> None:
    part = PyTorchExtractor(tiny("llama")).extract_component("embedding")

    assert finding(part, "equal to the part in the model") == Finding(
        "equal to the part in the model", None, "not compared"
    )


def test_a_test_leaves_the_part_as_it_was() -> None:
    part = PyTorchExtractor(tiny("llama")).extract_component("layer_1").train()
    before = {name: tensor.clone() for name, tensor in part.state_dict().items()}
    random = torch.random.get_rng_state()

    part.test()

    assert part.training
    assert all(parameter.grad is None for parameter in part.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in part.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), random)
