"""Which parts of one model would run in another, worked out from shapes, head layout, positions and vocabulary."""

from __future__ import annotations

from typing import Any

from .specs import ModelSpec, PartSpec, PartType

_KIND = {"kind of model": "model_type"}  # same shapes, other formula: a GPT-2 block is not a Llama block
_MATTERS = {
    PartType.ATTENTION: {"positions": "rope", **_KIND},
    PartType.FFN: {"activation": "activation", **_KIND},
    PartType.LAYER_NORM: _KIND,
    PartType.GATE: _KIND,
    PartType.ROTARY_EMB: {"positions": "rope"},
}


def compare(a: ModelSpec, b: ModelSpec) -> dict[str, Any]:
    """Both models side by side: `compatible_parts` fit as they are, `reasons` says why the rest do not."""
    reasons = {kind.value: why for kind in _kinds(a, b) if (why := _misfit(kind, a, b))}
    return {
        "models": (a.model_id, b.model_id),
        "families": (a.family.value, b.family.value),
        "hidden_dims": (a.hidden_dim, b.hidden_dim),
        "layers": (a.num_layers, b.num_layers),
        "heads": (a.num_heads, b.num_heads),
        "vocab_sizes": (a.vocab_size, b.vocab_size),
        "tokenizers": _tokenizers(a, b),
        "compatible_parts": [kind.value for kind in _kinds(a, b) if kind.value not in reasons],
        "reasons": reasons,
    }


def _kinds(a: ModelSpec, b: ModelSpec) -> list[PartType]:
    present = {part.part_type for spec in (a, b) for part in spec.parts.values()}
    return [kind for kind in PartType if kind in present]


def _misfit(kind: PartType, a: ModelSpec, b: ModelSpec) -> str | None:
    """Why a part of this type from one model cannot stand in the other; None when it can."""
    mine, theirs = a.of_type(kind), b.of_type(kind)
    if not mine or not theirs:
        return f"{(b if mine else a).model_id} has none"
    if kind is PartType.FULL_LAYER:
        inside = (PartType.ATTENTION, PartType.FFN, PartType.LAYER_NORM, PartType.GATE)
        return next((why for part in inside if part in _kinds(a, b) and (why := _misfit(part, a, b))), None)
    differing = _differing(_shape(mine[0]), _shape(theirs[0]))
    if differing:
        return differing
    if kind in (PartType.EMBEDDING, PartType.OUTPUT_HEAD) and _tokenizers(a, b) != "same":
        return f"tokenizers: {_tokenizers(a, b)}"
    facts = [(label, a.extra_info.get(key), b.extra_info.get(key)) for label, key in _MATTERS.get(kind, {}).items()]
    return _differing({label: x for label, x, _ in facts}, {label: y for label, _, y in facts})


def _shape(part: PartSpec) -> dict[str, Any]:
    return {
        "width in": part.input_dim,
        "width out": part.output_dim,
        "heads": part.num_heads,
        "head width": part.head_dim,
        "key-value heads": part.extra_info.get("num_kv_heads"),
        "neurons": part.intermediate_dim,
    }


def _differing(a: dict[str, Any], b: dict[str, Any]) -> str | None:
    rows = [f"{key} {a[key]} and {b[key]}" for key in a if a[key] != b[key]]
    return ", ".join(rows) or None


def _tokenizers(a: ModelSpec, b: ModelSpec) -> str:
    mine, theirs = a.extra_info.get("tokenizer"), b.extra_info.get("tokenizer")
    if mine is None or theirs is None:
        return "unknown"
    return "same" if mine == theirs else "different"
