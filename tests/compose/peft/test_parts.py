"""What an adapter changes is listed as it stands in its files, and a folder that lies is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from garage_nb.compose.peft.parts import peft_parts
from garage_nb.errors import BuildError
from garage_nb.registry.decompose import spec_of
from tests.compose.peft.adapters import ia3, lora, resaid, rewritten, trained
from tests.families import tiny

NAME = "base_model.model.model.layers.1.self_attn.q_proj.lora_{}.weight"


@pytest.mark.parametrize(("family", "config", "rows"), [
    ("llama", lora(), {"model.layers.2.mlp.down_proj": "ffn_2", "model.layers.0.self_attn.q_proj": "attention_0"}),
    ("gpt2", lora(target_modules=["c_attn", "c_fc"], fan_in_fan_out=True),
     {"transformer.h.1.attn.c_attn": "attention_1", "transformer.h.2.mlp.c_fc": "ffn_2"}),
    ("opt", lora(target_modules=["fc1", "v_proj"]),
     {"model.decoder.layers.1.fc1": "ffn_1", "model.decoder.layers.0.self_attn.v_proj": "attention_0"}),
    ("mixtral", lora(target_modules=["o_proj"]), {"model.layers.1.self_attn.o_proj": "attention_1"}),
])  # fmt: skip
def test_every_module_sits_in_its_part(tmp_path: Path, family: str, config: Any, rows: dict[str, str]) -> None:
    folder = trained(family, config, tmp_path)

    parts = peft_parts(folder, spec_of(tiny(family)))

    found = parts.frame()["part"].to_dict()
    assert {module: found[module] for module in rows} == rows
    assert len(found) == 3 * len(config.target_modules)
    assert all(found.values())
    assert parts.numbers == sum(one.numel() for one in load_file(folder / "adapter_model.safetensors").values())


def test_ranks_alphas_and_scales_are_those_of_each_module(tmp_path: Path) -> None:
    config = lora(use_rslora=True, rank_pattern={"1.self_attn.q_proj": 2}, alpha_pattern={"down_proj": 12})
    frame = peft_parts(trained("llama", config, tmp_path)).frame()

    one, other = frame.loc["model.layers.1.self_attn.q_proj"], frame.loc["model.layers.1.mlp.down_proj"]

    assert [one["rank"], one["alpha"], one["scale"], one["numbers"]] == [2, 8, pytest.approx(8 / 2**0.5), 128]
    assert [other["rank"], other["alpha"], other["scale"], other["numbers"]] == [4, 12, 6, 384]
    assert set(frame["part"]) == {""}


def test_scales_are_those_of_peft(tmp_path: Path) -> None:
    from peft import PeftModel

    config = lora(
        rank_pattern={"layers.1.self_attn.q_proj": 8, "q_proj": 2}, alpha_pattern={"layers.2.mlp.down_proj": 1}
    )
    folder = trained("llama", config, tmp_path)
    loaded = PeftModel.from_pretrained(tiny("llama"), str(folder)).base_model.model

    frame = peft_parts(folder).frame()

    assert {name: loaded.get_submodule(name).scaling["default"] for name in frame.index} == frame["scale"].to_dict()
    assert {name: loaded.get_submodule(name).r["default"] for name in frame.index} == frame["rank"].to_dict()


def test_layer_ten_stands_behind_layer_nine(tmp_path: Path) -> None:
    folder = trained("llama", lora(target_modules=["q_proj"]), tmp_path, layers=11)

    layers = [int(name.split(".")[2]) for name in peft_parts(folder).frame().index]

    assert layers == list(range(11))


def test_the_picture_escapes_and_names_the_kind(tmp_path: Path) -> None:
    folder = trained("llama", lora(use_dora=True), tmp_path)
    resaid(folder, base_model_name_or_path="<script>alert(1)</script>")

    parts = peft_parts(folder)

    assert "<script>" not in parts._repr_html_()
    assert "DoRA" in repr(parts)
    assert "trained on <script>" in repr(parts)
    assert set(peft_parts(trained("llama", ia3(), tmp_path / "ia3")).frame()["kind"]) == {"IA3"}


def refused(folder: Path, message: str) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(BuildError, match=message) as caught:
        peft_parts(folder)
    assert str(caught.value).count("\n") == 1
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize(("said", "message"), [
    ({"peft_type": "PROMPT_TUNING"}, "kind 'PROMPT_TUNING'; known are LORA, IA3"),
    ({"peft_type": ["LORA"]}, "is of kind"),
    ({"bias": "all"}, "says bias 'all', which is not done here"),
    ({"modules_to_save": ["lm_head"]}, "says modules_to_save"),
    ({"layer_replication": [[0, 2], [1, 3]]}, "says layer_replication"),
    ({"megatron_config": {"a": 1}}, "says megatron_config"),
    ({"init_lora_weights": "pissa"}, "says init_lora_weights 'pissa'"),
    ({"use_qalora": True}, "says use_qalora"),
    ({"of_a_later_version": 3}, "says of_a_later_version '3'"),
    ({"rank_pattern": {"(a+)+$": 4}}, "rank_pattern by more than names"),
    ({"alpha_pattern": {"q_proj": "x"}}, "says alpha_pattern 'x'"),
    ({"r": 8}, "ranks 4 and 4 at .*, and says 8"),
    ({"r": True}, "says r 'True'"),
    ({"r": 0}, "says r '0'"),
    ({"lora_alpha": None}, "says lora_alpha"),
    ({"use_dora": True}, "by its config it has lora_A.weight, lora_B.weight, lora_magnitude_vector"),
])  # fmt: skip
def test_words_that_change_the_arithmetic_are_refused(tmp_path: Path, said: dict[str, Any], message: str) -> None:
    resaid(trained("llama", lora(), tmp_path), **said)

    refused(tmp_path, message)


def test_words_that_name_things_to_import_or_fetch_are_only_shown(tmp_path: Path) -> None:
    resaid(
        trained("llama", lora(), tmp_path), megatron_core="antigravity", base_model_name_or_path="//evil.example/x",
        auto_mapping={"base_model_class": "os", "parent_library": "antigravity"}, of_a_later_version=None,
    )  # fmt: skip

    assert peft_parts(tmp_path).base == "//evil.example/x"


@pytest.mark.parametrize(("tensors", "message"), [
    ({NAME.format("B"): None}, "has lora_A.weight of model.layers.1.self_attn.q_proj; by its config"),
    ({"base_model.model.lm_head.weight": torch.ones(2)}, "holds base_model.model.lm_head.weight, which is of no"),
    ({NAME.format("A"): torch.full((4, 32), torch.nan)}, "lora_A.weight of .* is not finite"),
    ({NAME.format("A"): torch.ones(4, 32, dtype=torch.int32)}, "is not finite"),
    ({NAME.format("A"): torch.ones(128)}, "that is no matrix"),
    ({NAME.format("A"): torch.ones(3, 32)}, "ranks 3 and 4 at model.layers.1.self_attn.q_proj, and says 4"),
])  # fmt: skip
def test_tensors_that_peft_would_pass_over_are_refused(tmp_path: Path, tensors: dict[str, Any], message: str) -> None:
    rewritten(trained("llama", lora(), tmp_path), **tensors)

    refused(tmp_path, message)


def test_files_that_are_missing_pickled_or_cut_short_are_refused(tmp_path: Path) -> None:
    weights = trained("llama", lora(), tmp_path) / "adapter_model.safetensors"
    whole = weights.read_bytes()

    weights.write_bytes(whole[:-1])
    refused(tmp_path, "no whole safetensors file")
    weights.unlink()
    refused(tmp_path, "adapter_model.safetensors cannot be read: No such file")
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80")
    refused(tmp_path, "adapter_model.bin, which may run code")
    (tmp_path / "adapter_config.json").write_text(json.dumps([1]))
    refused(tmp_path, "no JSON object")
    (tmp_path / "adapter_config.json").unlink()
    refused(tmp_path, "adapter_config.json cannot be read")
