"""Maps that became weights: the place gives what the guest gives between them, in a model of the host's plain class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.graft import Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.stitching.maps import untrained
from garage_nb.registry.lift import lift
from tests.compose.bench import logits
from tests.compose.layout.test_refusals import untouched
from tests.compose.stitching.by_hand import (
    at_home,
    between,
    close,
    entering,
    guest,
    hosting,
    narrow_llama,
    of_two,
    path_of,
)  # fmt: skip
from tests.families import prompt, tiny


def swap(at: str, source: str) -> Swap:
    return Swap(at, Ref.of(source), "untrained")


def gpt2(**changes: Any) -> Any:
    """As wide as the host, for its heads are as wide as its width has it."""
    return tiny("gpt2", 4, seed=1, **changes)


CASES: dict[str, tuple[str, Any, str, str]] = {
    "attention with grouped keys": ("llama", narrow_llama, "attention_1", "attention_3"),
    "ffn of fewer neurons": ("llama", narrow_llama, "ffn_1", "ffn_2"),
    "ffn of as many": ("llama", lambda: narrow_llama(intermediate_size=64), "ffn_0", "ffn_0"),
    "ffn with biases, across": ("gpt2", lambda: gpt2(n_embd=48, n_inner=100), "ffn_1", "ffn_3"),
    "attention with biases, across": ("gpt2", gpt2, "attention_1", "attention_2"),
    "phi's ffn with biases": ("phi", lambda: guest("phi"), "ffn_1", "ffn_2"),
    "gemma's ffn": ("gemma2", lambda: guest("gemma2"), "ffn_1", "ffn_2"),
    "gemma's attention": ("gemma2", lambda: guest("gemma2"), "attention_1", "attention_3"),
    "qwen's attention, half of its matrices with biases": (
        "qwen2",
        lambda: guest("qwen2", head_dim=8),
        "attention_1",
        "attention_3",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_place_gives_what_the_guest_gives_between_its_maps(case: str, tmp_path: Path) -> None:
    host, other, place, name = CASES[case]
    donors = of_two(host, other())
    a, b = donors["a"].model, donors["b"].model

    with untouched(a, b):
        hybrid = build(BuildSheet("a", donors, (swap(place, f"b[{name}]"),)))

    assert hybrid.check.findings[0].said == "fits with an adapter: the maps become weights"
    there, theirs = path_of(donors["a"], place), path_of(donors["b"], name)
    maps = untrained(32, b.config.hidden_size)
    found_in, found = entering(hybrid.model, there, prompt())
    expected = between(maps, lambda came: at_home(b, theirs, came), found_in)
    assert close(found, expected)
    assert expected.abs().max() > 1e-2
    by_hand = hosting(a, there, lambda x: between(maps, lambda came: at_home(b, theirs, came), x))
    assert close(logits(hybrid.model), logits(by_hand))
    assert type(hybrid.model) is type(a)
    assert hybrid.proofs.ok


def test_all_else_keeps_its_bits_and_a_saved_one_opens_plainly(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    donors = of_two("llama", narrow_llama())

    hybrid = build(BuildSheet("a", donors, (swap("ffn_1", "b[ffn_2]"), swap("attention_2", "b"))))

    before, after = donors["a"].model.state_dict(), hybrid.model.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {
        *(f"model.layers.1.mlp.{name}_proj.weight" for name in ("gate", "up", "down")),
        *(f"model.layers.2.self_attn.{name}_proj.weight" for name in "qkvo"),
    }
    again = AutoModelForCausalLM.from_pretrained(hybrid.save_pretrained(tmp_path / "hybrid"), local_files_only=True)
    assert torch.equal(logits(again.eval()), logits(hybrid.model))


def test_neurons_that_the_guest_lacks_are_zero() -> None:
    donors = of_two("llama", narrow_llama())

    ffn = build(BuildSheet("a", donors, (swap("ffn_1", "b[ffn_2]"),))).model.model.layers[1].mlp

    maps, theirs = untrained(32, 48), donors["b"].model.model.layers[2].mlp
    assert not ffn.up_proj.weight[40:].any()
    assert not ffn.down_proj.weight[:, 40:].any()
    up = theirs.up_proj.weight.double() @ maps.into.T
    assert torch.equal(ffn.up_proj.weight[:40], up.float())
    assert torch.equal(ffn.down_proj.weight[:, :40], (maps.out.T @ theirs.down_proj.weight.double()).float())


APART: dict[str, tuple[str, Any, str, str, str]] = {
    "another number of heads": ("llama", lambda: narrow_llama(num_attention_heads=6), "attention_1", "attention_1",
                                "heads"),
    "heads of another width": ("llama", lambda: guest("llama"), "attention_1", "attention_1", "head"),
    "another activation": ("llama", lambda: narrow_llama(hidden_act="gelu"), "ffn_1", "ffn_1", "gelu"),
    "more neurons": ("llama", lambda: narrow_llama(intermediate_size=65), "ffn_1", "ffn_1",
                     "it has 65 neurons, and the place room for 64"),
    "a whole layer": ("llama", narrow_llama, "layer_1", "layer_1", "a full layer is no chain of matrices"),
    "another family": ("llama", lambda: guest("gpt2"), "ffn_1", "ffn_1", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", APART)
def test_what_cannot_become_weights_is_a_module_of_its_own_and_check_says_why(case: str) -> None:
    host, other, place, name, why = APART[case]

    found = check(BuildSheet("a", of_two(host, other()), (swap(place, f"b[{name}]"),)))

    assert found.ok
    assert found.findings[0].verdict == "fits with an adapter"
    assert "it becomes a module of its own, for" in found.findings[0].reason
    assert why in found.findings[0].reason
    assert "plain transformers cannot load it" in found.facts["class"]


@pytest.mark.parametrize(
    ("place", "name"), [("ffn_1", "attention_1"), ("embedding", "embedding"), ("ffn_1", "layer_1")]
)
def test_other_kinds_of_parts_are_refused(place: str, name: str) -> None:
    found = check(BuildSheet("a", of_two("llama", narrow_llama()), (swap(place, f"b[{name}]"),)))

    assert found.findings[0].verdict == "refused"
    assert "cannot be joined by an adapter" in found.findings[0].reason


def test_in_bfloat16() -> None:
    donors = {"a": lift(tiny("llama").bfloat16()), "b": lift(narrow_llama().bfloat16())}

    hybrid = build(BuildSheet("a", donors, (swap("ffn_1", "b[ffn_2]"),)))

    up = donors["b"].model.model.layers[2].mlp.up_proj.weight.double() @ untrained(32, 48).into.T
    assert torch.equal(hybrid.model.model.layers[1].mlp.up_proj.weight[:40], up.bfloat16())
    assert hybrid.proofs.ok
