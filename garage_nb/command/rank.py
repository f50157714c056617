"""Rank: the program of one process of a launch. Its number and a folder with what is asked come as arguments."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from ..answers.settings import Settings
from ..core.loader import ModelLoader, tokenizer_at
from ..fleet.devices.job import MEETING, RECIPE, TOKENIZER, Job, put_failure
from ..garage import Garage
from ..inject.recipe import Recipe
from ..registry.decompose import known_as
from ..registry.specs import ModelSpec
from ..verbs import read
from ..view.shown import Shown
from ..words import words


def main(folder: Path, rank: int) -> None:
    """Ends the process: one that waits for the others could not."""
    follow_launcher()
    try:
        job = Job.read(folder)
        meet(job, folder, rank)
        _answer(_lifted(job, folder), job, folder, rank)
    except BaseException as error:
        put_failure(folder, rank, error)
        os._exit(1)
    os._exit(0)


def meet(job: Job, folder: Path, rank: int) -> None:
    """Returns when all of them have come."""
    import torch
    import torch.distributed as together

    if job.device == "cuda":
        torch.cuda.set_device(rank)
    backend = "nccl" if job.device == "cuda" else "gloo"
    meeting = f"file://{folder / MEETING}"
    together.init_process_group(backend, init_method=meeting, rank=rank, world_size=job.processes)


def _lifted(job: Job, folder: Path) -> Garage:
    loader = ModelLoader(device=job.device, dtype=job.dtype, processes=job.processes)
    place = folder / TOKENIZER
    spec = ModelSpec.from_json(job.spec)
    tokenizer = tokenizer_at(spec.model_id, str(place)) if place.exists() else None
    model, _, _ = loader.load(job.place, revision=job.revision, tokenizer=tokenizer)
    model.config._name_or_path = spec.model_id
    known_as(model, spec)
    garage = Garage(model, tokenizer=tokenizer)
    garage.settings = Settings(**job.settings)
    garage.apply(Recipe.load(folder / RECIPE))
    return garage


def _answer(garage: Garage, job: Job, folder: Path, rank: int) -> None:
    """Every process asks the same; the first writes down what came out."""
    for number, line in enumerate(job.lines):
        call = read(Garage, words(line, {}))
        answer: Any = call.on(garage)
        if rank == 0 and isinstance(answer, Shown) and not isinstance(answer, Garage):
            answer.save(job.answer(folder, number))


def follow_launcher() -> None:
    """End when it does: it holds the other end of the standard input."""
    threading.Thread(target=_end_with_it, daemon=True).start()


def _end_with_it() -> None:
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
