"""Traits: what of a part must be the same in another model for its weights to do the same there.

To compare something more, add it to the function of its kind, and to `adapters.py` what bridges a difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .part_spec import PartSpec, PartType
from .specs import ModelSpec

UNKNOWN = "unknown"
HEAD = "single_head"  # a single head of an attention part
HIDDEN = ("formula", "settings", "weights")  # hashes and the like: they decide, but other words say why
HALVES = ("attention", "mixer", "cross_attention", "ffn")


@dataclass(frozen=True)
class Trait:
    """A value, and the words for it where the value itself is not fit to be read."""

    value: Any
    words: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.words or str(self.value)


Traits = dict[str, Trait]


@dataclass(frozen=True)
class Sort:
    """Parts of one kind and model that do not differ from each other."""

    spec: ModelSpec
    kind: str
    part: PartSpec
    traits: Traits
    count: int


def sort_of(spec: ModelSpec, part: PartSpec) -> Sort:
    """One part of a model, to be judged beside one of another."""
    kind = part.part_type.value
    return Sort(spec, kind, part, _traits(spec, part, kind), 1)


def sorts(spec: ModelSpec, kind: str) -> list[Sort]:
    """The kinds of `kind` in a model, in the order they come: two for Gemma's full and sliding attention."""
    found: dict[str, Sort] = {}
    for part in _parts(spec, kind):
        traits = _traits(spec, part, kind)
        key = json.dumps({label: trait.value for label, trait in traits.items()}, sort_keys=True)
        before = found[key].count if key in found else 0
        found[key] = Sort(spec, kind, part, traits, before + ((part.num_heads or 0) if kind == HEAD else 1))
    return list(found.values())


def _parts(spec: ModelSpec, kind: str) -> list[PartSpec]:
    """Norms inside a half belong to the half; heads are there where they can be told apart."""
    parts = spec.of_type(PartType.ATTENTION if kind == HEAD else PartType(kind))
    if kind == HEAD:
        return [part for part in parts if part.num_heads and part.head_dim]
    return [part for part in parts if not _is_inside_half(part)]


def _traits(spec: ModelSpec, part: PartSpec, kind: str) -> Traits:
    told = _OF_KIND[kind](spec, part)
    hidden = _hidden(part)
    if kind == HEAD:
        counts = re.compile("heads|groups")
        settings = {name: value for name, value in hidden["settings"].value.items() if not counts.search(name)}
        return {**told, "formula": hidden["formula"], "settings": Trait(settings)}
    return {**told, **hidden}


def _hidden(part: PartSpec) -> Traits:
    info = part.extra_info
    return {
        "formula": Trait(info.get("formula", UNKNOWN)),
        "settings": Trait(info.get("settings", {})),
        "weights": Trait(info.get("weights", "")),
    }


def _attention(spec: ModelSpec, part: PartSpec) -> Traits:
    return {**_cross_attention(spec, part), **_looking(spec, part)}


def _cross_attention(spec: ModelSpec, part: PartSpec) -> Traits:
    info = part.extra_info
    return {
        "width": Trait(part.input_dim),
        "heads": Trait(part.num_heads),
        "key-value heads": Trait(info.get("num_kv_heads")),
        "head width": Trait(part.head_dim),
        **_biases(part),
    }


def _looking(spec: ModelSpec, part: PartSpec) -> Traits:
    """How tokens see each other: the model hands this to its attention."""
    rope, window = _rope(spec, part), _in_layer(spec, part, "windows")
    return {"positions": rope, "window": Trait(window, f"{window:,} tokens" if window else "none")}


def _one_head(spec: ModelSpec, part: PartSpec) -> Traits:
    """Its own columns, and the key-value head that it may share."""
    kv_heads = part.extra_info.get("num_kv_heads")
    sharing = part.num_heads // kv_heads if part.num_heads and kv_heads else None
    return {
        "width": Trait(part.input_dim),
        "head width": Trait(part.head_dim),
        "heads to a key-value head": Trait(sharing),
        **_looking(spec, part),
        **_biases(part),
    }


def _ffn(spec: ModelSpec, part: PartSpec) -> Traits:
    info = part.extra_info
    gated, neurons = info.get("gated"), part.intermediate_dim
    return {
        "width": Trait(part.input_dim),
        "neurons": Trait(neurons, str(neurons or "in experts")),
        "activation": Trait(info.get("activation", spec.extra_info.get("activation"))),
        "form": Trait(gated, _either(gated, "gated", "plain")),
        "experts": Trait(info.get("num_experts"), str(info.get("num_experts", "none"))),
        "experts to a token": Trait(info.get("experts_per_token"), str(info.get("experts_per_token", "none"))),
        **_biases(part),
    }


def _layer_norm(spec: ModelSpec, part: PartSpec) -> Traits:
    info = part.extra_info
    return {"width": Trait(part.input_dim), "norm": Trait(info.get("norm")), "eps": Trait(info.get("eps"))}


def _gate(spec: ModelSpec, part: PartSpec) -> Traits:
    return {"width": Trait(part.input_dim), "experts": Trait(part.output_dim)}


