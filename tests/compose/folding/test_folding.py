"""Edits that became weights: the model does what the base does with them in force, and holds the numbers it should."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.hybrid import Hybrid
from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Graft, Merge, Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.core.batch import prepare
from garage_nb.core.run import logits as logits_with
from garage_nb.inject.ablate import Ablate
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Add, Scale, Steer
from garage_nb.inject.mask import Mask
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import Lifted, lift
from tests.compose.bench import logits, model, pair
from tests.compose.layout.test_refusals import untouched
from tests.families import HIDDEN, NEURONS, prompt, tiny

FAMILIES = ["gpt2", "llama", "mixtral", "gemma2", "bloom", "phi"]
BIASED = ["gpt2", "bloom", "phi"]
LINE = torch.linspace(-1, 1, HIDDEN)

WITHOUT_BIAS: dict[str, Edit] = {
    "attention": Scale("attention_1", 0.5),
    "a head": Scale("attention_1.head_2", -3.0),
    "no head": Mask("attention_2", drop=[0, 3]),
    "no attention": Ablate("attention_0"),
    "embedding": Scale("embedding", -2.0),
    "shifted embedding": Steer("embedding", LINE, 0.3),
    "output head": Scale("output_head", 0.5),
    "first norm": Scale("layer_norm_0_attention", 2.0),
    "final norm": Scale("layer_norm_final", 0.25),
}
OF_AN_FFN: dict[str, Edit] = {
    "ffn": Scale("ffn_1", -0.5),
    "a neuron": Scale("ffn_1.neuron_5", 4.0),
    "few neurons": Mask("ffn_0", keep="0:32"),
}
WITH_BIAS: dict[str, Edit] = {
    "added to attention": Add("attention_1", LINE),
    "steered ffn": Steer("ffn_2", LINE, 0.5),
    "added to a head": Add("attention_1.head_1", 0.7),
    "a neuron's mean": Ablate("ffn_1.neuron_5", "mean", torch.tensor([[2.0], [4.0]])),
    "mean attention": Ablate("attention_1", "mean", torch.stack([LINE, LINE + 1])),
    "added to a norm": Add("layer_norm_1_attention", LINE),
    "added to the final norm": Steer("layer_norm_final", LINE),
}
CASES = [
    *((family, edit) for family in ("gpt2", "llama") for edit in (*WITHOUT_BIAS, *OF_AN_FFN)),
    *(("gpt2", edit) for edit in WITH_BIAS),
]
EDITS = {**WITHOUT_BIAS, **OF_AN_FFN, **WITH_BIAS}


@cache
def donor(family: str) -> Lifted:
    return lift(model(family))


def folded(family: str, *edits: Edit) -> Hybrid:
    return build(BuildSheet("a", {"a": donor(family)}, edits=edits))


def in_force(of: Lifted, *edits: Edit) -> Tensor:
    return logits_with(of.model, prepare(prompt(), of.model, of.tokenizer), Recipe(edits).taps(of.spec))


def close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= 2e-5 * expected.abs().max())


@pytest.mark.parametrize(("family", "edit"), CASES)
def test_in_weights_it_does_what_it_does_in_force(family: str, edit: str) -> None:
    donors = donor(family)

    with untouched(donors.model):
        hybrid = folded(family, EDITS[edit])

    expected = in_force(donors, EDITS[edit])
    assert close(logits(hybrid.model), expected)
    assert (expected - logits(donors.model)).abs().max() > 1e-3 * expected.abs().max()
    assert len(hybrid.edits) == 0
    assert hybrid.check.findings[0].said == "folds into weights"
    assert [row.holds for row in hybrid.proofs.rows if row.claim == "edits in weights = in force"] == [True]


@pytest.mark.parametrize("family", FAMILIES)
def test_many_at_once_and_several_at_one_place(family: str) -> None:
    twice = [
        Scale("attention_1", 2.0),
        Add("embedding", 0.1),
        Scale("embedding", -1.0),
        Scale("attention_1.head_0", 0.5),
    ]
    of_an_ffn = [] if family == "mixtral" else OF_AN_FFN.values()
    with_bias = WITH_BIAS.values() if family in BIASED else []
    edits = [*WITHOUT_BIAS.values(), *of_an_ffn, *with_bias, *twice]

    hybrid = folded(family, *edits)

    assert close(logits(hybrid.model), in_force(donor(family), *edits))
    assert len(hybrid.edits) == 0


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_a_saved_one_opens_plainly(family: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    hybrid = folded(family, Scale("embedding", 2.0), Scale("attention_1.head_2", -3.0), Scale("layer_norm_1_ffn", 0.5))

    again = AutoModelForCausalLM.from_pretrained(hybrid.save_pretrained(tmp_path / "folded"), local_files_only=True)

    assert torch.equal(logits(again.eval()), logits(hybrid.model))
    assert type(again) is type(donor(family).model)


@pytest.mark.parametrize("family", ["gpt2", "gemma2"])
@pytest.mark.parametrize("at", ["embedding", "output_head"])
def test_of_tied_ends_only_the_one_that_is_named_changes(family: str, at: str) -> None:
    donors = lift(model(family, tie_word_embeddings=True))
    assert donors.model.lm_head.weight is donors.model.get_input_embeddings().weight

    hybrid = build(BuildSheet("a", {"a": donors}, edits=(Scale(at, 0.5),)))

    assert hybrid.model.config.tie_word_embeddings is False
    assert hybrid.model.lm_head.weight is not hybrid.model.get_input_embeddings().weight
    assert close(logits(hybrid.model), in_force(donors, Scale(at, 0.5)))


GRAFTS: dict[str, tuple[Graft, Edit]] = {
    "a block that stands there twice": (Stack.of("0 1 1 b[2]"), Scale("attention_2", 0.5)),
    "a half of another": (Swap("ffn_1", Ref.of("b[ffn_3]")), Scale("ffn_1.neuron_5", 3.0)),
    "blended weights": (Merge("attention_1", (Ref.of("b"),), blend_of("--method linear --weight 0.5")),
                        Mask("attention_1", drop="0")),
    "a half that passed a map": (Swap("ffn_1", Ref.of("b[ffn_3]"), "untrained"), Scale("ffn_1", 3.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", GRAFTS)
def test_they_act_on_what_the_grafts_made(case: str) -> None:
    graft, edit = GRAFTS[case]
    donors = pair("llama")
    grafted = build(BuildSheet("a", donors, (graft,)))

    hybrid = build(BuildSheet("a", donors, (graft,), edits=(edit,)))

    assert close(logits(hybrid.model), in_force(lift(grafted.model), edit))
    before, after = grafted.model.state_dict(), hybrid.model.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    place, _, _ = edit.at.partition(".")
    assert len(changed) == 1
    assert f".{place.rpartition('_')[2]}." in changed[0]


def test_in_bfloat16_it_is_rounded_once() -> None:
    donors = lift(tiny("llama").bfloat16())

    found = build(BuildSheet("a", {"a": donors}, edits=(Scale("ffn_1.neurons", 0.3),))).model

    home = "model.layers.1.mlp.down_proj.weight"
    expected = (donors.model.get_parameter(home).double() * 0.3).bfloat16()
    assert expected.shape == (HIDDEN, NEURONS)
    assert torch.equal(found.get_parameter(home), expected)
