"""LeftOut: the texts of a corpus that were not counted, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...plain import count
from ...view.bars import Column, Table
from ...view.cards import Card
from ...view.frames import framed
from ...view.shown import Picture, Shown
from ..corpus.text import SetAside

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 40


class LeftOut(Shown, tuple[SetAside, ...]):
    """In the order in which they were met."""

    def frame(self) -> pd.DataFrame:
        """One row a text: where it stands in the corpus, why it was set aside, and how it begins."""
        return framed("where", [one.where for one in self], ["why", "said"], [(one.why, one.said) for one in self])

    def picture(self) -> Picture:
        if not self:
            return Card("No text was set aside.")
        shown = self[:SHOWN]
        more = f", {len(self) - len(shown):,} more in .frame()" if len(self) > len(shown) else ""
        columns = [Column("why", [one.why for one in shown])]
        return Table([one.where for one in shown], columns, title=f"{count(len(self), 'text')} set aside{more}")

    def __str__(self) -> str:
        """`3 texts set aside (line 12: it is empty; line 40: …)`, as one line of a caption."""
        if not self:
            return "none set aside"
        first = "; ".join(f"{one.where}: {one.why}" for one in self[:2])
        more = "; …" if len(self) > 2 else ""
        return f"{count(len(self), 'text')} set aside ({first}{more}), in .aside"
