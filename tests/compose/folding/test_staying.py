"""Edits that no weight can hold stay runtime edits, with the reason, and so does all that comes after them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.graft import Stack, Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.core.tokens import Tokens
from garage_nb.errors import BuildError
from garage_nb.inject.ablate import Ablate
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Add, Noise, Scale, Steer, Through
from garage_nb.inject.mask import Mask
from garage_nb.inject.patch import Patch
from garage_nb.inject.rounds import Debate
from garage_nb.inject.threshold import Threshold
from garage_nb.registry.lift import lift
from tests.compose.bench import logits, pair
from tests.compose.folding.test_folding import LINE, close, donor, folded, in_force
from tests.compose.layout.test_refusals import untouched
from tests.families import HIDDEN, tiny

GATE = torch.nn.Linear(2 * HIDDEN, 1)
DEPENDS, RESIDUAL, AMID = "depends on the hidden states", "no weight alone decides", "amid the attention"
STAYING: dict[str, tuple[str, Edit, str]] = {
    "noise": ("gpt2", Noise("attention_1", 0.1), DEPENDS),
    "a threshold": ("llama", Threshold("ffn_1.neurons", 0.2), DEPENDS),
    "a threshold few numbers meet": ("llama", Threshold("ffn_1", 1e-4), DEPENDS),
    "a threshold at one number": ("llama", Threshold("ffn_1.neuron_3", 0.3), DEPENDS),
    "the residual stream": ("llama", Scale("layer_1", 0.5), RESIDUAL),
    "some tokens": (
        "gpt2",
        Scale("attention_1", 0.5, tokens=Tokens("not_first")),
        r"touches some tokens only \(not_first\)",
    ),
    "the last token": ("llama", Ablate("ffn_1", tokens=Tokens("-1")), r"touches some tokens only \(-1\)"),
    "a row for each token": ("gpt2", Ablate("ffn_1", "resample", torch.stack([LINE, LINE + 1])), "at every token"),
    "two rows": ("gpt2", Add("ffn_1", torch.stack([LINE, -LINE])), "asks for real hidden states"),
    "a patch": ("gpt2", Patch("ffn_1", torch.stack([LINE, -LINE])), r"touches some tokens only \(prompt\)"),
    "no bias": ("llama", Add("attention_1", LINE), "model.layers.1.self_attn.o_proj has no bias to hold it"),
    "no bias of a norm": ("gemma2", Add("layer_norm_final", 0.5), "model.norm has no bias to hold it"),
    "no bias of the head": ("gpt2", Add("output_head", 0.5), "lm_head has no bias to hold it"),
    "no bias at a neuron": ("llama", Ablate("ffn_1.neuron_3", "mean", torch.ones(2, 1)), "no bias to hold it"),
    "fused experts": ("mixtral", Scale("ffn_1", 0.5), RESIDUAL),
    "an expert": ("mixtral", Scale("ffn_1.expert_1", 0.5), RESIDUAL),
    "a router": ("mixtral", Scale("gate_1", 0.5), AMID),
}


@pytest.mark.parametrize("case", STAYING)
def test_it_stays_and_says_why(case: str) -> None:
    family, edit, why = STAYING[case]

    found = check(BuildSheet("a", {"a": donor(family)}, edits=(edit,)))

    assert found.ok
    assert found.findings[0].verdict == "stays a runtime edit"
    assert found.folding.folded == ()
    assert re.search(why, found.findings[0].reason)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_what_comes_after_one_that_stays_stays_too(family: str) -> None:
    """And the model with its edits does what the base does with all of them."""
    edits = (Scale("ffn_1", 0.5), Threshold("attention_1", 0.02), Scale("attention_1", 3.0), Scale("ffn_0", 2.0))

    hybrid = folded(family, *edits)

    assert [finding.said.partition(":")[0] for finding in hybrid.check.findings[:-1]] == [
        "folds into weights", *["stays a runtime edit"] * 3
    ]  # fmt: skip
    assert hybrid.check.findings[2].reason == "it comes after one that stays"
    assert list(hybrid.edits) == list(edits[1:])
    expected = in_force(donor(family), *edits)
    assert close(in_force(lift(hybrid.model), *hybrid.edits), expected)
    assert not close(logits(hybrid.model), expected)


def test_a_hybrid_with_some_saves_its_weights_and_says_them(tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    hybrid = folded("gpt2", Scale("ffn_1", 0.5), Noise("attention_1", 0.1, seed=7))

    place = hybrid.save_pretrained(tmp_path / "hybrid")

    again = AutoModelForCausalLM.from_pretrained(place, local_files_only=True).eval()
    assert torch.equal(logits(again), logits(hybrid.model))
    assert AutoConfig.from_pretrained(place).garage_build["lines"] == [
        "scale ffn_1 0.5", "noise attention_1 0.1 --seed 7"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Scale("attention_9", 0.5), "attention_9"),
        (Steer("attention_1", torch.ones(HIDDEN + 1)), "is 32 wide"),
        (Mask("attention_1", drop="7"), "has no number 7"),
        (Scale("attention_1.pattern", 0.5), "can be read, not changed"),
    ],
)
def test_an_edit_that_cannot_act_is_refused_before_anything_is_built(edit: Edit, said: str) -> None:
    sheet = BuildSheet("a", {"a": donor("llama")}, edits=(Scale("ffn_1", 0.5), edit))

    with untouched(donor("llama").model):
        found = check(sheet)
        with pytest.raises(BuildError, match=said) as caught:
            build(sheet)

    assert not found.ok
    assert found.findings[0].verdict == "refused"
    assert str(caught.value).count("\n") == 1


def test_names_are_those_of_the_result() -> None:
    """A layer that only the result has can be edited, one that it no longer has cannot."""
    donors = pair("llama")
    longer, shorter = Stack.of("0:3 b[0:2]"), Stack.of("0")

    assert check(BuildSheet("a", donors, (longer,), edits=(Scale("ffn_4", 0.5),))).ok
    assert not check(BuildSheet("a", donors, (shorter,), edits=(Scale("ffn_1", 0.5),))).ok


@pytest.mark.parametrize("at", ["ffn_1", "ffn_1.neuron_3"])
def test_a_guest_that_is_a_module_of_its_own_keeps_its_weights(at: str) -> None:
    donors: dict[str, Any] = {"a": lift(tiny("llama")), "b": lift(tiny("gpt2"))}
    graft, edits = Swap("ffn_1", Ref.of("b"), "untrained"), (Scale("attention_1", 0.5), Scale(at, 0.5))

    found = check(BuildSheet("a", donors, (graft,), edits=edits))

    assert [finding.verdict for finding in found.findings[1:3]] == ["folds into weights", "stays a runtime edit"]
    assert "a guest that is a module of its own" in found.findings[2].reason


def twice(hidden: torch.Tensor) -> torch.Tensor:
    return 2 * hidden + 1


@pytest.mark.parametrize(
    "edit", [Through("ffn_1", twice), Through("ffn_0", torch.nn.Tanh()), Debate("ffn_1", "dropout", "gated", gate=GATE)]
)
def test_a_module_of_ones_own_is_refused_before_anything_is_built(edit: Edit) -> None:
    """No config could say what the hybrid was built by, and no file what is to be in force with it."""
    sheet = BuildSheet("a", {"a": donor("gpt2")}, edits=(Scale("ffn_1", 0.5), edit))

    with untouched(donor("gpt2").model):
        found = check(sheet)
        with pytest.raises(BuildError, match="of your own, which cannot be written into a sheet") as caught:
            build(sheet)

    assert not found.ok
    assert found.findings[0].verdict == "refused"
    assert str(edit) in found.findings[0].reason
    assert str(caught.value).count("\n") == 1
