"""Apart: texts that something is chosen by, and other texts that it is tried on."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.batch import Batch, Prompt
from ...errors import InputError
from ...registry.lift import Lifted
from .domains import Domains, texts_by_domain


@dataclass(frozen=True, eq=False)
class Apart:
    """No text is in both. `said` tells how they came apart."""

    calibration: list[Batch]
    trial: list[Batch]
    said: str


def apart(lifted: Lifted, prompts: Prompt | Domains, calibration: Prompt | Domains | None) -> Apart:
    """Given apart, or every other one of the prompts: the first calibrates, the second is tried. Equal ones are one.

    InputError for a single prompt, and where a text is on both sides.
    """
    trial = _each_once(lifted, prompts)
    if calibration is not None:
        chosen = _each_once(lifted, calibration)
        if both := trial.keys() & chosen.keys():
            raise InputError(
                f"{len(both)} of {len(trial)} prompts also calibrate, and would be tried on what they were chosen by.",
                "Give other texts for calibration, or none: then every other prompt calibrates.",
            )
        return Apart(list(chosen.values()), list(trial.values()), f"{len(chosen):,} other texts")
    if len(trial) < 2:
        raise InputError(
            "One prompt cannot both calibrate and be tried.", "Give several, or other texts with --calibration @texts."
        )
    texts = list(trial.values())
    return Apart(texts[::2], texts[1::2], f"every other prompt, {len(texts[::2]):,} of {len(texts):,}")


def _each_once(lifted: Lifted, prompts: Prompt | Domains) -> dict[tuple[object, ...], Batch]:
    """By its tokens, in order."""
    return {_tokens(text): text for each in texts_by_domain(lifted, prompts).values() for text in each}


def _tokens(text: Batch) -> tuple[object, ...]:
    written = text.decoder_input_ids
    return (*text.input_ids[0].tolist(), None, *([] if written is None else written[0].tolist()))
