"""One player in a process of its own: a line of JSON in, a line of JSON out.

`{"row": name, "swap": bool}` is answered by `{"theirs": …, "ours": …, "off": …, "equal": …}`: the bare model's
cost and the player's, seconds or bytes, and how far the player's answer is from that of plain hooks; by
`{"cannot": why}` where the tool has no way. The first line, unasked, says which versions run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from .memory import peak
from .player import Answer, CannotError, Player
from .players.bare import Bare
from .players.hooks import Hooks
from .rows import Row, rows
from .shapes import load, twin
from .side_by_side import pair


@dataclass
class Table:
    """What this process can be asked: one player's works, each prepared and warmed when it is first wanted."""

    player: Player
    bare: Bare
    device: str

    def __post_init__(self) -> None:
        self._ready: dict[str, _Prepared] = {}

    @cached_property
    def rows(self) -> dict[str, Row]:
        return rows(self.bare.model.config.num_hidden_layers)

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._measured(self.rows[asked["row"]], swap=bool(asked.get("swap")))
        except CannotError as error:
            return {"cannot": str(error)}
        except Exception as error:  # a tool that breaks has answered, and the others go on
            traceback.print_exc()
            return {"cannot": f"failed: {type(error).__name__}: {error}"}

    def _measured(self, row: Row, *, swap: bool) -> dict[str, Any]:
        ready = self._ready.get(row.name) or self._ready.setdefault(row.name, self._prepared(row))
        theirs, ours = (self._bytes if row.peak else self._seconds)(ready, swap)
        return {"theirs": theirs, "ours": ours, "off": ready.off, "equal": ready.equal}

    def _prepared(self, row: Row) -> _Prepared:
        ids = row.ids(self.bare.model.config.vocab_size, self.device)
        base, work = row.base(self.bare, ids), row.work(self.player, ids)
        expected, found = row.work(Hooks(self.bare.model), ids)(), work()
        base()
        return _Prepared(base, work, *compared(expected, found))

    def _seconds(self, ready: _Prepared, swap: bool) -> tuple[float, float]:
        return pair(self._whole(ready.base), self._whole(ready.work), swap=swap)

    def _bytes(self, ready: _Prepared, swap: bool) -> tuple[float, float]:
        return peak(ready.base, self.device), peak(ready.work, self.device)

    def _whole(self, work: Callable[[], object]) -> Callable[[], object]:
        """On a GPU nothing has been done before the device says so."""
        if self.device == "cpu":
            return work

        def waited() -> None:
            work()
            torch.cuda.synchronize()

        return waited


@dataclass(frozen=True)
class _Prepared:
    base: Callable[[], object]
    work: Callable[[], object]
    off: float
    equal: bool


def compared(expected: Answer, found: Answer) -> tuple[float, bool]:
    """The largest difference as a share of the largest value, and whether all is equal bit for bit."""
    pairs = list(zip(expected, found, strict=True))
    return max(_off(*two) for two in pairs), all(torch.equal(*two) for two in pairs)


def _off(expected: Tensor, found: Tensor) -> float:
    if expected.shape != found.shape:
        raise CannotError(f"answers {tuple(found.shape)} where {tuple(expected.shape)} was asked")
    wide, other = expected.double(), found.double()
    return float((wide - other).abs().max() / wide.abs().max())


def versions(player: Player) -> dict[str, str]:
    return {"python": platform.python_version()} | {
        package: version(package) for package in ("torch", "transformers", *player.packages)
    }


def serve(table: Table, asked: TextIO, said: TextIO) -> None:
    hello = {"versions": versions(table.player), "remarks": dict(table.player.remarks)}
    print(json.dumps(hello), file=said, flush=True)
    for line in asked:
        print(json.dumps(table.answer(json.loads(line))), file=said, flush=True)


def own_stdout() -> TextIO:
    """The pipe to the parent. Whatever else a library prints goes to stderr from now on."""
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return said


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.server")
    parser.add_argument("player")
    parser.add_argument("folder", type=Path)
    parser.add_argument("device")
    parser.add_argument("dtype")
    given = parser.parse_args()
    said = own_stdout()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    model = load(given.folder, given.device, given.dtype)
    player = importlib.import_module(f".players.{given.player}", __package__).PLAYER(twin(model))
    serve(Table(player, Bare(model), given.device), sys.stdin, said)


if __name__ == "__main__":
    main()
