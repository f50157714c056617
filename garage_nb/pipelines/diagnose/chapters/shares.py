"""Shares: how much each part adds to the logit of the answer to one prompt."""

from __future__ import annotations

from collections.abc import Iterator

from ....analyze.attribution.attribution import Attribution, attribution
from ....plain import shorten
from ....registry.specs import ModelSpec
from ....view.bars import number
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter

SHARE = 0.5
PROMPT = 60  # letters of it in a remark


def _read(case: Case) -> Iterator[Picture | Remark]:
    found = attribution(case.lifted, case.prompt, case.taps)
    yield found.plot()
    yield found.picture()
    yield from _remarks(found, case.lifted.spec)


def _remarks(found: Attribution, spec: ModelSpec) -> Iterator[Remark]:
    """Of parts: neither of what enters the first block, nor of biases and edits."""
    parts = {name: value for name, value in found.parts.items() if name in spec.parts}
    if found.logit > 0 and parts:
        name = max(parts, key=lambda part: parts[part])
        share = parts[name] / found.logit
        yield Remark(
            said=f"{name} alone adds {number(parts[name])} of the {number(found.logit)} that the logit of"
            f" {found.target!r} is after {shorten(found.prompt, PROMPT)!r}",
            rule="share of the answer's logit that one part adds directly",
            value=share,
            threshold=SHARE,
        )


SHARES = Chapter(
    key="shares",
    title="What adds to the answer",
    shows="The logit of the likeliest next token of one prompt as the sum of what every half of a block adds to it.",
    hides="What a part does by changing later parts is not in it, and another prompt has other shares.",
    verb="attribution",
    read=_read,
)
