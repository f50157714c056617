"""Launch: lines run by several processes together, each of which holds a share of the model's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ...core.family import text_config
from ...core.fingerprint import AtRest
from ...core.loader import locate
from ...core.sharded import processes
from ...errors import EngineError, InputError, UnsupportedModelError
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...view.saved import SavedResult, open_result
from ..written import write_model
from .job import RECIPE, TOKENIZER, Job
from .ranks import Ranks

PROGRAM = "garage_nb.command.rank"
_COUNTS = ("num_attention_heads", "num_key_value_heads", "intermediate_size")


def launched(
    lifted: Lifted, edits: Recipe, lines: Sequence[str], ranks: int, seconds: float, settings: Mapping[str, Any]
) -> list[SavedResult]:
    """The answers of those lines that have one, with `edits` in force.

    UnsupportedModelError for a model that transformers cannot split, InputError where it does not go by so many.
    """
    demand_plan(lifted.model, ranks)
    with TemporaryDirectory(prefix="garage-launch-") as made:
        folder = Path(made)
        job = Job(
            place=placed(lifted, folder),
            spec=lifted.spec.to_json(),
            revision=lifted.info["revision"],
            dtype=lifted.info["dtype"],
            device=_device(lifted, ranks),
            processes=ranks,
            lines=tuple(lines),
            settings=dict(settings),
        )
        job.write(folder)
        edits.save(folder / RECIPE)
        if lifted.tokenizer is not None:
            lifted.tokenizer.save_pretrained(folder / TOKENIZER)
        with Ranks(PROGRAM, folder, job) as running:
            running.wait(seconds)
        files = (job.answer(folder, number) for number in range(len(lines)))
        return [open_result(file) for file in files if file.exists()]


def demand_plan(model: Any, ranks: int) -> None:
    if processes(model) > 1:
        raise UnsupportedModelError(
            "This process holds a share of the model already.", "Launch from one that does not."
        )
    config = text_config(model)
    if not getattr(config, "base_model_tp_plan", None) or not hasattr(model, "tp_plan"):
        raise UnsupportedModelError(
            f"transformers has no plan to split a {type(model).__name__} over processes.",
            "Load it over several devices in one process: --device-map auto.",
        )
    counts = {name: count for name in _COUNTS if (count := getattr(config, name, None))}
    odd = [f"{count} {name}" for name, count in counts.items() if ranks > 1 and count % ranks]
    if ranks < 2 or odd:
        fit = [number for number in range(2, min(counts.values()) + 1) if not any(c % number for c in counts.values())]
        raise InputError(
            f"The model cannot be split over {ranks}: {', '.join(odd) or 'that is no split'}.",
            f"Take --ranks {' or '.join(map(str, fit[:4]))}." if fit else "Load it with --device-map auto.",
        )


def placed(lifted: Lifted, folder: Path) -> str:
    """Where it came from, while it is as it came from there; else it is saved for this once."""
    model, named = lifted.model, lifted.info.get("loaded_from")
    if named and not lifted.baseline.at_rest.differences(AtRest.of(model)):
        return locate(named)
    place = folder / "model"
    write_model(model, place)
    return str(place)


def _device(lifted: Lifted, ranks: int) -> str:
    if "cuda" not in lifted.info["device"]:
        return "cpu"
    if torch.cuda.device_count() < ranks:
        raise EngineError(
            f"{ranks} processes were asked for, and this machine has {torch.cuda.device_count()} GPUs.",
            "Take fewer, or load the model with --device cpu.",
        )
    return "cuda"
