"""Status: what is on the lift and what is in force. Parts: the catalogue as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.plan import Plan, planned
from ..inject.recipe import Recipe
from ..plain import one_line
from ..registry.part_spec import PartSpec
from ..registry.portrait import frame_of
from ..registry.specs import ModelSpec
from ..view.bars import Column, Table
from ..view.cards import Card
from ..view.shown import Shown
from .registered import Registered

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Status(Shown):
    """The model's card and the recipe in force."""

    info: Mapping[str, Any]
    spec: ModelSpec
    recipe: Recipe

    @property
    def plan(self) -> Plan:
        """What the next token costs under the recipe, once the first run has kept what comes before it."""
        return planned(self.spec.chain, self.recipe.taps(self.spec), logits=1)

    def frame(self) -> pd.DataFrame:
        """One row, as in the list of models, with what is loaded and how many edits are in force."""
        frame = Registered((self.spec,)).frame()
        for name in ("model_type", "total_params", "dtype", "device"):
            frame[name] = [self.info[name]]
        frame["edits"] = len(self.recipe)
        return frame

    def picture(self) -> Card:
        info, spec = self.info, self.spec
        positions = f"{spec.max_seq_len:,} positions" if spec.max_seq_len else "no position limit known"
        facts = {
            "family": f"{spec.family.value} ({info['model_type']})",
            "size": f"{info['total_params']:,} parameters, {info['dtype']} on {info['device']}",
            "shape": f"{spec.num_layers} layers × {spec.hidden_dim} wide, {spec.num_heads} heads",
            "text": f"{spec.vocab_size:,} tokens, {positions}",
            "in force": one_line(str(self.recipe)),
            "next token": self.plan.explain(),
        }
        return Card(str(info["model_id"]), facts, changed=frozenset({"in force"} if len(self.recipe) else ()))


@dataclass(frozen=True, repr=False)
class Parts(Mapping[str, PartSpec], Shown):
    """Name -> PartSpec for the parts asked for."""

    spec: ModelSpec
    names: tuple[str, ...]
    changed: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> PartSpec:
        return self.spec.part(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def frame(self) -> pd.DataFrame:
        """One row a part. `unavailable` says why a part is n/a."""
        frame = frame_of(self)
        frame["changed"] = [name in self.changed for name in self.names]
        return frame

    def picture(self) -> Table:
        parts = list(self.values())
        columns = [
            Column("kind", [part.part_type.value for part in parts]),
            Column("in", [part.input_dim for part in parts]),
            Column("out", [part.output_dim for part in parts]),
            Column("inside", [_inside(part) for part in parts]),
            Column("module", [part.module_path for part in parts]),
        ]
        return Table(self.names, columns, title=self.spec.model_id, changed=self.changed)


def _inside(part: PartSpec) -> str:
    if part.unavailable:
        return f"n/a: {part.unavailable}"
    if part.num_heads:
        kv = part.extra_info.get("num_kv_heads")
        shared = f", {kv} for keys and values" if kv and kv != part.num_heads else ""
        return f"{part.num_heads} heads of {part.head_dim}{shared}"
    if part.extra_info.get("num_experts"):
        per_token = part.extra_info.get("experts_per_token")
        return f"{part.extra_info['num_experts']} experts" + (f", {per_token} for each token" if per_token else "")
    return f"{part.intermediate_dim} neurons" if part.intermediate_dim else ""
