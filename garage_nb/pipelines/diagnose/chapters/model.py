"""The model: what it is, and what was proved of its blocks when it was opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ....core.versions import made_with
from ....plain import count
from ....registry.report import Report
from ....view.bars import Column, Table
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter

SOME = 0.01  # share of all blocks


def _read(case: Case) -> Iterator[Picture | Remark]:
    spec, report = case.lifted.spec, case.lifted.spec.report()
    yield from _remarks(report)
    card = spec.picture()
    yield replace(card, facts={**card.facts, **_facts(case)}, note="")
    yield report.picture()
    if report.unavailable:
        names = list(report.unavailable)
        why = Column("why it can be neither read nor changed", list(report.unavailable.values()))
        yield Table(names, [why], title="Parts that are n/a")


def _remarks(report: Report) -> Iterator[Remark]:
    unproved = sum(bool(proof.reason) for proof in report.proofs)
    if report.proofs:
        yield Remark(
            said=f"Of {count(len(report.proofs), 'block')} {unproved} cannot be shown to add up: the halves are read,"
            " not proved",
            rule="share of blocks that do not add up",
            value=unproved / len(report.proofs),
            threshold=SOME,
        )


def _facts(case: Case) -> dict[str, str]:
    info = case.lifted.info
    return {
        "size": f"{info['total_params']:,} parameters, {info['dtype']} on {info['device']}",
        "made with": ", ".join(f"{name} {version}" for name, version in made_with().items()),
    }


MODEL = Chapter(
    key="model",
    title="What the model is",
    shows="Its shape and parts, and of every block whether what enters plus what its halves add is what leaves.",
    hides="That a block adds up says how it is built, not whether it was trained well.",
    verb="report",
    read=_read,
)
