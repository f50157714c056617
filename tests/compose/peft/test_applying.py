"""An adapter merged by the garage is the adapter that PEFT runs, and the model it was given keeps every bit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.compose.peft.applying import with_adapter
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.errors import BuildError
from tests.compose.peft.adapters import ia3, lora, resaid, rewritten, trained
from tests.families import prompt, tiny

CASES: dict[str, tuple[str, Any]] = {
    "llama": ("llama", lora),
    "gpt2": ("gpt2", lambda: lora(target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True)),
    "stabilised qwen3": ("qwen3", lambda: lora(target_modules="all-linear", use_rslora=True)),
    "DoRA gemma2": ("gemma2", lambda: lora(use_dora=True)),
    "DoRA gpt2": ("gpt2", lambda: lora(target_modules=["c_attn"], use_dora=True, fan_in_fan_out=True)),
    "phi by patterns": (
        "phi",
        lambda: lora(
            target_modules=["q_proj", "fc1"], rank_pattern={"layers.1.mlp.fc1": 2}, alpha_pattern={"q_proj": 3}
        ),
    ),
    "mixtral": ("mixtral", lambda: lora(target_modules=["q_proj", "o_proj"])),
    "a pattern of modules": ("llama", lambda: lora(target_modules=r".*\.1\..*(q|k)_proj")),
    "some layers": ("llama", lambda: lora(layers_to_transform=[1], layers_pattern="layers")),
    "IA3": ("mistral", ia3),
    "IA3 gpt2": ("gpt2", lambda: ia3(target_modules=["c_attn", "mlp.c_proj"], feedforward_modules=["mlp.c_proj"])),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    family, config = CASES[request.param]
    return family, trained(family, config(), tmp_path / "adapter")


def by_peft(family: str, folder: Path, dtype: torch.dtype = torch.float32) -> Tensor:
    """The forward of PEFT's own model, the adapter beside the weights."""
    from peft import PeftModel

    with torch.no_grad():
        return PeftModel.from_pretrained(tiny(family).to(dtype), str(folder)).eval()(prompt()).logits


def logits(model: Any) -> Tensor:
    with torch.no_grad():
        return model(prompt()).logits


def test_it_is_what_peft_runs_and_the_donor_keeps_its_bits(case: tuple[str, Path]) -> None:
    family, folder = case
    model = tiny(family)
    before, bare = Fingerprint.of(model), logits(model)

    adapted = with_adapter(model, folder)
    found, expected = logits(adapted.model), by_peft(family, folder)

    assert not before.differences(Fingerprint.of(model))
    assert torch.equal(logits(model), bare)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max() < (found - bare).abs().max()
    assert adapted.error <= 1e-5 <= adapted.allowed == 1000 * torch.finfo(torch.float32).eps


