"""Diagnosis: what a report found, the most remarkable first, and the report itself as one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.files import put, reason
from ...core.folders import demand_folder
from ...errors import InputError
from ...plain import count
from ...view.bars import Column, Table
from ...view.frames import framed
from ...view.shown import Shown
from .remark import Remark, first, ranked
from .section import Section

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Diagnosis(Shown):
    """`about` says what was diagnosed, by what, and with which seed. `path` is where the page was written, if it was.

    Remarks carry the rule they were made by; `times` is how far the number lies beyond its threshold.
    """

    model_id: str
    seed: int
    about: Mapping[str, str]
    sections: tuple[Section, ...]
    path: Path | None = None

    @property
    def first(self) -> list[tuple[Section, Remark]]:
        """The five most remarkable, one of a section."""
        known = {section.chapter.key: section for section in self.sections}
        return [(known[key], remark) for key, remark in first(self._remarks)]

    def section(self, key: str) -> Section:
        found = {section.chapter.key: section for section in self.sections}
        if key not in found:
            raise InputError(f"There is no section {key!r}.", f"There are: {', '.join(found)}.")
        return found[key]

    def html(self) -> str:
        """The whole report: a page that needs nothing else, without any script."""
        from .page import page

        return page(self)

    def to_html(self, path: str | Path) -> Diagnosis:
        """Write the report beside its place and rename it; an older one is replaced whole. InputError leaves it."""
        place = place_of(path)
        try:
            put(place, self.html().encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise _unwritten(path, error) from None
        return replace(self, path=place)

    def frame(self) -> pd.DataFrame:
        """One row a remark, the farthest beyond its threshold first, and one for each section that was not read."""
        rows = [
            (key, [one.said, one.value, one.threshold, one.times, one.rule, one.grave])
            for key, one in ranked(self._remarks)
        ]
        nan = float("nan")
        rows += [
            (one.chapter.key, [" ".join(one.trouble), nan, nan, nan, one.state, one.state == "failed"])
            for one in self.sections
            if one.trouble
        ]
        columns = ["said", "value", "threshold", "times", "rule", "grave"]
        return framed("section", [key for key, _ in rows], columns, [row for _, row in rows])

    def picture(self) -> Table:
        found = self.first
        columns = [
            Column("most remarkable", [remark.said for _, remark in found]),
            Column("told by", [remark.held for _, remark in found]),
        ]
        return Table([section.chapter.key for section, _ in found], columns, title=self.model_id, caption=self._caption)

    @property
    def _remarks(self) -> list[tuple[str, Remark]]:
        return [(section.chapter.key, remark) for section in self.sections for remark in section.remarks]

    @property
    def _caption(self) -> str:
        states = [section.state for section in self.sections]
        told = [f"{states.count(state)} {state}" for state in ("read", "n/a", "failed") if state in states]
        where = f"written to {self.path}" if self.path else '.to_html("report.html") writes the report'
        more = len(self._remarks) - len(self.first)
        rest = f"{count(more, 'more remark')} in .frame()" if more else ""
        return " · ".join(filter(None, [f"{len(states)} sections: {', '.join(told)}", rest, where]))


def place_of(path: str | Path) -> Path:
    """InputError for what could not be written in the end."""
    place = Path(path).expanduser()
    if place.suffix not in (".html", ".htm") or place.is_dir() or not place.parent.is_dir():
        raise InputError(
            f"A report cannot be written to {str(path)!r}.", "Name an .html file in a folder that is there."
        )
    try:
        demand_folder(place.parent)
    except OSError as error:
        raise _unwritten(path, error) from None
    return place


def _unwritten(path: str | Path, error: OSError) -> InputError:
    return InputError(f"{str(path)!r} cannot be written: {reason(error)}.", "Name a file in a folder.")
