"""Manual: the help pages, read off the table of verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..verbs import Verb, usage
from ..view.bars import Column, Table
from ..view.cards import Card
from ..view.shown import Picture, Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Manual(Shown):
    """All verbs, or one of them with its arguments."""

    verbs: dict[str, Verb]
    asked: str = ""

    def frame(self) -> pd.DataFrame:
        """One row a verb; of one verb, one row an argument."""
        import pandas as pd

        if self.asked:
            told = _arguments(self.verbs[self.asked].doc)
            return pd.DataFrame({"meaning": list(told.values())}, index=pd.Index(list(told), name="argument"))
        rows = [(entry.summary, usage(entry), ", ".join(entry.aliases)) for entry in self.verbs.values()]
        return pd.DataFrame(rows, index=pd.Index(list(self.verbs), name="verb"), columns=["does", "usage", "aliases"])

    def picture(self) -> Picture:
        if not self.asked:
            lines = [Column("", [entry.summary for entry in self.verbs.values()])]
            return Table(list(self.verbs), lines, caption="%garage VERB … · help VERB tells more")
        entry = self.verbs[self.asked]
        other = f"\nAlso: {', '.join(entry.aliases)}." if entry.aliases else ""
        return Card(usage(entry), _arguments(entry.doc), note=entry.doc.split("\n\nArgs:")[0] + other)


def _arguments(doc: str) -> dict[str, str]:
    """The `Args:` of a docstring."""
    from docstring_parser import parse

    return {item.arg_name: " ".join((item.description or "").split()) for item in parse(doc).params}
