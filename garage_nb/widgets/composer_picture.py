"""The composer as html that needs no kernel: the columns, the sheet with its verdicts, proofs and judgement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..analyze.judging.evaluation import Evaluation
from ..compose.assembly.hybrid import Hybrid
from ..drawing.marks import Marks
from ..drawing.picture import picture as machine
from ..registry.specs import ModelSpec
from ..view.bars import Column, Table
from ..view.cards import Card
from ..view.markup import line, page
from .composer_view import Seen

NOTHING = Card("Nothing has been laid out yet.", note="Run the cell again, or add a donor: composer.add(name, source).")


def picture(
    seen: Seen | None, beside: Mapping[str, ModelSpec], hybrid: Hybrid | None, evaluation: Evaluation | None
) -> str:
    if seen is None:
        return page(NOTHING.html())
    return page("".join([_columns(seen, beside), _sheet(seen).html(), *_answers(seen, hybrid, evaluation)]))


def _columns(seen: Seen, beside: Mapping[str, ModelSpec]) -> str:
    """What the user changed is amber in the result."""
    drawn = [("result", machine(seen.spec, Marks(changed=seen.changed)))]
    drawn += [(f"donor {name}", machine(spec, Marks())) for name, spec in beside.items()]
    models = "".join(f'<div style="flex:1 1 300px;min-width:0">{_named(name)}{svg}</div>' for name, svg in drawn)
    return f'<div style="display:flex;flex-wrap:wrap;gap:16px">{models}</div>'


def _named(name: str) -> str:
    return f'<div style="font:600 13px system-ui,sans-serif">{line(name)}</div>'


def _sheet(seen: Seen) -> Table:
    found = seen.findings
    verdicts = [Column("verdict", [one.verdict for one in found]), Column("reason", [one.reason for one in found])]
    grafts = frozenset(one.graft for one in found[:-1])
    return Table([one.graft for one in found], verdicts, changed=grafts, title="sheet")


def _answers(seen: Seen, hybrid: Hybrid | None, evaluation: Evaluation | None) -> Iterator[str]:
    if hybrid is not None:
        yield hybrid.proofs.picture().html()
    elif seen.facts:
        yield Card("What it would be", seen.facts).html()
    if evaluation is not None:
        yield evaluation.picture().html()