def _embedding(spec: ModelSpec, part: PartSpec) -> Traits:
    rows = {"vocabulary": Trait(part.input_dim), "width": Trait(part.output_dim)}
    return {**rows, "tokens": _tokens(spec), "scale": _factors(spec, "embedding")}


def _position_embedding(spec: ModelSpec, part: PartSpec) -> Traits:
    return {"rows": Trait(part.input_dim), "width": Trait(part.output_dim)}


def _output_head(spec: ModelSpec, part: PartSpec) -> Traits:
    rows = {"width": Trait(part.input_dim), "vocabulary": Trait(part.output_dim)}
    return {**rows, "tokens": _tokens(spec), "scale": _factors(spec, "logits"), **_biases(part)}


def _rotary_emb(spec: ModelSpec, part: PartSpec) -> Traits:
    return {"columns": Trait(part.output_dim), "positions": _said(spec.extra_info.get("rope"))}


def _full_layer(spec: ModelSpec, part: PartSpec) -> Traits:
    """What its halves and its norms are, and how the halves stand to each other."""
    inside = [other for other in spec.parts.values() if other.module_path.startswith(f"{part.module_path}.")]
    halves = [other for other in inside if other.part_type.value in HALVES]
    told: Traits = {"width": Trait(part.input_dim), **(_looking(spec, part) if halves else {})}
    for kind in HALVES:
        told[kind] = Trait([_compared(spec, half) for half in halves if half.part_type.value == kind])
    norms = [other for other in inside if other.part_type is PartType.LAYER_NORM and not _is_inside_half(other)]
    names = [norm.extra_info.get("norm") for norm in norms]
    parallel = part.extra_info.get("parallel")
    return {
        **told,
        "norms": Trait(names, _counted(names)),
        "halves": Trait(parallel, _either(parallel, "side by side", "in turn")),
    }


def _compared(spec: ModelSpec, half: PartSpec) -> dict[str, Any]:
    """What a half is in itself, without what its layer hands to it."""
    traits = _OF_KIND[half.part_type.value](spec, half)
    return {label: trait.value for label, trait in traits.items() if label not in ("width", "positions", "window")}


def _is_inside_half(norm: PartSpec) -> bool:
    return norm.extra_info.get("place") == "inside"


def _mixer(spec: ModelSpec, part: PartSpec) -> Traits:
    return {"width": Trait(part.input_dim), **_biases(part)}


def _biases(part: PartSpec) -> Traits:
    biases = part.extra_info.get("biases")
    return {"biases": Trait(biases, _either(biases, "added", "none"))}


def _either(claim: bool | None, yes: str, no: str) -> str:
    return UNKNOWN if claim is None else yes if claim else no


def _counted(names: list[Any]) -> str:
    return " + ".join(f"{names.count(name)} {name or 'other'}" for name in dict.fromkeys(names)) or "none"


def _tokens(spec: ModelSpec) -> Trait:
    known = spec.extra_info.get("tokenizer")
    return Trait(known["digest"]) if known else Trait(UNKNOWN)


def _factors(spec: ModelSpec, of: str) -> Trait:
    factors: Mapping[str, float] = spec.extra_info.get("multipliers", {}).get(of, {})
    return Trait(dict(factors), ", ".join(f"{name} {value:g}" for name, value in factors.items()) or "none")


def _in_layer(spec: ModelSpec, part: PartSpec, fact: str) -> Any:
    values, layer = spec.extra_info.get(fact) or [], part.layer_idx
    return values[layer] if layer is not None and layer < len(values) else None


def _rope(spec: ModelSpec, part: PartSpec) -> Trait:
    """The rotary parameters of this layer."""
    rope = spec.extra_info.get("rope")
    kind = _in_layer(spec, part, "layer_types")
    return _said(rope.get(kind, rope) if rope else None)


def _said(rope: Mapping[str, Any] | None) -> Trait:
    if not rope:
        return Trait(None, "not rotary")
    if all(isinstance(value, dict) for value in rope.values()):
        return Trait(rope, ", ".join(f"{_said(value)} in {kind.replace('_', ' ')}" for kind, value in rope.items()))
    kind = rope.get("rope_type", "default")
    base = f" to base {rope['rope_theta']:,.10g}" if "rope_theta" in rope else ""
    rest = [_setting(name, value) for name, value in rope.items() if name not in ("rope_theta", "rope_type")]
    inside = [*([] if kind == "default" else [f"{kind} scaling"]), *rest]
    return Trait(rope, f"rotary{base} ({', '.join(inside)})" if inside else f"rotary{base}")


def _setting(name: str, value: Any) -> str:
    shown = f"{len(value)} numbers" if isinstance(value, list | dict) else value
    return f"{name.replace('_', ' ')} {shown}"


_OF_KIND: dict[str, Callable[[ModelSpec, PartSpec], Traits]] = {
    "attention": _attention,
    "cross_attention": _cross_attention,
    "mixer": _mixer,
    "ffn": _ffn,
    "layer_norm": _layer_norm,
    "gate": _gate,
    "embedding": _embedding,
    "position_embedding": _position_embedding,
    "output_head": _output_head,
    "rotary_emb": _rotary_emb,
    "full_layer": _full_layer,
    HEAD: _one_head,
}
