"""Small real work for the driver: numbers to be summed, some of which are bad; and what came of it."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from garage_nb.fleet.driving.driver import Settled, drive
from garage_nb.fleet.driving.ledger import Ledger
from garage_nb.fleet.engines.named import crew_of


@dataclass(frozen=True)
class Sum:
    """Of numbers. Each of `kills` takes its worker with it, each of `raises` raises. Where there is a `folder`, every
    run that passes adds a byte to a file there, and a file `signal number`, which is used up, sends this process that.
    """

    numbers: tuple[int, ...]
    folder: str = ""
    kills: frozenset[int] = frozenset()
    raises: frozenset[int] = frozenset()

    @property
    def key(self) -> str:
        return hashlib.sha256(repr(self.numbers).encode()).hexdigest()

    @property
    def where(self) -> str:
        return f"{self.numbers[0]} to {self.numbers[-1]}"

    def run(self) -> bytes:
        if self.folder:
            self._obey()
        if self.kills & set(self.numbers):
            os.kill(os.getpid(), signal.SIGKILL)
        if bad := self.raises & set(self.numbers):
            raise ValueError(f"{min(bad)} is not to be summed")
        if self.folder:
            with open(Path(self.folder) / self.key, "ab") as file:
                file.write(b".")
        return str(sum(self.numbers)).encode()

    def _obey(self) -> None:
        for number in self.numbers:
            for told in (signal.SIGKILL, signal.SIGINT):
                with suppress(FileNotFoundError):
                    (Path(self.folder) / f"{int(told)} {number}").unlink()
                    os.kill(os.getpid(), told)

    def pieces(self) -> Sequence[Sum]:
        return [replace(self, numbers=(number,)) for number in self.numbers]

    def without(self, pieces: Sequence[Any]) -> Sum | None:
        gone = {number for piece in pieces for number in piece.numbers}
        left = tuple(number for number in self.numbers if number not in gone)
        return replace(self, numbers=left) if left else None


def sums(count: int, each: int = 4, **how: Any) -> list[Sum]:
    """Of the numbers from 0, so many to each."""
    return [Sum(tuple(range(start, start + each)), **how) for start in range(0, count * each, each)]


def order(folder: Path, told: signal.Signals, numbers: Iterable[int]) -> None:
    """Whoever comes to one of the numbers sends itself the signal, once."""
    for number in numbers:
        (folder / f"{int(told)} {number}").touch()


def orders_left(folder: Path) -> int:
    return sum(" " in path.name for path in folder.iterdir())


def times_run(tasks: Iterable[Sum]) -> list[int]:
    """How often each came to its end."""
    files = [Path(task.folder) / task.key for task in tasks]
    return [file.stat().st_size if file.exists() else 0 for file in files]


def results(tasks: Iterable[Sum]) -> list[Settled]:
    """What a drive of them is to yield."""
    return [Settled(number, str(sum(task.numbers)).encode(), ()) for number, task in enumerate(tasks)]


def driven(tasks: Iterable[Any], folder: Path, on: Any = "here", **options: Any) -> list[Settled]:
    """On an engine, or on a crew."""
    with crew_of(on) if isinstance(on, str | Executor) else on as crew:
        return list(drive(tasks, crew, Ledger(folder), **options))


def kept(folder: Path) -> set[str]:
    """The keys in a ledger's folder; any other file fails."""
    assert {path.suffix for path in folder.iterdir()} <= {".part"}
    return {path.stem for path in folder.iterdir()}
