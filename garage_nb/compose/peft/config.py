"""AdapterConfig: what an adapter_config.json says of the arithmetic. What else it says has to say nothing.

No name in it is imported, no path or address followed, no pattern compiled: the tensors say which modules they are of.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ...errors import BuildError
from ...inject.borrowed.files import json_in

Number = TypeVar("Number", int, float)

KINDS = {"LORA": "LoRA", "IA3": "IA3"}
_READ = {
    "peft_type", "base_model_name_or_path", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora",
    "use_dora", "target_modules", "layers_to_transform", "exclude_modules",
}  # fmt: skip
_NO_MATTER = {
    "auto_mapping", "peft_version", "revision", "task_type", "inference_mode", "fan_in_fan_out", "lora_dropout",
    "feedforward_modules", "init_ia3_weights", "layers_pattern", "megatron_core", "qalora_group_size",
    "eva_config", "loftq_config", "ensure_weight_tying",
}  # fmt: skip
_LEAVE_BASE_ALONE = (True, False, None, "gaussian", "orthogonal", "eva")  # ways to draw the first numbers
_NOTHING: tuple[Any, ...] = (None, False, "", "none", [], {})
_NAME = re.compile(r"[\w.]+")


@dataclass(frozen=True)
class AdapterConfig:
    """`targets` are the names of modules every one of which has an adapter; empty where that was not said so plainly.

    Ranks and alphas by name are of the modules that are so called, or whose path ends so.
    """

    kind: str
    base: str
    targets: tuple[str, ...] = ()
    rank: int = 0
    alpha: float = 0.0
    ranks: Mapping[str, int] = field(default_factory=dict)
    alphas: Mapping[str, float] = field(default_factory=dict)
    stabilised: bool = False
    decomposed: bool = False

    def rank_of(self, path: str) -> int:
        return _named(self.ranks, path, self.rank)

    def alpha_of(self, path: str) -> float:
        return _named(self.alphas, path, self.alpha)

    def scale_of(self, path: str) -> float:
        """What the product B·A is multiplied by; stabilised as in Kalajdzievski, "rsLoRA", 2023."""
        rank = self.rank_of(path)
        return self.alpha_of(path) / (math.sqrt(rank) if self.stabilised else rank)


def adapter_config(path: Path) -> AdapterConfig:
    """BuildError, naming the word, for what is missing, unknown, or cannot be merged."""
    said = json_in(path, BuildError)
    kind = said.get("peft_type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BuildError(f"{path} is of kind {str(kind)[:40]!r}; known are {', '.join(KINDS)}.", "Merge it with PEFT.")
    unknown = sorted(name for name in said.keys() - _READ - _NO_MATTER if not _says_nothing(name, said[name]))
    if unknown:
        raise BuildError(
            f"{path} says {unknown[0][:40]} {str(said[unknown[0]])[:40]!r}, which is not done here.",
            "Merge it with PEFT, and load the merged model.",
        )
    about = AdapterConfig(KINDS[kind], str(said.get("base_model_name_or_path") or ""), _targets(said))
    return about if kind == "IA3" else _lora(about, said, path)


def _lora(about: AdapterConfig, said: Mapping[str, Any], path: Path) -> AdapterConfig:
    rank, alpha = (_number(said.get(name), name, path) for name in ("r", "lora_alpha"))
    ranks, alphas = (_pattern(said.get(name) or {}, name, path) for name in ("rank_pattern", "alpha_pattern"))
    whole = {name: int(value) for name, value in {"": rank, **ranks}.items()}
    stabilised, decomposed = said.get("use_rslora") is True, said.get("use_dora") is True
    return AdapterConfig(
        about.kind, about.base, about.targets, whole.pop(""), alpha, whole, alphas, stabilised, decomposed
    )


def _targets(said: Mapping[str, Any]) -> tuple[str, ...]:
    names = said.get("target_modules")
    plain = isinstance(names, list) and all(isinstance(name, str) for name in names)
    some = any(said.get(name) for name in ("layers_to_transform", "exclude_modules"))
    return tuple(names) if plain and names and not some else ()


def _pattern(said: Any, name: str, path: Path) -> dict[str, float]:
    if not isinstance(said, dict) or not all(_NAME.fullmatch(key) for key in said):
        raise BuildError(f"{path} says {name} by more than names of modules.", "Merge it with PEFT.")
    return {key: _number(value, name, path) for key, value in said.items()}


def _number(value: Any, name: str, path: Path) -> float:
    whole = name in ("r", "rank_pattern")
    if type(value) not in ((int,) if whole else (int, float)) or not math.isfinite(value) or (whole and value < 1):
        raise BuildError(f"{path} says {name} {str(value)[:40]!r}, which is no number for it.", "Fetch the file again.")
    return value  # type: ignore[no-any-return]


def _says_nothing(name: str, value: Any) -> bool:
    known = _LEAVE_BASE_ALONE if name == "init_lora_weights" else _NOTHING
    return any(value == one and type(value) is type(one) for one in known)


def _named(by_name: Mapping[str, Number], path: str, otherwise: Number) -> Number:
    """The first that fits, as PEFT has it."""
    fits = (value for name, value in by_name.items() if path == name or path.endswith(f".{name}"))
    return next(fits, otherwise)
