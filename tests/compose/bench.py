"""Donors of every family, hybrids of them, and the same hybrids made naively by transformers' own means alone."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.hybrid import Hybrid
from garage_nb.compose.graft import Graft, Stack
from garage_nb.compose.layout.check import Check, check
from garage_nb.compose.sheet import BuildSheet
from garage_nb.registry.lift import Lifted, lift
from tests.families import FAMILIES, prompt, tiny

MORE = ["bloom", "falcon", "opt", "gpt_neox", "gpt_neo", "qwen3_moe", "olmoe"]
EVERY = [*FAMILIES, *MORE]
_MOE: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 16}
_SMALL: dict[str, dict[str, Any]] = {
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "qwen3_moe": {**_MOE, "moe_intermediate_size": 16, "head_dim": 8},
    "olmoe": _MOE,
    "gpt_neo": {"window_size": 4},
}
STACK = "1 0 b[3] b[1:3] 1"  # another order, one dropped, one repeated, two models
BLOCKS = [("a", 1), ("a", 0), ("b", 3), ("b", 1), ("b", 2), ("a", 1)]


def model(family: str, layers: int = 3, seed: int = 0, **changes: Any) -> Any:
    own = dict(_SMALL.get(family, {}))
    if family == "gpt_neo":
        own["attention_types"] = [[["global", "local", "global", "local"][:layers], 1]]
    return tiny(family, layers, seed, **{**own, **changes})


def pair(family: str, **changes: Any) -> dict[str, Lifted]:
    """`a` of three layers and `b` of four, alike but for their weights."""
    return {"a": lift(model(family, **changes)), "b": lift(model(family, 4, seed=1, **changes))}


def checked(donors: dict[str, Any], *grafts: Graft) -> Check:
    return check(BuildSheet("a", donors, grafts))


def built(donors: dict[str, Any], *grafts: Graft) -> Hybrid:
    return build(BuildSheet("a", donors, grafts))


@cache
def stacked(family: str) -> tuple[dict[str, Lifted], Hybrid]:
    """STACK of two donors, once for all tests. Nobody changes them."""
    donors = pair(family)
    return donors, built(donors, Stack.of(STACK))


@torch.no_grad()
def logits(model: Any, ids: Tensor | None = None) -> Tensor:
    found: Tensor = model(prompt() if ids is None else ids, use_cache=False).logits
    return found


def blocks_of(model: Any) -> nn.ModuleList:
    """The outermost list of modules, which in all of these holds the blocks."""
    return next(module for module in model.modules() if isinstance(module, nn.ModuleList))


def naive_stack(base: Any, blocks: list[tuple[Any, int]]) -> Any:
    """A fresh model of so many blocks, with the weights of each copied in."""
    config = copy.deepcopy(base.config)
    config.num_hidden_layers = len(blocks)
    for name in ("layer_types", "attention_layers"):
        if getattr(config, name, None):
            setattr(config, name, [getattr(donor.config, name)[layer] for donor, layer in blocks])
    made = fresh(base, config)
    home = next(path for path, module in base.named_modules() if module is blocks_of(base))
    outside = {name: tensor for name, tensor in base.state_dict().items() if not name.startswith(f"{home}.")}
    made.load_state_dict(outside, strict=False)
    for place, (donor, layer) in enumerate(blocks):
        blocks_of(made)[place].load_state_dict(blocks_of(donor)[layer].state_dict())
    return made


def fresh(base: Any, config: Any) -> Any:
    """A model of the same class with weights of its own, drawn without the global random numbers."""
    with torch.random.fork_rng():
        return type(base)._from_config(config, attn_implementation=base.config._attn_implementation).eval()


def naive_swap(base: Any, *changes: tuple[str, Any, str], config: Any = None) -> Any:
    """A copy of the base in which modules, by path, have the weights of modules of others."""
    made = fresh(base, copy.deepcopy(config or base.config))
    made.load_state_dict(base.state_dict())
    for path, donor, theirs in changes:
        made.get_submodule(path).load_state_dict(donor.get_submodule(theirs).state_dict())
    return made
