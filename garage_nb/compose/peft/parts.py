"""AdapterParts: what an adapter changes, one row a module, with the part of the garage it sits in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...registry.specs import ModelSpec
from ...view.bars import Column, Table
from ...view.frames import framed
from ...view.shown import Shown
from .adapter import Adapter, adapter_in

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 64  # rows of the picture; the frame holds them all
NAN = float("nan")


@dataclass(frozen=True)
class AdapterPart:
    """`part` is empty where no model was given. IA3 has no rank, alpha nor scale: NaN."""

    module: str
    part: str
    rank: float
    alpha: float
    scale: float
    numbers: int


@dataclass(frozen=True, repr=False)
class AdapterParts(Shown):
    """`base` is what the adapter says it was trained on; nothing was looked up there."""

    folder: str
    kind: str
    base: str
    rows: tuple[AdapterPart, ...]

    @property
    def numbers(self) -> int:
        return sum(row.numbers for row in self.rows)

    def frame(self) -> pd.DataFrame:
        """One row a module."""
        columns = ["part", "kind", "rank", "alpha", "scale", "numbers"]
        rows = [(row.part, self.kind, row.rank, row.alpha, row.scale, row.numbers) for row in self.rows]
        return framed("module", [row.module for row in self.rows], columns, rows)

    def picture(self) -> Table:
        shown = self.rows[:SHOWN]
        columns = [Column("numbers", [row.numbers for row in shown])]
        if self.kind != "IA3":
            columns = [
                Column(name, [getattr(row, name) for row in shown]) for name in ("rank", "alpha", "scale")
            ] + columns
        if any(row.part for row in shown):
            columns = [Column("part", [row.part for row in shown]), *columns]
        trained = f"trained on {self.base}" if self.base else "does not say what it was trained on"
        rest = [f"{len(self.rows) - SHOWN:,} more modules in .frame()"] if len(self.rows) > SHOWN else []
        caption = " · ".join([self.kind, f"{self.numbers:,} numbers", trained, *rest])
        return Table([row.module for row in shown], columns, title=self.folder, caption=caption)


def peft_parts(folder: str | Path, spec: ModelSpec | None = None) -> AdapterParts:
    """What a folder of PEFT changes. BuildError for one that is damaged or of a kind not known here."""
    return parts_of(adapter_in(folder), spec)


def parts_of(adapter: Adapter, spec: ModelSpec | None = None) -> AdapterParts:
    config = adapter.config
    kind = "DoRA" if config.decomposed else config.kind
    rows = []
    for path, roles in adapter.modules.items():
        scale, rank = (NAN, NAN) if kind == "IA3" else (config.scale_of(path), config.rank_of(path))
        numbers = sum(tensor.numel() for tensor in roles.values())
        home = "" if spec is None else home_of(path, spec)
        rows.append(AdapterPart(path, home, rank, config.alpha_of(path), scale, numbers))
    return AdapterParts(str(adapter.folder), kind, config.base, tuple(rows))


def home_of(path: str, spec: ModelSpec) -> str:
    """The smallest part that holds a module; empty where none does."""
    held = [
        (len(root), name)
        for name, part in spec.parts.items()
        for root in (part.module_path, *part.extra_info.get("spread", ()))
        if f"{path}.".startswith(f"{root}.")
    ]
    return max(held)[1] if held else ""
