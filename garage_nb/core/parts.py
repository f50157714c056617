"""Part: the one text form of an address inside a model, the same for every family.

`layer_6` is the residual stream leaving block 6, `attention_6` and `ffn_6` what the two halves add to it,
`ffn_6.neurons` the activations entering the down projection. This file only knows the grammar; which parts a
model really has, and where they live, is the spec's business (`registry.specs`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

KINDS = (
    "layer",
    "attention",
    "ffn",
    "gate",
    "layer_norm",
    "embedding",
    "position_embedding",
    "rotary_emb",
    "output_head",
)
SYNONYMS = {
    "mlp": "ffn",
    "feed_forward": "ffn",
    "self_attention": "attention",
    "self_attn": "attention",
    "attn": "attention",
    "norm": "layer_norm",
    "lm_head": "output_head",
    "full_layer": "layer",
    "block": "layer",
    "router": "gate",
    "embed": "embedding",
}
PLURAL_UNITS = {"attention": "heads", "ffn": "neurons"}
SINGLE_UNITS = {"attention": "head", "ffn": "neuron"}

_WORDS = "|".join(sorted((*KINDS, *SYNONYMS), key=len, reverse=True))
_NUMBER = r"-?[0-9]{1,9}"
_UNIT = rf"heads|neurons|(?:head|neuron)_{_NUMBER}"
_ADDRESS = re.compile(
    rf"(?P<kind>{_WORDS})(?:_(?P<layer>{_NUMBER}))?(?:_(?P<role>[a-z][a-z_]*))?(?:\.(?P<unit>{_UNIT}))?"
)


@dataclass(frozen=True)
class Part:
    """An address: kind, layer (None for parts outside the blocks), role of a norm, unit inside the part."""

    kind: str
    layer: int | None = None
    role: str | None = None
    unit: str | None = None
    index: int | None = None

    def __str__(self) -> str:
        name = "_".join(str(x) for x in (self.kind, self.layer, self.role) if x is not None)
        if self.unit is None:
            return name
        return f"{name}.{self.unit}" if self.index is None else f"{name}.{self.unit}_{self.index}"

    @property
    def whole(self) -> Part:
        """The part this unit belongs to: `ffn_6` for `ffn_6.neuron_17`."""
        return replace(self, unit=None, index=None)

    def at(self, layer: int) -> Part:
        return replace(self, layer=layer)


def parse(text: str) -> Part | None:
    """The address a text spells, or None when it is not written in this grammar."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        return None
    kind = SYNONYMS.get(match["kind"], match["kind"])
    layer = None if match["layer"] is None else int(match["layer"])
    unit, index = _unit(match["unit"])
    if unit is not None and unit not in (PLURAL_UNITS.get(kind), SINGLE_UNITS.get(kind)):
        return None
    return Part(kind, layer, match["role"], unit, index)


def _unit(text: str | None) -> tuple[str | None, int | None]:
    if text is None or text in PLURAL_UNITS.values():
        return text, None
    unit, _, number = text.partition("_")
    return unit, int(number)
