"""The machine drawing: where each part of a model stands.

Rows run from the input to the output. Columns mean the same in every row, so a range of parts is a rectangle.
The page and the static picture draw these same rows. A new kind of part needs one line in `COLUMN`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from ..core.parts import ENCODER, Part, parse
from ..registry.part_spec import PartSpec, PartType
from ..registry.specs import ModelSpec
from .inside import Inside, inside
from .words import figures, words

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
HALVES = ("attention", "cross_attention", "mixer", "ffn")
MARKS = (PartType.LAYER_NORM, PartType.GATE)


@dataclass(frozen=True)
class Place:
    """One part in the drawing. `label` is what is written on it, `figures` the short form of its size, `words` the
    whole sentence, `unavailable` the reason why it cannot be picked, `inside` what can be picked inside it.
    """

    name: str
    kind: str
    column: int
    label: str
    figures: str
    words: str
    unavailable: str
    inside: tuple[Inside, ...]


@dataclass(frozen=True)
class Row:
    """Parts side by side. `layer` is None outside the blocks; `stack` is empty where the model has but one."""

    stack: str
    layer: int | None
    places: tuple[Place, ...]

    def free(self, columns: tuple[int, ...]) -> int | None:
        """The first of these columns that is not taken. Outside the blocks each part has a row to itself."""
        taken = {place.column for place in self.places}
        return next((column for column in columns if self.layer is not None and column not in taken), None)

    def beside(self, place: Place) -> Row:
        return replace(self, places=tuple(sorted((*self.places, place), key=lambda each: each.column)))


def rows(spec: ModelSpec) -> list[Row]:
    """The drawing, input first: one row a layer (more where a column is taken), one for each part outside them.

    Norms inside attention, of queries and keys, are left out: they are parts by name, but not of the stream.
    """
    drawn: list[Row] = []
    shown = {name: part for name, part in spec.parts.items() if part.extra_info.get("place") != "inside"}
    stacks = {name: _stack(name) for name in shown}
    caption = {None: "decoder" if ENCODER in stacks.values() else "", ENCODER: ENCODER}
    for (stack, layer), names in groupby(shown, key=lambda name: (stacks[name], shown[name].layer_idx)):
        block = {name: shown[name] for name in names}
        drawn += _block_rows(Row(caption[stack], layer, ()), block)
    return drawn


def _block_rows(row: Row, block: dict[str, PartSpec]) -> Iterator[Row]:
    """Rows of one block, each filled before the next is begun."""
    empty = row
    for name in _half_by_half(block):
        columns = _columns(name, block[name])
        column = row.free(columns)
        if column is None and row.places:
            yield row
            row = empty
        row = row.beside(_place(name, block[name], columns[0] if column is None else column))
    yield row


def _half_by_half(block: dict[str, PartSpec]) -> list[str]:
    """Each half followed by its norms and its gate; the stream that leaves the block comes last."""
    halves = [name for name, part in block.items() if part.part_type.value in HALVES]
    seen: Counter[str] = Counter()
    owners = {name: _owner(name, part, halves, seen) for name, part in block.items()}
    place = {name: i for i, name in enumerate(halves)}
    return sorted(block, key=lambda name: (place.get(owners[name], len(halves)), name != owners[name]))


def _owner(name: str, part: PartSpec, halves: list[str], seen: Counter[str]) -> str:
    """The half a norm or gate belongs to: of several norms before (or after) halves of a kind, each has its own."""
    address = parse(name)
    if address is None or part.part_type not in MARKS:
        return name
    if part.part_type is PartType.GATE:
        return str(replace(address, kind="ffn"))
    kind, post = _served(address)
    served = [half for half in halves if (found := parse(half)) is not None and found.kind == kind]
    seen[f"{kind} {post}"] += 1
    return served[min(seen[f"{kind} {post}"], len(served)) - 1] if served else name


def _served(norm: Part) -> tuple[str, bool]:
    """The kind of half a norm in a block is for, and whether it comes after: `cross_attention_post` is both."""
    role = norm.role or ""
    kind = next((kind for kind in HALVES if role.startswith(kind)), HALVES[0])
    return kind, role.startswith(f"{kind}_post")


def _columns(name: str, part: PartSpec) -> tuple[int, ...]:
    """Where a part may stand, the best first: a second norm of a half stands beside the first."""
    address = parse(name)
    if address is None or part.part_type is not PartType.LAYER_NORM or part.layer_idx is None:
        return (COLUMN[part.part_type],)
    kind, post = _served(address)
    before, after = (FFN_NORM, FFN_POST) if kind == "ffn" else (ATTENTION_NORM, ATTENTION_POST)
    return (after, before) if post else (before, after)


def _place(name: str, part: PartSpec, column: int) -> Place:
    whole = part.part_type is PartType.FULL_LAYER
    label = str(part.layer_idx) if whole else "" if part.part_type in MARKS else name
    kind, said = part.part_type.value, words(name, part)
    return Place(name, kind, column, label, figures(part), said, part.unavailable, inside(name, part))


def _stack(name: str) -> str | None:
    address = parse(name)
    return None if address is None else address.stack
