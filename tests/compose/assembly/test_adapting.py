"""Adapters of PEFT's as grafts: what PEFT itself runs on the same hybrid, multiplied into weights of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.wrapper_files import read_wrapper
from garage_nb.compose.graft import Adapt, Graft, Stack, Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import BuildError
from garage_nb.registry.lift import lift
from tests.compose.bench import logits, pair
from tests.compose.layout.test_refusals import untouched
from tests.compose.peft.adapters import lora, rewritten, trained
from tests.compose.stitching.by_hand import close, guest, of_two
from tests.families import tiny

TARGETS: dict[str, dict[str, Any]] = {
    "llama": {},
    "gpt2": {"target_modules": ["c_attn", "c_fc"], "fan_in_fan_out": True},
    "mixtral": {"target_modules": ["q_proj", "o_proj"]},
    "gemma2": {"target_modules": ["v_proj", "up_proj"]},
    "phi": {"target_modules": ["q_proj", "fc1"]},
}


@pytest.fixture(params=TARGETS)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    return request.param, trained(request.param, lora(**TARGETS[request.param]), tmp_path / "adapter")


def by_peft(model: Any, *folders: Path) -> torch.Tensor:
    """The adapters beside the weights, in PEFT's own model around a copy."""
    import copy

    from peft import PeftModel

    made = PeftModel.from_pretrained(copy.deepcopy(model), str(folders[0]), adapter_name="0")
    for number, folder in enumerate(folders[1:], start=1):
        made.load_adapter(str(folder), adapter_name=str(number))
    made.base_model.set_adapter([str(number) for number in range(len(folders))])
    return logits(made.eval())


def test_it_is_what_peft_runs(case: tuple[str, Path], tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    family, folder = case
    donors, adapt = pair(family), Adapt(str(folder))
    grafts: tuple[Graft, ...] = (Stack.of("b[0] 1 2"), Swap("ffn_1", Ref("b")))
    plain = build(BuildSheet("a", donors, grafts)).model

    with untouched(donors["a"].model, donors["b"].model):
        hybrid = build(BuildSheet("a", donors, (*grafts, adapt)))

    assert hybrid.check.findings[2].said == "fits"
    assert close(logits(hybrid.model), by_peft(plain, folder))
    assert not close(logits(hybrid.model), logits(plain), 1e-3)
    assert [row.holds for row in hybrid.proofs.rows if row.claim == f"adapt {folder} merged = beside"] == [True]
    assert type(hybrid.model) is type(plain)
    again = AutoModelForCausalLM.from_pretrained(hybrid.save_pretrained(tmp_path / "hybrid"), local_files_only=True)
    assert torch.equal(logits(again.eval()), logits(hybrid.model))


def test_several_one_after_the_other_and_so_many_times(tmp_path: Path) -> None:
    first = trained("llama", lora(), tmp_path / "first")
    second = trained("llama", lora(target_modules=["up_proj"], lora_alpha=3), tmp_path / "second")
    donors = {"a": lift(tiny("llama"))}

    both = build(BuildSheet("a", donors, (Adapt(str(first)), Adapt(str(second))))).model
    half = build(BuildSheet("a", donors, (Adapt(str(first), 0.5),))).model

    assert close(logits(both), by_peft(donors["a"].model, first, second))
    before, after = donors["a"].model.state_dict(), half.state_dict()
    whole = build(BuildSheet("a", donors, (Adapt(str(first)),))).model.state_dict()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight + (whole[name] - weight) / 2, rtol=0, atol=1e-6)


def test_only_what_is_adapted_is_new(tmp_path: Path) -> None:
    donors = {"a": lift(tiny("llama"))}

    hybrid = build(BuildSheet("a", donors, (Adapt(str(trained("llama", lora(), tmp_path))),)))

    theirs = {tensor.data_ptr() for tensor in donors["a"].model.state_dict().values()}
    new = {name.rpartition(".")[0].rpartition(".")[2] for name, tensor in hybrid.model.state_dict().items()
           if tensor.data_ptr() not in theirs}  # fmt: skip
    assert new == {"q_proj", "v_proj", "down_proj"}


@pytest.mark.parametrize(
    ("family", "stack", "said"),
    [
        ("gpt2", "0:3", "which is no module of this GPT2LMHeadModel"),
        ("llama", "0:2", "model.layers.2.mlp.down_proj, which is no module of this Llama"),
        ("llama", "0:3 b[3]", "has no tensors for model.layers.3"),
    ],
)
def test_what_does_not_fit_the_result_is_refused_by_a_name(family: str, stack: str, said: str, tmp_path: Path) -> None:
    adapt = Adapt(str(trained("llama", lora(), tmp_path)))
    donors = pair(family)
    sheet = BuildSheet("a", donors, (Stack.of(stack), adapt))

    with untouched(donors["a"].model, donors["b"].model):
        found = check(sheet)
        with pytest.raises(BuildError, match=said) as caught:
            build(sheet)

    assert [finding.verdict for finding in found.findings] == ["fits", "refused", "fits"]
    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize("damage", ["gone", "empty", "cut short", "not finite"])
def test_a_folder_that_holds_no_adapter(damage: str, tmp_path: Path) -> None:
    folder = trained("llama", lora(), tmp_path / "adapter")
    tensors = folder / "adapter_model.safetensors"
    if damage == "gone":
        folder = tmp_path / "nothing"
    elif damage == "empty":
        tensors.unlink()
    elif damage == "cut short":
        tensors.write_bytes(tensors.read_bytes()[:200])
    else:
        name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
        rewritten(folder, **{name: torch.full((4, 32), torch.nan)})
    donors = {"a": lift(tiny("llama"))}

    with untouched(donors["a"].model), pytest.raises(BuildError) as caught:
        build(BuildSheet("a", donors, (Adapt(str(folder)),)))

    assert str(caught.value).count("\n") == 1


def test_around_a_guest(tmp_path: Path) -> None:
    """An adapter for modules that a guest has taken the place of does not fit; one for others does."""
    donors = of_two("llama", guest("gpt2"))
    swap = Swap("ffn_1", Ref("b"), "untrained")
    other = Adapt(str(trained("llama", lora(target_modules=["q_proj"]), tmp_path / "other")))

    hybrid = build(BuildSheet("a", donors, (swap, other)))

    plain = build(BuildSheet("a", donors, (swap,))).model
    assert close(logits(hybrid.model), by_peft(plain, Path(other.folder)))
    assert torch.equal(logits(read_wrapper(hybrid.save_pretrained(tmp_path / "hybrid"))), logits(hybrid.model))


def test_a_guest_has_no_place_for_it(tmp_path: Path) -> None:
    donors = of_two("llama", guest("gpt2"))
    taken = Adapt(str(trained("llama", lora(target_modules=["up_proj"]), tmp_path / "taken")))
    sheet = BuildSheet("a", donors, (Swap("ffn_1", Ref("b"), "untrained"), taken))

    with untouched(donors["a"].model, donors["b"].model), pytest.raises(BuildError) as caught:
        build(sheet)

    assert str(caught.value).count("\n") == 1
