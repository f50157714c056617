"""`python -m tests.bench`: what the engine costs beside the bare model, and beside its peers.

Prints tables, writes build/bench.json. A benchmark, not a test: it asserts nothing and its numbers belong to the
machine they were taken on. The peers live in an environment of their own, made by `make bench-peers`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import engine, table
from .machine import machine
from .peers import PLAYERS, Match, as_dict, present
from .shapes import Shape, load, there
from .side_by_side import HEAD

BUILD = Path("build")
OUT = BUILD / "bench.json"
ROUNDS = 7


def main() -> None:
    shapes = {shape.name: shape for shape in there()}
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="The engine beside its peers.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each player is asked for each row")
    parser.add_argument("--shape", choices=shapes, help="only this model")
    given = parser.parse_args()
    about = machine()
    print(", ".join(f"{key}: {value}" for key, value in about.items()), flush=True)
    _say_absent()
    BUILD.mkdir(exist_ok=True)
    wanted = [shapes[given.shape]] if given.shape else list(shapes.values())
    found = [_measured(shape, given.rounds) for shape in wanted]
    OUT.write_text(json.dumps({"machine": about, "shapes": found}, indent=1), encoding="utf-8")
    print(f"Written to {OUT}")


def _say_absent() -> None:
    absent = [name for name in PLAYERS if name not in present()]
    if absent:
        print(f"Without {', '.join(absent)}: `make bench-peers` installs them, in an environment of their own.")


def _measured(shape: Shape, rounds: int) -> dict[str, Any]:
    with TemporaryDirectory(dir=BUILD) as place:
        folder = Path(place).absolute()
        shape.save(folder)
        pieces = list(_pieces(shape, folder))
        match = Match(shape, folder, rounds, present())
        lines = list(_rows(match))
    return {
        "shape": shape.name, "device": shape.device, "dtype": shape.dtype, "rounds": rounds, "pieces": pieces,
        "players": match.hellos, "rows": lines,
    }  # fmt: skip


def _pieces(shape: Shape, folder: Path) -> Iterator[dict[str, object]]:
    """In this process; on a GPU the room is the players'."""
    if shape.device != "cpu":
        return
    print(f"\n{shape.name}: the engine's pieces\n{HEAD}", flush=True)
    for row in engine.measured(shape.name, load(folder, shape.device, shape.dtype)):
        print(row.row(), flush=True)
        yield row.as_dict()


def _rows(match: Match) -> Iterator[dict[str, Any]]:
    players, said = list(match.players), []
    print(f"\n{match.shape.name} beside its peers, {match.rounds} rounds: median min-max, ! over the target")
    print(table.head(players), flush=True)
    for row, line in match.played():
        print(table.written(row, line, players), flush=True)
        said += list(table.notes(line, row, match.hellos))
        yield as_dict(row, line)
    versions = [f"{name}: {' '.join(map(' '.join, hello['versions'].items()))}" for name, hello in match.hellos.items()]
    print(*dict.fromkeys(said), *versions, sep="\n", flush=True)


if __name__ == "__main__":
    main()
