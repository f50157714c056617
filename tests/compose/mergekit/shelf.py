"""Shelf: three saved models of a family, and what the real mergekit makes of a recipe over them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor

from tests.compose.mergekit.recipes import LAYERS
from tests.families import saved, tiny

Tensors = dict[str, Tensor]
Shelves = Callable[[str], dict[str, str]]


def shelves_in(factory: pytest.TempPathFactory) -> Shelves:
    """Family -> its three folders, made when they are first asked for."""
    return cache(lambda family: shelved(family, factory.mktemp(family)))


def shelved(family: str, folder: Path, **changes: Any) -> dict[str, str]:
    """`a` and `b` by different seeds, `c` as `a` but for a little. Each has a tokenizer."""
    folders = {letter: saved(family, folder / letter, LAYERS) for letter in "abc"}
    for seed, place in enumerate(folders.values()):
        tiny(family, LAYERS, seed % 2, **changes).save_pretrained(place)
    nudged = tiny(family, LAYERS, **changes)
    draw = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in nudged.parameters():
            parameter.add_(0.003 * torch.randn(parameter.shape, generator=draw))
    nudged.save_pretrained(folders["c"])
    return folders


def weights_of(folder: str) -> Tensors:
    """As the model has them in memory, where mergekit has them too: experts of one layer as one tensor."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def tensors_in(folder: str | Path) -> Tensors:
    return {name: tensor for path in Path(folder).glob("*.safetensors") for name, tensor in load_file(path).items()}


def merged_by_mergekit(text: str, out: Path, seed: int = 0) -> Tensors:
    """The global random numbers stay as they are."""
    pytest.importorskip("mergekit")
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        run_merge(MergeConfiguration.model_validate(yaml.safe_load(text)), str(out), options)
    return tensors_in(out)
