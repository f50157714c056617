"""Lens: what the model would say after each layer, and where it has made up its mind."""

from __future__ import annotations

from collections.abc import Iterator

from ....analyze.lens.answer import Lens
from ....analyze.lens.lens import lens
from ....plain import shorten
from ....registry.part_spec import PartType
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter
from .shares import PROMPT

EARLY = 0.5  # share of the layers


def _read(case: Case) -> Iterator[Picture | Remark]:
    found = lens(case.lifted, case.prompt, case.taps, _layers(case))
    yield found.plot("target")
    yield found.plot("divergence")
    yield found.picture()
    settled = _settled(found)
    yield Remark(
        said=f"{found.target!r} is the likeliest token after {shorten(found.prompt, PROMPT)!r} from layer {settled} of"
        f" {len(found.layers)} on",
        rule="share of the layers after which the answer is settled",
        value=settled / len(found.layers),
        threshold=EARLY,
        is_most=True,
    )


def _layers(case: Case) -> list[str]:
    return [name for name in case.parts(PartType.FULL_LAYER) if name.startswith("layer_")]


def _settled(found: Lens) -> int:
    """How many layers it takes until the likeliest token is the final one for good."""
    said = [int(row.ids[-1, 0]) for row in found.layers.values()]
    others = [place for place, token in enumerate(said) if token != said[-1]]
    return others[-1] + 2 if others else 1


LENS = Chapter(
    key="lens",
    title="What it would say after each layer",
    shows="For one prompt, how likely its answer is at every token when the last norm and head read each layer.",
    hides="A layer whose states the head cannot read may hold the answer all the same.",
    verb="lens",
    read=_read,
)
