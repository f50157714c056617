"""Cost: what the model takes up, and how long a pass takes here. Of a report only times vary from run to run."""

from __future__ import annotations

from collections.abc import Iterator

from ....analyze.judging.cost import costs
from ....analyze.judging.lineup import Lineup
from ....view.bars import number
from ....view.cards import Card
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter


def _read(case: Case) -> Iterator[Picture | Remark]:
    batches = sorted((one for each in case.texts.values() for one in each), key=lambda one: one.input_ids.numel())
    (found,) = costs(Lineup({case.lifted.spec.model_id: case.lifted}, case.recipe), [batches[len(batches) // 2]])
    least, most = (number(1000 * edge) for edge in (min(found.seconds), max(found.seconds)))
    facts = {
        "parameters": f"{found.parameters:,}",
        "memory": f"{found.bytes / 1e6:,.1f} MB of weights and buffers",
        "one pass": f"{number(1000 * found.median)} ms over {found.tokens} tokens, the median of {len(found.seconds)};"
        f" {least} to {most}",
    }
    yield Card("What it takes", facts)


COST = Chapter(
    key="cost",
    title="What it costs",
    shows="Parameters, memory, and the time of a pass over a text of middling length, with the recipe in force.",
    hides="Times are of this machine at this moment, and of one text alone; so are those at the foot of the report.",
    verb="judge",
    read=_read,
)
