"""Manual: the help pages, read off the table of verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..verbs import Verb, usage
from ..view.cards import Card
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Manual(Shown):
    """All verbs, or one of them with its arguments."""

    verbs: dict[str, Verb]
    asked: str = ""

    def frame(self) -> pd.DataFrame:
        """One row a verb; of one verb, one row an argument."""
        if self.asked:
            told = arguments(self.verbs[self.asked].doc)
            return framed("argument", told, ["meaning"], [(text,) for text in told.values()])
        rows = [(entry.summary, usage(entry), ", ".join(entry.aliases)) for entry in self.verbs.values()]
        return framed("verb", self.verbs, ["does", "usage", "aliases"], rows)

    def picture(self) -> Card:
        if not self.asked:
            lines = {name: entry.summary for name, entry in self.verbs.items()}
            return Card("%garage VERB …", lines, note="help VERB tells more.")
        entry = self.verbs[self.asked]
        other = f"\nAlso: {', '.join(entry.aliases)}." if entry.aliases else ""
        return Card(usage(entry), arguments(entry.doc), note=entry.doc.split("\n\nArgs:")[0] + other)


def arguments(doc: str) -> dict[str, str]:
    """The `Args:` of a docstring."""
    from docstring_parser import parse

    return {item.arg_name: " ".join((item.description or "").split()) for item in parse(doc).params}
