"""ModelSpec: what the catalogue knows of a model, as a value that serialises to JSON.

`ModelSpec.name` is the one door for names: garage addresses, synonyms, negative layers, raw module paths and
TransformerLens' names all come out as one catalogue name. `ModelSpec.site` says where that name is read and written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..core.chain import Chain, Link
from ..core.family import ModelFamily
from ..core.parts import Part, parse
from ..core.sites import Site
from ..errors import UnavailablePartError, UnknownPartError, nearest
from ..view.cards import Card
from ..view.shown import Shown
from .foreign import from_transformer_lens
from .part_spec import PartSpec, PartType, Proof
from .portrait import card_of, frame_of
from .report import Report
from .selecting import Selector, chosen, usable
from .unknown import unknown
from .where import instead, is_point, missing, site_at

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False)
class ModelSpec(Shown):
    """A model's parts by catalogue name, bottom (input) to top, and the paths of all its modules."""

    model_id: str
    family: ModelFamily
    hidden_dim: int
    num_layers: int
    num_heads: int
    vocab_size: int
    max_seq_len: int | None
    parts: dict[str, PartSpec]
    module_paths: tuple[str, ...] = ()
    proofs: tuple[Proof, ...] = ()
    extra_info: dict[str, Any] = field(default_factory=dict)

    def get_attention(self, layer: int) -> PartSpec:
        return self.parts[self.name(f"attention_{layer}")]

    def get_ffn(self, layer: int) -> PartSpec:
        return self.parts[self.name(f"ffn_{layer}")]

    def get_full_layer(self, layer: int) -> PartSpec:
        return self.parts[self.name(f"layer_{layer}")]

    def all_attention_parts(self) -> list[PartSpec]:
        return self.of_type(PartType.ATTENTION)

    def all_ffn_parts(self) -> list[PartSpec]:
        return self.of_type(PartType.FFN)

    def of_type(self, part_type: PartType) -> list[PartSpec]:
        return [part for part in self.parts.values() if part.part_type is part_type]

    def part(self, name: str) -> PartSpec:
        """The part a name stands for; of `ffn_3.neurons` the part is `ffn_3`."""
        found = self.name(name)
        address = parse(found)
        if address is None:
            raise UnknownPartError(
                f"{found!r} is a module, not a catalogued part.", f"Nearest: {nearest(found, self.parts)}."
            )
        return self.parts[str(address.whole)]

    def name(self, asked: str) -> str:
        """The catalogue name for any way of saying it; the raw path for a module that is no part of its own.

        UnknownPartError names the nearest, or how many there are.
        """
        text = str(asked).strip()
        found = self.by_address(text) or self._by_path(text) or self.by_address(self._foreign(text))
        if found is None:
            raise unknown(self, text)
        return found

    def select(self, selector: Selector) -> list[str]:
        """Catalogue names for `0,6,-1`, `0:12:2`, `attention_*`, `ffn_*.neurons`, `all`, a name …, or a list.

        No silent skips: what is n/a is among them.
        """
        return chosen(self, selector)

    def usable(self, selector: Selector) -> list[str]:
        """As `select`, to read or change: a PartsLeftOut warning names what a wildcard or range met that is n/a.

        A name that was spelled out stays, and so does everything when nothing would be left: `site` says why not.
        """
        return usable(self, selector)

    def site(self, name: str) -> Site:
        """Where the tensor of a part is: what leaves it, or for heads and neurons what enters its last projection.

        UnavailablePartError for a part that cannot be read or changed, with the reason.
        """
        found = self.name(name)
        address = parse(found)
        if address is None:
            link = next((link for link in self.chain.links if link.holds(Site(found))), None)
            return Site(found, stack=None if link is None else link.stack)
        part = self.parts[str(address.whole)]
        reason = missing(part, address)
        if reason:
            raise UnavailablePartError(f"{found} of {self.model_id} is n/a: {reason}.", instead(part, address))
        return site_at(part, address)

    @cached_property
    def chain(self) -> Chain:
        """The blocks in the order in which they run, and the paths of what runs after them all."""
        blocks = {name: self.parts[name] for name in self.available(PartType.FULL_LAYER)}
        links = tuple(
            Link(name, part.module_path, part.extra_info.get("turn"), address.stack)
            for name, part in blocks.items()
            if (address := parse(name)) is not None
        )
        ends = [part for name, part in self.parts.items() if name in ("layer_norm_final", "output_head")]
        return Chain(links, frozenset(part.module_path for part in ends))

    def report(self) -> Report:
        """What was proved of every block when the model was opened, and what is n/a and why."""
        missing = {name: part.unavailable for name, part in self.parts.items() if part.unavailable}
        return Report(self.model_id, self.proofs, missing)

    def available(self, part_type: PartType | None = None) -> list[str]:
        """Names of the parts that can be read and changed."""
        parts = self.parts.items()
        return [name for name, part in parts if not part.unavailable and part_type in (None, part.part_type)]

    def picture(self) -> Card:
        return card_of(self)

    def frame(self) -> pd.DataFrame:
        """One row a part. `unavailable` says why a part is n/a."""
        return frame_of(self.parts)

    def to_json(self) -> dict[str, Any]:
        parts = {name: dict(vars(part)) for name, part in self.parts.items()}
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**own, "parts": parts, "proofs": [dict(vars(proof)) for proof in self.proofs]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelSpec:
        """The value `to_json` wrote. Unknown and missing fields are a TypeError, an unknown family a ValueError."""
        unknown = set(data) - {item.name for item in fields(cls)}
        if unknown:
            raise TypeError(f"unknown fields {sorted(unknown)}")
        parts = {name: PartSpec.from_json(part) for name, part in data["parts"].items()}
        proofs = tuple(Proof(**proof) for proof in data["proofs"])
        paths = tuple(data["module_paths"])
        known = {"family": ModelFamily(data["family"]), "parts": parts, "module_paths": paths, "proofs": proofs}
        return cls(**{**data, **known})

    def why_not(self, name: str) -> str:
        """Why a part or a point of one is n/a; empty where it can be read."""
        address = parse(name)
        return "" if address is None else missing(self.parts[str(address.whole)], address)

    def by_address(self, text: str) -> str | None:
        address = parse(text)
        if address is None:
            return None
        layers = self._layers(address.stack)
        if address.layer is not None and -layers <= address.layer < 0:
            address = address.at(address.layer + layers)
        owner = self.parts.get(str(address.whole))
        return None if owner is None else self._with_unit(address, owner)

    def _layers(self, stack: str | None) -> int:
        """How many blocks the stack has that an address belongs to."""
        if stack is None:
            return self.num_layers
        return sum(name.startswith(f"{stack}_layer_") and name[-1].isdigit() for name in self.parts)

    def _with_unit(self, address: Part, owner: PartSpec) -> str | None:
        if address.unit is None or is_point(address):
            return str(address)
        count = owner.count_of(address.unit)
        if count is None:
            return None
        if address.index is None:
            return str(address)
        index = address.index + count if address.index < 0 else address.index
        return f"{address.whole}.{address.unit}_{index}" if 0 <= index < count else None

    def _by_path(self, text: str) -> str | None:
        """The part at a module's path, unless the part is n/a or read elsewhere: then the path is the module itself."""
        own = (
            name
            for name, part in self.parts.items()
            if part.module_path == text == part.read_at and not part.unavailable
            if not {"turn", "times"} & part.extra_info.keys()
        )
        return next(own, None) or (text if text in self.module_paths else None)

    def _foreign(self, text: str) -> str:
        rotary = "rotary_emb" in self.parts or bool(self.extra_info.get("rope"))
        return from_transformer_lens(text, rotary=rotary) or ""
