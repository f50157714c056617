"""Part: the one text form of an address inside a model, the same for every family.

`layer_6` is the residual stream leaving block 6, `attention_6` and `ffn_6` what the two halves add to it,
`ffn_6.neurons` the activations entering the down projection. Points inside have a name and no number: `layer_6.before`
and `layer_6.mid`, `attention_6.q`. What mixes tokens without attention (Mamba, RWKV) is `mixer_6`. In an
encoder–decoder model these are the decoder's; the encoder's begin with `encoder_`. This file only knows the grammar;
which parts a model really has, and where they live, is the spec's business (`registry.specs`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

KINDS = (
    "layer",
    "attention",
    "cross_attention",
    "mixer",
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
    "logits": "output_head",
}
UNITS = {
    "attention": {"head": "heads"},
    "cross_attention": {"head": "heads"},
    "ffn": {"neuron": "neurons", "expert": "experts"},
}
_INSIDE = ("q", "k", "v", "pattern")
POINTS: dict[str, tuple[str, ...]] = {
    "layer": ("before", "mid"),
    "attention": _INSIDE,
    "cross_attention": _INSIDE,
    "gate": ("choices",),
}
ENCODER = "encoder"

_WORDS = "|".join(sorted((*KINDS, *SYNONYMS), key=len, reverse=True))
_NUMBER = r"-?[0-9]{1,9}"
_ADDRESS = re.compile(
    rf"(?P<stack>{ENCODER}_)?(?P<kind>{_WORDS})(?:_(?P<layer>{_NUMBER}))?(?:_(?P<role>[a-z][a-z0-9_]*))?"
    rf"(?:\.(?P<unit>[a-z]+)(?:_(?P<index>{_NUMBER}))?)?"
)


@dataclass(frozen=True)
class Part:
    """An address: kind, layer (None for parts outside the blocks), role, unit inside the part, and whose it is.

    The role tells several of a kind in one block apart: which norm, which of two feed-forward halves.
    """

    kind: str
    layer: int | None = None
    role: str | None = None
    unit: str | None = None
    index: int | None = None
    stack: str | None = None

    def __str__(self) -> str:
        name = "_".join(str(x) for x in (self.stack, self.kind, self.layer, self.role) if x is not None)
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
    unit, index = match["unit"], _number(match["index"])
    if unit is not None and unit not in _units(kind, index):
        return None
    stack = ENCODER if match["stack"] else None
    return Part(kind, _number(match["layer"]), match["role"], unit, index, stack)


def _units(kind: str, index: int | None) -> Collection[str]:
    counted = UNITS.get(kind, {})
    return counted if index is not None else {*counted.values(), *POINTS.get(kind, ())}


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
