"""Whole: whether the model is as it came, bit for bit, after all that was asked of it."""

from __future__ import annotations

from collections.abc import Iterator

from ....registry.verification import verify
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter


def _read(case: Case) -> Iterator[Picture | Remark]:
    found = verify(case.lifted)
    yield found.picture()
    other = [check for check, said in found.findings.items() if said]
    yield Remark(
        said=f"The model is not as it was put on the lift: {', '.join(other)}",
        rule="checks that find a difference",
        value=len(other),
        threshold=1,
        grave=True,
    )


WHOLE = Chapter(
    key="whole",
    title="Whether it is as it came",
    shows="That all the runs of this report have left hooks, names, weights and answers as they were, bit for bit.",
    hides="It compares with the model as it was put on the lift, not with the files it was loaded from.",
    verb="verify",
    read=_read,
)
