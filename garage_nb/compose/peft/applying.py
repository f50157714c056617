"""A model with an adapter in its weights: PEFT computes them, and what it computes is held against the adapter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ...core.batch import probe
from ...core.calling import answer, asked
from ...core.rounding import allowed_rounding
from ...errors import BuildError
from ...extract.copying import copied
from .adapter import FACTORS, Adapter, adapter_in
from .fit import demand_fit, demand_in_memory, is_conv
from .parts import AdapterParts, parts_of


@dataclass(frozen=True, eq=False)
class Adapted:
    """`model` is of the class that was given and knows nothing of PEFT. What was not adapted shares its memory.

    `error` is the largest difference between its logits and those of the adapter beside the weights, relative to the
    largest of them; at most `allowed`.
    """

    model: Any
    parts: AdapterParts
    error: float
    allowed: float


def with_adapter(model: nn.Module, folder: str | Path, scale: float = 1.0) -> Adapted:
    """A new model; the one given keeps its bits and its modules, whatever happens.

    `scale` times what LoRA adds. BuildError for an adapter that is damaged or not this model's, or without peft.
    """
    adapter = adapter_in(folder)
    demand_in_memory(model)
    demand_fit(adapter, model)
    if scale != 1 and adapter.config.kind == "IA3":
        raise BuildError("IA3 multiplies, and has no scale.", "Leave it at 1.")
    with _in_words(adapter), torch.random.fork_rng(devices=[]), torch.no_grad():
        beside = _beside(_own(model, adapter), adapter, scale)
        expected = _logits(beside)
        merged = beside.merge_and_unload(safe_merge=True)
        for mine, theirs in zip(merged.parameters(), model.parameters(), strict=True):
            mine.requires_grad_(theirs.requires_grad)
        found = _logits(merged)
    error, allowed = _relative(found, expected), allowed_rounding(expected.dtype)
    if not error <= allowed:
        raise BuildError(
            f"Merged, {adapter.folder} gives logits {error:.1g} from its own, beyond the rounding of {expected.dtype}.",
            "Load the model in float32 before merging.",
        )
    return Adapted(merged, parts_of(adapter), error, allowed)


def _own(model: nn.Module, adapter: Adapter) -> nn.Module:
    """Modules of its own over the same memory, but for the weights that will be written to."""
    instead: dict[int, Any] = {}
    for name, weight in model.named_parameters():
        data = weight.detach()
        data = data.clone() if name.rpartition(".")[0] in adapter.modules else data
        instead[id(weight)] = nn.Parameter(data, requires_grad=weight.requires_grad)
    return copied(model, instead)


def _beside(model: nn.Module, adapter: Adapter, scale: float) -> Any:
    """PEFT's model, with the tensors of the adapter beside the weights."""
    from peft import get_peft_model, set_peft_model_state_dict

    config = _CONFIGS[adapter.config.kind](model, adapter, scale)
    beside = get_peft_model(model, config, autocast_adapter_dtype=False, low_cpu_mem_usage=True)
    device = next(model.parameters()).device
    tensors = {name: tensor.to(device) for name, tensor in adapter.tensors.items()}
    taken: Any = set_peft_model_state_dict(beside, tensors, low_cpu_mem_usage=True)
    missing = [name for name, weight in beside.named_parameters() if weight.is_meta]
    if odd := [*taken.unexpected_keys, *missing]:
        raise ValueError(f"{odd[0]} has no counterpart")
    return beside.eval()


def _lora(model: nn.Module, adapter: Adapter, scale: float) -> Any:
    """Each module by its whole path, so that no name or pattern of the file's is looked for."""
    from peft import LoraConfig

    said, kind = adapter.config, cast(Any, LoraConfig)  # an alpha may have a fraction
    return kind(
        r=said.rank,
        lora_alpha=said.alpha * scale,
        target_modules=list(adapter.modules),
        rank_pattern={path: rank for path in adapter.modules if (rank := said.rank_of(path)) != said.rank},
        alpha_pattern={path: alpha * scale for path in adapter.modules if (alpha := said.alpha_of(path)) != said.alpha},
        use_rslora=said.stabilised,
        use_dora=said.decomposed,
        fan_in_fan_out=any(is_conv(model.get_submodule(path)) for path in adapter.modules),
    )


def _ia3(model: nn.Module, adapter: Adapter, scale: float) -> Any:
    """What multiplies the input of a module is a row, what multiplies its output a column."""
    from peft import IA3Config

    inputs = [path for path, roles in adapter.modules.items() if roles[FACTORS].shape[0] == 1]
    conv = any(is_conv(model.get_submodule(path)) for path in adapter.modules)
    return IA3Config(target_modules=list(adapter.modules), feedforward_modules=inputs, fan_in_fan_out=conv)


_CONFIGS = {"LoRA": _lora, "IA3": _ia3}


@contextmanager
def _in_words(adapter: Adapter) -> Iterator[None]:
    """What PEFT raises, in two lines; what it warns of was looked at before."""
    try:
        import peft  # noqa: F401
    except ImportError:
        raise BuildError("An adapter is merged by peft, which is not installed.", "pip install peft") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ValueError, RuntimeError, TypeError, NotImplementedError, LookupError, AttributeError) as error:
        raise BuildError(
            f"PEFT cannot merge {adapter.folder}: {error}", "Merge it with the PEFT that made it."
        ) from None


def _logits(model: Any) -> Tensor:
    return answer(asked(model, probe(model))())


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())
