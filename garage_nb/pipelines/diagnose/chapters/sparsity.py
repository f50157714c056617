"""Sparsity: how many small activations can be zeroed before the loss rises."""

from __future__ import annotations

from collections.abc import Iterator

from ....analyze.sparsity.threshold_curves import LOSS
from ....analyze.sparsity.thresholds import thresholds
from ....registry.part_spec import PartType
from ....view.bars import number
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter

SHARE = 0.25


def _read(case: Case) -> Iterator[Picture | Remark]:
    case.demand_texts()
    found = thresholds(
        case.lifted,
        case.thinned,
        case.recipe,
        _places(case),
        case.sizes.shares,
        control=case.sizes.control,
        seed=case.seed,
    )
    yield found.plot()
    yield found.picture()
    best = found.best() if len(found.tokens) > 1 else None
    if best is not None:
        yield Remark(
            said=f"{number(best)} of what the feed-forward parts compute can be zeroed, the smallest first, at no more"
            f" than {LOSS:g} nats of loss a token",
            rule=f"share zeroed with a loss that rises by ≤ {LOSS:g} nats, by the upper end of its interval,",
            value=best,
            threshold=SHARE,
        )


def _places(case: Case) -> list[str]:
    """Neurons where there are some to read, else what the part adds."""
    parts = case.lifted.spec.parts
    return [f"{name}.neurons" if parts[name].count_of("neurons") else name for name in case.parts(PartType.FFN)]


SPARSITY = Chapter(
    key="sparsity",
    title="How much can be zeroed",
    shows="The loss on texts as more and more of the smallest feed-forward activations are zeroed, beside as many at"
    " random.",
    hides="Zeroing is arithmetic here: it saves no time, and the loss on other texts can rise sooner.",
    verb="thresholds",
    read=_read,
)
