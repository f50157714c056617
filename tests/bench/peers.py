"""The players of one shape, each in its own process, asked in turn, round after round, in shuffled order."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .child import Child
from .player import CannotError
from .rows import LONG, Row, rows
from .shapes import Shape
from .side_by_side import Pair, Ratio

OWN, PEERS = Path(sys.executable), Path("build") / "peers" / ".venv" / "bin" / "python"
PLAYERS = {
    "bare": OWN,
    "hooks": OWN,
    "garage_nb": OWN,
    "transformer_lens": PEERS,
    "nnsight": PEERS,
    "pyvene": PEERS,
    "model_garage": PEERS,
}


@dataclass(frozen=True)
class Cell:
    """One player in one row; `off` is how far its answer lies from that of plain hooks, `equal` that no bit differs."""

    ratio: Ratio
    off: float
    equal: bool


@dataclass(frozen=True)
class Dash:
    """A player that does not answer, and why."""

    reason: str


Line = dict[str, Cell | Dash]


def present() -> dict[str, Path]:
    """Players whose environment is there: name to its Python."""
    return {name: python.absolute() for name, python in PLAYERS.items() if python.exists()}


@dataclass
class Match:
    """All rows of one shape. `hellos` holds what each process said of itself."""

    shape: Shape
    folder: Path
    rounds: int
    players: Mapping[str, Path]

    def __post_init__(self) -> None:
        self.hellos: dict[str, dict[str, Any]] = {}
        self.rows = rows(self.shape.config().num_hidden_layers)
        self._shuffled = random.Random(0)

    def played(self) -> Iterator[tuple[Row, Line]]:
        """On a CPU all processes live side by side; a GPU holds one at a time, and rows come when all are known."""
        if self.shape.device == "cpu":
            yield from self._together(self.players)
            return
        lines: dict[str, Line] = {name: {} for name in self.rows}
        for name, python in self.players.items():
            for row, line in self._together({name: python}):
                lines[row.name] |= line
        yield from ((self.rows[name], line) for name, line in lines.items())

    def _together(self, players: Mapping[str, Path]) -> Iterator[tuple[Row, Line]]:
        with ExitStack() as stack:
            children: list[Child] = []
            absent: Line = {}
            for name, python in players.items():
                log = self.folder / f"{name}.log"
                try:
                    child = stack.enter_context(Child(name, python, self.shape, self.folder, log))
                except CannotError as error:
                    absent[name] = Dash(str(error))
                    continue
                children.append(child)
                self.hellos[name] = child.hello
            for row in self.rows.values():
                yield row, absent | self._line(row, children)

    def _line(self, row: Row, children: Sequence[Child]) -> Line:
        taken: dict[str, list[dict[str, Any]]] = {child.player: [] for child in children}
        dashes: Line = {}
        for turn in range(1 if row.peak else min(self.rounds, row.rounds)):
            for child in self._shuffled.sample(children, len(children)):
                if child.player not in dashes:
                    try:
                        taken[child.player].append(child.ask(row.name, swap=bool(turn % 2)))
                    except CannotError as error:
                        dashes[child.player] = Dash(str(error))
        return {name: dashes.get(name) or self._cell(row, name, answers) for name, answers in taken.items()}

    def _cell(self, row: Row, name: str, answers: Sequence[dict[str, Any]]) -> Cell:
        pairs: list[Pair] = [(answer["theirs"] * row.times, answer["ours"]) for answer in answers]
        label = f"{self.shape.name}: {row.name}: {name}"
        if row.peak:
            ratio = Ratio.of(label, pairs, target=row.target, value=lambda theirs, ours: (ours - theirs) / self._unit)
        else:
            ratio = Ratio.of(label, pairs, target=row.target)
        return Cell(ratio, answers[0]["off"], answers[0]["equal"])

    @property
    def _unit(self) -> int:
        """Bytes of one layer's activation."""
        size = 2 if self.shape.dtype == "bfloat16" else 4
        return LONG * int(self.shape.config().hidden_size) * size


def as_dict(row: Row, line: Line) -> dict[str, Any]:
    """For the JSON file."""
    return {
        "row": row.name,
        "title": row.title,
        "target": row.target,
        "unit": "activations of one layer" if row.peak else "ratio to the bare model in the same process",
        "players": {name: asdict(cell) for name, cell in line.items()},
    }
