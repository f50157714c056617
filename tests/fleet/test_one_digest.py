"""One digest, whoever does the work and whatever dies, is interrupted or damaged meanwhile; no text lost or twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.errors import CancelledError
from garage_nb.fleet.corpus.corpus import corpus_of
from garage_nb.fleet.driving.ledger import ENDING, Ledger
from garage_nb.fleet.engines.crew import Crew
from garage_nb.fleet.engines.here import Here
from garage_nb.fleet.engines.ipyparallel import IpyparallelCrew
from garage_nb.fleet.engines.named import crew_of
from garage_nb.fleet.surveying.question import Question
from garage_nb.fleet.surveying.survey import Survey
from garage_nb.fleet.surveying.surveys import surveys
from garage_nb.garage import Garage
from garage_nb.inject.recipe import Recipe
from tests.families import saved
from tests.fleet.pressed import Pressed

ROWS = 5
QUESTION = Question(stats=("norm", "sparsity", "loss"), neurons="ffn_*")
ASKED = {"stats": "norm,sparsity,loss", "neurons": "ffn_*"}  # the same of the verb


def texts(count: int) -> list[list[int]]:
    draw = torch.Generator().manual_seed(1)
    lengths = torch.randint(5, 60, (count,), generator=draw).tolist()
    return [torch.randint(3, 40, (length,), generator=draw).tolist() for length in lengths]


@pytest.fixture(scope="module")
def garage(tmp_path_factory: pytest.TempPathFactory) -> Garage:
    return Garage(saved("gpt2", tmp_path_factory.mktemp("model")))


def asked(
    garage: Garage, crew: Crew, folder: Path, count: int, after: Callable[[int], object] = lambda chunk: None
) -> Survey:
    """`after` is called with the number of each chunk that was settled."""
    plan = QUESTION.plan(garage.lifted, Recipe(), folder)
    corpus = corpus_of(texts(count))
    found = None
    for number, now in enumerate(surveys(garage.lifted, corpus, plan, crew, Ledger(folder), rows=ROWS)):
        found = now
        after(number)
    assert found is not None
    assert found.whole
    assert (found.texts, found.tokens) == (count, sum(map(len, texts(count))))
    assert not found.aside
    return found


def kill(client: Any) -> int:
    """One that works there now; those that are being replaced do not answer."""
    pids: dict[str, int] = {}
    while not pids:
        pids = client.run(os.getpid, on_error="ignore")
    pid = next(iter(pids.values()))
    os.kill(pid, signal.SIGKILL)
    return pid


def test_in_one_process_in_a_pool_and_on_dask_with_a_worker_killed(garage: Garage, tmp_path: Path) -> None:
    from distributed import Client

    here, pool = (asked(garage, crew_of(on), tmp_path / name, 30) for on, name in (("here", "a"), ("pool:2", "b")))
    with crew_of("dask") as crew, Client(crew.address) as client:  # type: ignore[attr-defined]
        dask = asked(garage, crew_of(client), tmp_path / "c", 30, lambda chunk: chunk == 1 and kill(client))

    assert here.digest == pool.digest == dask.digest


@pytest.mark.slow
def test_over_every_engine_and_every_fault(garage: Garage, tmp_path: Path) -> None:
    """200 texts in 40 chunks: 8 workers of Dask killed, 5 interrupts, 6 results damaged, ipyparallel."""
    from distributed import Client

    digests: dict[str, str] = {}
    for on in ("here", "pool:2"):
        digests[on] = asked(garage, crew_of(on), tmp_path / on.replace(":", "-"), 200).digest
    killed: list[int] = []

    def after(chunk: int) -> None:
        if chunk % 3 == 1 and len(killed) < 8:
            killed.append(kill(client))

    with crew_of("dask") as crew, Client(crew.address) as client:  # type: ignore[attr-defined]
        digests["dask"] = asked(garage, crew_of(client), tmp_path / "dask", 200).digest
        digests["dask, 8 killed"] = asked(garage, crew_of(client), tmp_path / "killed", 200, after).digest
    digests["5 interrupts"] = interrupted(garage, tmp_path / "interrupted", 5).digest
    digests["6 damaged"] = damaged(garage, tmp_path / "interrupted", 6).digest
    digests["ipyparallel"] = asked(garage, IpyparallelCrew(), tmp_path / "ipyparallel", 200).digest

    assert len(killed) == len(set(killed)) == 8
    print(*digests.items(), sep="\n")
    assert len(set(digests.values())) == 1


def interrupted(garage: Garage, folder: Path, times: int) -> Survey:
    """By Ctrl-C, each time after six more chunks."""
    for number in range(times):
        with pytest.raises(CancelledError, match="was interrupted"):
            garage.survey(
                texts(200), on=Pressed(6), batch=ROWS, ledger=str(folder), stats="norm,sparsity,loss", neurons="ffn_*"
            )
        assert len(list(folder.glob(f"*{ENDING}"))) == 6 * (number + 1)
    return asked(garage, Here(), folder, 200)


def damaged(garage: Garage, folder: Path, count: int) -> Survey:
    """One byte of each, somewhere; the last one is cut as well."""
    files = sorted(folder.glob(f"*{ENDING}"))
    for number, file in enumerate(files[:count]):
        held = bytearray(file.read_bytes())
        held[len(held) * number // count] ^= 1
        file.write_bytes(held[: len(held) - 9 * (number == count - 1)])
    found = asked(garage, Here(), folder, 200)
    assert len(list(folder.glob(f"*{ENDING}"))) == len(files) == 40
    return found
