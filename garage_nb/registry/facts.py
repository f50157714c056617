"""Facts that shapes do not tell, as plain JSON: of a whole model, and of each of its parts.

`facts(model)`, in `ModelSpec.extra_info`:

model_type    as the config calls it; "" for a module without a config
rope          rotary parameters, by kind of layer where these differ; None where nothing is rotated
activation    name of the activation, as the config or else the modules have it
tied_head     whether the output head is the embedding
layer_types   one word a layer ("full_attention", "sliding_attention", …); [] where all are alike
windows       how many tokens each layer looks back, None for all; [] where no layer has a window
multipliers   what is done to all embeddings or logits outside any part: {"embedding": {…}, "logits": {…}}

`part_facts(module, kind)`, in `PartSpec.extra_info`:

class         name of the module's class
formula       hash of its code, and `settings`, what the code reads, by name: see formula.py
weights       hash of names and shapes; equal ones load into each other
biases        whether any of its linear maps adds a bias
norm, eps     of a norm, from what it computes: "RMSNorm", "RMSNorm with 1 + w", "LayerNorm", …
activation    of the first activation inside, from what it computes
gated         of an ffn: True for three matrices, False for two, None when it cannot be told
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import Any

from torch import nn

from ..core.family import text_config
from ..core.stored import stored
from .elementary import activation_of, norm_of
from .formula import Known, formula_of
from .part_spec import PartSpec, PartType
from .specs import ModelSpec

_ACTIVATIONS = ("hidden_act", "hidden_activation", "activation_function", "activation")
_OLDER_ROPE = ("rope_theta", "rope_scaling", "rotary_dim", "rotary_pct", "partial_rotary_factor", "rotary_emb_base")
_OUTSIDE = {
    "embedding": re.compile(r"emb\w*_(mult|scal)|scale_(emb|input)"),
    "logits": re.compile(r"^(final_)?logits?_(scal|soft|mup)|^(lm_head|output)_multiplier"),
}


def with_facts(spec: ModelSpec, model: nn.Module) -> ModelSpec:
    """The spec with the facts of its live model and of every part."""
    known: Known = {}
    parts = {name: _with_part_facts(part, spec, model, known) for name, part in spec.parts.items()}
    return replace(spec, parts=parts, extra_info={**spec.extra_info, **facts(model)})


def facts(model: nn.Module) -> dict[str, Any]:
    config = text_config(model)
    return {
        "model_type": str(getattr(config, "model_type", "")),
        "rope": _rope(config),
        "activation": _activation(config, model),
        "tied_head": _is_tied(model),
        "layer_types": list(getattr(config, "layer_types", None) or ()),
        "windows": _windows(config),
        "multipliers": {of: _matching(config, names) for of, names in _OUTSIDE.items()},
    }


def part_facts(module: nn.Module, kind: PartType, known: Known | None = None) -> dict[str, Any]:
    formula, norm = formula_of(module, known), norm_of(module)
    told: dict[str, Any] = {
        "class": type(module).__name__,
        "formula": formula.code,
        "settings": formula.settings,
        "weights": _weights(module),
        "biases": any(name.rpartition(".")[2].endswith("bias") for name, _ in module.named_parameters()),
    }
    if norm is not None:
        return {**told, "norm": norm.name, "eps": norm.eps}
    activation = next((name for inner in module.modules() if (name := activation_of(inner))), None)
    if activation is not None:
        told["activation"] = activation
    return {**told, "gated": _is_gated(module)} if kind is PartType.FFN else told


def _with_part_facts(part: PartSpec, spec: ModelSpec, model: nn.Module, known: Known) -> PartSpec:
    """What no single module makes up is described by its whole layer."""
    path = part.module_path
    if "spread" in part.extra_info:
        around = (layer.module_path for layer in spec.of_type(PartType.FULL_LAYER))
        path = next((layer for layer in around if path.startswith(f"{layer}.")), path)
    told = part_facts(model.get_submodule(path), part.part_type, known)
    return replace(part, extra_info={**part.extra_info, **told})


def _rope(config: Any) -> dict[str, Any] | None:
    """Without what says nothing: empty entries, and the whole of a head being rotated."""
    found = getattr(config, "rope_parameters", None)
    if not isinstance(found, dict):
        found = {name: value for name in _OLDER_ROPE if (value := getattr(config, name, None)) is not None}
    told: dict[str, Any] | None = _told(found)
    return told or None


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        said = {str(key): _told(item) for key, item in value.items() if item is not None}
        return {key: item for key, item in said.items() if (key, item) != ("partial_rotary_factor", 1.0)}
    return [_told(item) for item in value] if isinstance(value, list | tuple) else value


def _activation(config: Any, model: nn.Module) -> str:
    names = (getattr(config, name, None) for name in _ACTIVATIONS)
    measured = (activation_of(module) for module in model.modules())
    return next((name for name in (*names, *measured) if isinstance(name, str)), "")


def _is_tied(model: Any) -> bool:
    try:
        table, head = model.get_input_embeddings(), model.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return False
    weight = getattr(table, "weight", None)
    return weight is not None and getattr(head, "weight", None) is weight


def _windows(config: Any) -> list[int | None]:
    """By the kind of each layer where the config names it, else one window for all that has not been switched off."""
    window = _one_for_all(config, "sliding_window") if getattr(config, "use_sliding_window", True) else None
    by_kind = {"sliding_attention": window, "chunked_attention": getattr(config, "attention_chunk_size", None)}
    kinds = getattr(config, "layer_types", None)
    layers = getattr(config, "num_hidden_layers", 0)
    found = [by_kind.get(kind) for kind in kinds] if kinds else [window] * layers
    return found if any(found) else []


def _one_for_all(config: Any, name: str) -> Any:
    """None also where a config keeps one value a layer: it raises then, and no AttributeError that getattr knows."""
    try:
        return getattr(config, name, None)
    except (AttributeError, ValueError, RuntimeError):
        return None


def _matching(config: Any, names: re.Pattern[str]) -> dict[str, float]:
    """Factors other than 1; a switch that is on counts as a number."""
    fields = vars(config).items() if config is not None else ()
    numbers = {name: value for name, value in fields if isinstance(value, int | float) and names.search(name)}
    return {name: float(value) for name, value in sorted(numbers.items()) if value not in (0, 1) or value is True}


def _weights(module: nn.Module) -> str:
    shapes = sorted((name, list(tensor.shape)) for name, tensor in stored(module))
    return hashlib.sha256(json.dumps(shapes).encode()).hexdigest()[:16]


def _is_gated(module: nn.Module) -> bool | None:
    """Three matrices of one size are a gate, a way up and a way down; the first two may be stored as one.

    Of fused experts the 3-D weights count, of listed ones those of the first.
    """
    matrices = {name: item for name, item in module.named_parameters() if item.ndim in (2, 3)}
    fused = [item.numel() for item in matrices.values() if item.ndim == 3]
    first = re.compile(r"experts\.(?!0\.)|shared|gate(\.weight)?$|router|lora_")
    sizes = fused or [item.numel() for name, item in matrices.items() if not first.search(name)]
    shares = sum(sizes) / min(sizes) if sizes else 0
    return {2.0: False, 3.0: True}.get(shares)