def test_the_result_is_a_plain_model_of_its_class(case: tuple[str, Path], tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    family, folder = case
    model = tiny(family)

    merged = with_adapter(model, folder).model
    merged.save_pretrained(tmp_path / "merged")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")

    assert type(merged) is type(model)
    assert vars(merged).keys() == vars(model).keys()
    assert [(name, type(one)) for name, one in merged.named_modules()] == [
        (name, type(one)) for name, one in model.named_modules()
    ]
    assert [weight.requires_grad for weight in merged.parameters()] == [True] * len(list(model.parameters()))
    assert torch.equal(logits(again), logits(merged))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_in_any_dtype(tmp_path: Path, dtype: torch.dtype) -> None:
    folder = trained("llama", lora(), tmp_path)

    adapted = with_adapter(tiny("llama").to(dtype), folder)

    expected = by_peft("llama", folder, dtype)
    assert adapted.model.dtype == dtype
    assert (logits(adapted.model) - expected).abs().max() <= adapted.allowed * expected.abs().max()
    assert adapted.error <= adapted.allowed <= 0.1


def test_what_was_not_adapted_is_shared_and_what_was_is_not(tmp_path: Path) -> None:
    model = tiny("gpt2")
    merged = with_adapter(model, trained("gpt2", lora(target_modules=["c_attn"]), tmp_path)).model

    pairs = {name: (weight, merged.get_parameter(name)) for name, weight in model.named_parameters()}
    shared = {name for name, (mine, theirs) in pairs.items() if mine.data_ptr() == theirs.data_ptr()}

    assert {name for name in pairs if name not in shared} == {
        name for name in pairs if name.endswith(("c_attn.weight", "c_attn.bias"))
    }
    assert all(mine is not theirs for mine, theirs in pairs.values())
    assert merged.lm_head.weight is merged.transformer.wte.weight


@pytest.mark.parametrize("scale", [0.0, 0.5, -2.0])
def test_scaled_it_adds_so_many_times(tmp_path: Path, scale: float) -> None:
    model, name = tiny("llama"), "model.layers.1.self_attn.q_proj.weight"
    folder = trained("llama", lora(use_rslora=True), tmp_path)

    merged = with_adapter(model, folder, scale).model

    from safetensors.torch import load_file

    file = load_file(str(folder / "adapter_model.safetensors"))
    a, b = (file[f"base_model.model.{name[:-6]}lora_{part}.weight"].double() for part in "AB")
    expected = model.get_parameter(name).double() + scale * 8 / 4**0.5 * b @ a
    torch.testing.assert_close(merged.get_parameter(name).double(), expected, rtol=0, atol=1e-6)


def refused(model: Any, folder: Path, message: str, **how: Any) -> None:
    before = Fingerprint.of(model)
    with pytest.raises(BuildError, match=message) as caught:
        with_adapter(model, folder, **how)
    assert str(caught.value).count("\n") == 1
    assert not before.differences(Fingerprint.of(model))
    assert not hasattr(model, "peft_config")


KEY = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"


def test_another_width_is_refused_naming_both(tmp_path: Path) -> None:
    folder = trained("llama", lora(), tmp_path)
    resaid(folder, base_model_name_or_path="https://evil.example/model")

    refused(
        tiny("llama", hidden_size=16, head_dim=8), folder,
        r"lora_B.weight of model.layers.0.mlp.down_proj .* is \(32, 4\); the module is 64 wide at its input and 16",
    )  # fmt: skip


def test_another_depth_is_refused_both_ways(tmp_path: Path) -> None:
    folder = trained("llama", lora(), tmp_path)

    refused(tiny("llama", layers=2), folder, "tensors for model.layers.2.mlp.down_proj, which is no module of this Ll")
    refused(tiny("llama", layers=4), folder, "adapts every .*, and has no tensors for model.layers.3")


def test_another_architecture_is_refused_by_a_name(tmp_path: Path) -> None:
    refused(tiny("gpt2"), trained("llama", lora(), tmp_path), "which is no module of this GPT2LMHeadModel")


def test_a_tied_weight_is_refused(tmp_path: Path) -> None:
    folder = trained("gpt2", lora(target_modules=["lm_head"]), tmp_path)
    refused(tiny("gpt2"), folder, "holds base_model.model.lm_head.base_layer.weight, which is of no adapter known")

    rewritten(folder, **{"base_model.model.lm_head.base_layer.weight": None})

    refused(tiny("gpt2"), folder, "adapts lm_head, whose weight other modules share")


def test_experts_that_are_no_linear_modules_are_refused(tmp_path: Path) -> None:
    config = lora(target_modules=["q_proj"], target_parameters=["mlp.experts.gate_up_proj"])

    refused(tiny("mixtral"), trained("mixtral", config, tmp_path), "says target_parameters .*, which is not done here")


def test_a_model_without_its_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"not in memory \(model.embed_tokens.weight"):
        with_adapter(tiny("llama").to("meta"), trained("llama", lora(), tmp_path))


def test_a_factor_has_no_scale(tmp_path: Path) -> None:
    refused(tiny("llama"), trained("llama", ia3(), tmp_path), "IA3 multiplies", scale=0.5)


def test_without_peft_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trained("llama", lora(), tmp_path)
    monkeypatch.setitem(sys.modules, "peft", None)

    refused(tiny("llama"), folder, "peft, which is not installed")


def test_what_overflows_is_refused(tmp_path: Path) -> None:
    folder = trained("llama", lora(), tmp_path)
    rewritten(folder, **{KEY.format("A"): torch.full((4, 32), 1e30), KEY.format("B"): torch.full((32, 4), 1e30)})

    refused(tiny("llama"), folder, "PEFT cannot merge|gives logits nan")


def test_drawing_no_random_number(tmp_path: Path) -> None:
    folder = trained("llama", lora(), tmp_path)
    state = torch.get_rng_state()

    with_adapter(tiny("llama"), folder)

    assert torch.equal(torch.get_rng_state(), state)
