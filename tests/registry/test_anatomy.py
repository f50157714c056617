"""Anatomy: equal for models one catalogue is true of, different wherever it might not be."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from garage_nb.registry import anatomy
from garage_nb.registry.anatomy import anatomy_of
from tests.families import FAMILIES, prompt, saved, tiny


def test_other_weights_have_the_same_anatomy(any_model: Any) -> None:
    twin = tiny(any_model.config.model_type, seed=1)

    assert anatomy_of(twin) == anatomy_of(any_model)


def test_families_have_different_anatomies() -> None:
    assert len({anatomy_of(tiny(model_type)) for model_type in FAMILIES}) == len(FAMILIES)


def test_a_model_keeps_its_anatomy_through_a_folder(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = saved("llama", tmp_path / "mine")
    loaded = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False)

    assert anatomy_of(loaded) == anatomy_of(tiny("llama"))


def test_a_model_keeps_its_anatomy_while_it_is_used(llama: Any) -> None:
    before = anatomy_of(llama)

    llama.train()
    llama(prompt(), labels=prompt(), output_hidden_states=True).loss.backward()
    llama.generate(prompt(), max_new_tokens=2, do_sample=False)
    llama.config.name_or_path = "elsewhere"
    llama.config.use_cache = False

    assert anatomy_of(llama) == before


@pytest.mark.parametrize(
    "changes",
    [{"num_hidden_layers": 2}, {"hidden_act": "gelu"}, {"num_key_value_heads": 4}, {"intermediate_size": 96},
     {"rms_norm_eps": 1e-3}, {"tie_word_embeddings": True}, {"attention_bias": True}, {"vocab_size": 65},
     {"rope_parameters": {"rope_type": "default", "rope_theta": 99.0}}, {"attn_implementation": "eager"}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_a_config_that_differs_tells(llama: Any, changes: dict[str, Any]) -> None:
    assert anatomy_of(tiny("llama", **changes)) != anatomy_of(llama)


def _swap(model: Any) -> None:
    model.model.layers[1].mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))


def _adapt(model: Any) -> None:
    projection = model.model.layers[1].mlp.down_proj
    projection.adapter = nn.Linear(64, 2)


def _share(model: Any) -> None:
    model.model.layers[2] = model.model.layers[0]


def _share_another(model: Any) -> None:
    model.model.layers[2] = model.model.layers[1]


def _tie(model: Any) -> None:
    model.lm_head.weight = model.model.embed_tokens.weight


def _drop(model: Any) -> None:
    del model.model.layers[1]


def _reverse(model: Any) -> None:
    model.model.layers = nn.ModuleList([model.model.layers[0], tiny("gpt2").transformer.h[0], model.model.layers[2]])


def _patch(model: Any) -> None:
    block = model.model.layers[1]
    forward = block.forward
    block.forward = lambda *args, **options: forward(*args, **options)


def _patch_otherwise(model: Any) -> None:
    block = model.model.layers[1]
    forward = block.forward
    block.forward = lambda *args, **options: forward(*args, **options) * 2


def _halve(model: Any) -> None:
    model.to(torch.bfloat16)


def test_a_model_taken_apart_tells() -> None:
    """The config says nothing of any of these."""
    found = {anatomy_of(tiny("llama"))}

    for change in (_swap, _adapt, _share, _share_another, _tie, _drop, _reverse, _patch, _patch_otherwise, _halve):
        model = tiny("llama")
        change(model)
        assert anatomy_of(model) not in found, change.__name__
        found.add(anatomy_of(model))


def test_another_probe_or_transformers_opens_anew(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {anatomy_of(llama)}
    monkeypatch.setattr(anatomy, "PROBE_VERSION", anatomy.PROBE_VERSION + 1)
    found.add(anatomy_of(llama))
    monkeypatch.setattr(anatomy, "version", lambda name: "99.0")
    found.add(anatomy_of(llama))

    assert len(found) == 3


# A user's own modules


BLOCK = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, heads=2):
        super().__init__()
        self.heads = heads
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, hidden):
        mode = "odd" if "x" in {"k", "l", "m", "n"} else "even"
        hidden = hidden + self.a(hidden)
        return hidden + [self.b(hidden) for _ in range(1)][0]
"""


Cell = Callable[[str], Any]


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    """The class a notebook's cell would define."""

    def run(text: str) -> Any:
        (tmp_path / "cell.py").write_text(text)
        return runpy.run_path(str(tmp_path / "cell.py"), run_name="__main__")["Block"]

    return run


def test_running_a_cell_again_changes_nothing(cell: Cell) -> None:
    assert anatomy_of(cell(BLOCK)()) == anatomy_of(cell("\n\n# a comment\n" + BLOCK)())


@pytest.mark.parametrize(
    ("old", "new"),
    [("hidden = hidden + self.a(hidden)", "hidden = self.a(hidden)"), ("range(1)", "range(2)"),
     ("self.b(hidden)", "self.a(hidden)"), ('"m"', '"o"'), ("class Block", "class Other: ...\nclass Block")],
)  # fmt: skip
def test_a_cell_edited_tells_where_it_edits_the_class(cell: Cell, old: str, new: str) -> None:
    assert BLOCK.count(old) == 1
    edited = cell(BLOCK.replace(old, new))

    assert (anatomy_of(edited()) == anatomy_of(cell(BLOCK)())) == ("Other" in new)


def test_settings_tell_where_no_config_does(cell: Cell) -> None:
    block = cell(BLOCK)

    assert anatomy_of(block(heads=4)) != anatomy_of(block(heads=2))


@pytest.mark.parametrize("settings", [{"norm_first": True}, {"activation": "gelu"}, {"nhead": 4}, {"bias": False}])
def test_settings_of_torch_modules_tell(settings: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"d_model": 8, "nhead": 2, "dim_feedforward": 16}

    changed = nn.TransformerEncoderLayer(**{**plain, **settings})

    assert anatomy_of(changed) != anatomy_of(nn.TransformerEncoderLayer(**plain))
    assert anatomy_of(changed) == anatomy_of(nn.TransformerEncoderLayer(**{**plain, **settings}))


@dataclass
class Settings:
    heads: int = 2


def test_a_users_own_config_tells() -> None:
    found = []
    for heads in (2, 4, 2):
        module = nn.Linear(2, 2)
        module.config = Settings(heads)  # type: ignore[assignment]
        found.append(anatomy_of(module))

    assert found[0] == found[2] != found[1]


def test_modules_that_hold_each_other_have_an_end() -> None:
    outer = nn.Sequential(nn.Linear(2, 2))
    outer[0].owner = outer

    assert len(anatomy_of(outer)) == 64


ELSEWHERE = """
import runpy, sys
from garage_nb.registry.anatomy import anatomy_of
print(anatomy_of(runpy.run_path(sys.argv[1], run_name="__main__")["Block"]()))
"""


def test_another_process_finds_the_same(cell: Cell, tmp_path: Path) -> None:
    """Sets of words have another order there."""
    here = anatomy_of(cell(BLOCK)())

    found = {
        subprocess.run(
            [sys.executable, "-c", ELSEWHERE, str(tmp_path / "cell.py")], capture_output=True, text=True, timeout=300,
            check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip

    assert found == {here}
