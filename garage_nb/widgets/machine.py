"""The machine drawing: where each part of a model stands, and what it is in words.

Rows run from the input to the output. Columns mean the same in every row, so a range of parts is a rectangle.
The page and the static picture draw these same rows. A new kind of part needs one line in `COLUMN` and one in `WORDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..core.parts import parse
from ..registry.part_spec import PartSpec, PartType
from ..registry.specs import ModelSpec

# Left to right. What leaves a branch (post norms) stands next to the branch, what enters it next to the residual.
ATTENTION, ATTENTION_POST, ATTENTION_NORM, RESIDUAL, FFN_NORM, FFN_POST, GATE, FFN = range(8)

COLUMN = {
    PartType.EMBEDDING: RESIDUAL,
    PartType.POSITION_EMBEDDING: ATTENTION,
    PartType.ROTARY_EMB: ATTENTION,
    PartType.ATTENTION: ATTENTION,
    PartType.CROSS_ATTENTION: ATTENTION,
    PartType.MIXER: ATTENTION,
    PartType.LAYER_NORM: RESIDUAL,
    PartType.GATE: GATE,
    PartType.FFN: FFN,
    PartType.FULL_LAYER: RESIDUAL,
    PartType.OUTPUT_HEAD: RESIDUAL,
}
NORM_COLUMN = {"attention": ATTENTION_NORM, "attention_post": ATTENTION_POST, "ffn": FFN_NORM, "ffn_post": FFN_POST}


@dataclass(frozen=True)
class Place:
    """One part in the drawing. `figures` is the short form of its size, `words` the whole sentence."""

    name: str
    kind: str
    column: int
    figures: str
    words: str


@dataclass(frozen=True)
class Row:
    """Parts side by side. `layer` is None outside the blocks."""

    layer: int | None
    places: tuple[Place, ...]

    def has_room(self, layer: int | None, column: int) -> bool:
        return layer is not None and layer == self.layer and all(place.column != column for place in self.places)

    def beside(self, place: Place) -> Row:
        return Row(self.layer, tuple(sorted((*self.places, place), key=lambda each: each.column)))


def rows(spec: ModelSpec) -> list[Row]:
    """The drawing, input first: one row a layer (a second where a column is taken), one for each part outside them.

    Norms inside attention, of queries and keys, are left out: they are parts by name, but not of the stream.
    """
    drawn: list[Row] = []
    for name, part in spec.parts.items():
        if part.extra_info.get("place") == "inside":
            continue
        place = Place(name, part.part_type.value, _column(name, part), _figures(part), f"{name}: {_words(part)}")
        if drawn and drawn[-1].has_room(part.layer_idx, place.column):
            drawn[-1] = drawn[-1].beside(place)
        else:
            drawn.append(Row(part.layer_idx, (place,)))
    return drawn


def about(spec: ModelSpec) -> str:
    return f"{_count(spec.num_layers, 'layer')}, {_count(spec.num_heads, 'head')}, {spec.hidden_dim} wide"


def _column(name: str, part: PartSpec) -> int:
    if part.part_type is not PartType.LAYER_NORM or part.layer_idx is None:
        return COLUMN[part.part_type]
    address = parse(name)
    role = address.role if address else None
    return NORM_COLUMN.get(role or "", ATTENTION_NORM)


def _figures(part: PartSpec) -> str:
    if part.part_type in (PartType.ATTENTION, PartType.CROSS_ATTENTION) and part.num_heads and part.head_dim:
        return f"{part.num_heads} × {part.head_dim}"
    return str(part.intermediate_dim or "") if part.part_type is PartType.FFN else ""


def _words(part: PartSpec) -> str:
    words = WORDS[part.part_type](part)
    return f"{words}; n/a: {part.unavailable}" if part.unavailable else words


def _attention(part: PartSpec) -> str:
    if not part.num_heads:
        return f"{part.output_dim} wide"
    size = f" of {part.head_dim}" if part.head_dim else ""
    shared = part.extra_info.get("num_kv_heads", part.num_heads)
    sharing = f" sharing {_count(shared, 'key-value head')}" if shared != part.num_heads else ""
    return f"{_count(part.num_heads, 'head')}{size}{sharing}, {part.output_dim} wide"


def _ffn(part: PartSpec) -> str:
    inside = f", {part.intermediate_dim} inside" if part.intermediate_dim else ""
    return f"{part.output_dim} wide{inside}"


def _norm(part: PartSpec) -> str:
    where = "outside the blocks" if part.layer_idx is None else f"in block {part.layer_idx}"
    return f"norm {where}, {part.output_dim} wide"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


WORDS: dict[PartType, Callable[[PartSpec], str]] = {
    PartType.EMBEDDING: lambda part: f"{part.input_dim} tokens to {part.output_dim} wide",
    PartType.POSITION_EMBEDDING: lambda part: f"{part.input_dim} positions to {part.output_dim} wide",
    PartType.ROTARY_EMB: lambda part: f"turns queries and keys by position, heads of {part.output_dim}",
    PartType.ATTENTION: _attention,
    PartType.CROSS_ATTENTION: _attention,
    PartType.MIXER: lambda part: f"mixes tokens without attention, {part.output_dim} wide",
    PartType.LAYER_NORM: _norm,
    PartType.GATE: lambda part: f"chooses among {part.output_dim} experts",
    PartType.FFN: _ffn,
    PartType.FULL_LAYER: lambda part: f"residual stream leaving block {part.layer_idx}, {part.output_dim} wide",
    PartType.OUTPUT_HEAD: lambda part: f"{part.input_dim} wide to {part.output_dim} tokens",
}
