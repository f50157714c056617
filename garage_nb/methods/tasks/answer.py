"""Answer: what one run of a claim came to, as bytes: the marks of all arms, or why it was refused.

A line of JSON, and the marks as safetensors behind it. The same marks are the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from safetensors.torch import load, save
from torch import Tensor

from ...core.sealed import canonical
from ...errors import REFUSALS, GarageError
from ..outcomes import Marks

_KINDS = {kind.__name__: kind for kind in REFUSALS}


def of_marks(marks: Mapping[str, Marks]) -> bytes:
    """By arm, in their order."""
    readings = [list(one.readings) for one in marks.values()]
    tensors = {
        f"{place}/{number}": values.detach().cpu().contiguous().clone()
        for place, one in enumerate(marks.values())
        for number, values in enumerate((one.right, one.log_probs, *one.readings.values()))
    }
    return canonical({"arms": list(marks), "readings": readings}) + b"\n" + save(tensors)


def of_refusal(error: GarageError) -> bytes:
    return canonical({"refused": type(error).__name__, "what": error.what, "hint": error.hint}) + b"\n"


def marks_in(data: bytes) -> Mapping[str, Marks]:
    """The refusal, where there is one, is raised."""
    line, _, rest = data.partition(b"\n")
    said = json.loads(line)
    if "refused" in said:
        raise _KINDS[said["refused"]](said["what"], said["hint"])
    tensors = load(rest)
    each = enumerate(zip(said["arms"], said["readings"], strict=True))
    return {arm: _marks(tensors, place, readings) for place, (arm, readings) in each}


def _marks(tensors: Mapping[str, Tensor], place: int, readings: list[str]) -> Marks:
    right, log_probs, *others = (tensors[f"{place}/{number}"] for number in range(2 + len(readings)))
    return Marks(right=right, log_probs=log_probs, readings=dict(zip(readings, others, strict=True)))
