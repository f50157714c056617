"""Laying: a live panel on which a sheet is laid: a base, donors beside it, and moves that make grafts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Any

import traitlets

from ..compose.layout.check import check
from ..compose.layout.donors import opened
from ..compose.ref import Ref
from ..compose.sheet import BuildSheet
from ..compose.worktop.code import as_python
from ..compose.worktop.joints import joined, joints
from ..compose.worktop.offers import offers
from ..compose.worktop.stacking import Grafts
from ..compose.worktop.worktop import Worktop
from ..compose.written import sheet_from_json, sheet_to_json
from ..errors import InputError
from ..garage import Garage
from ..inject.recipe import Recipe
from .admission import command
from .composer_plan import SHOWROOM, is_fitted, lines
from .composer_sheet import Sheet, is_known, text
from .composer_standing import Sources, Standing
from .composer_view import Seen, offered
from .live import Answer
from .traits import Prompt

Work = Callable[[Garage], Generator[Answer, None, None]]


class Laying(Standing):
    """`sheet` is the build sheet as JSON, which can be set too."""

    _result: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _offers: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _sheet: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _python = traitlets.Unicode().tag(sync=True)
    sheet = Sheet().tag(sync=True)
    seen = traitlets.Any(None, read_only=True)
    fitting = Prompt().tag(sync=True, front=True)  # texts that adapters are fitted on, one a line
    _on = traitlets.Unicode().tag(sync=True)  # what they are fitted on, in words
    _spare = traitlets.Unicode().tag(sync=True)  # the same where none is given
    _checked = traitlets.Any()  # the worktop and the recipe in force that `seen` is of

    def __init__(self, base: Any, donors: Sources | None, *, options: dict[str, Any]) -> None:
        super().__init__(base, donors, options=options)
        self._spare = self._on = self._plan.said("")
        self.garage.bell.listen(self._follow)

    def said(self, grafts: Grafts, name: str) -> dict[str, Any]:
        """A sheet of this bench as JSON, without the recipe in force and the texts that are typed."""
        return sheet_to_json(self._sheet_of(self.donors, grafts, name, edits=()))

    @command
    def hold(self, donor: str, part: str) -> None:
        """Say of every place of the result whether a part could stand there. Of the result itself, without a donor."""
        found = offers(self.worktop, _part(donor, part), self._all())
        self._offers = offered(donor, part, found)

    @command
    def place(self, donor: str, part: str, at: str) -> None:
        """Drop a part on a place of the result, or a layer in a gap."""
        self._put(self.worktop.dropped(_part(donor, part), text(at), self._all()))

    @command
    def remove(self, layer: int) -> None:
        """Take a layer out of the result, counted from 0."""
        self._put(self.worktop.without_layer(_number(layer), self._all()))

    @command
    def take_out(self, graft: int) -> None:
        """Take a graft off the sheet, counted from 0."""
        self._put(self.worktop.without(_number(graft), self._all()))

    @command
    def join(self, graft: int, adapter: str) -> None:
        """Join a graft, counted from 0, by an adapter that is fitted ("fit") or "untrained", or by "none"."""
        self._put(joined(self.worktop, _number(graft), text(adapter), self._all()))

    @command
    def undo(self) -> None:
        self._put(self.worktop.undo())

    @command
    def redo(self) -> None:
        self._put(self.worktop.redo())

    def _checking(self, garage: Garage) -> Generator[Answer, None, None]:
        """What is wanted beside the base is opened first. The sheet is that of the end, not of the beginning."""
        while self._wanted:
            name, source = next(iter(self._wanted.items()))
            try:
                donor = self._opened(name, source)
            finally:
                self._wanted.pop(name, None)
            with self._turn:
                self._stand(name, source, donor)
                self._lay(self.worktop)
            yield {}
        with self._turn:
            now, sheet = self._now(garage), self._live(garage)
        seen = Seen.of(check(sheet))
        chips = seen.chips(now[0], joints(sheet.grafts, {**sheet.donors, "": sheet.donors[self.base]}))
        yield {"seen": seen, "_result": seen.column(), "_sheet": chips, "_checked": now}

    def _now(self, garage: Garage) -> tuple[Worktop, Recipe]:
        return self.worktop, garage.edits

    def _live(self, garage: Garage) -> BuildSheet:
        with self._turn:
            donors = {self.base: opened(self.base, garage.lifted), **self._donors}
            grafts = self.worktop.grafts
            texts = self._plan.texts(self.fitting, grafts)
            return self._sheet_of(donors, grafts, self.name, edits=garage.edits.edits, texts=texts)

    def _sheet_of(self, donors: Mapping[str, Any], grafts: Grafts, name: str, **more: Any) -> BuildSheet:
        return replace(self._plan.sheet, base=self.base, donors=dict(donors), grafts=grafts, name=name, **more)

    def _bring(self, said: str) -> None:
        self._work(None, said)

    def _put(self, worktop: Worktop) -> None:
        """Show a worktop, and ask whether its sheet could be built."""
        self.garage  # noqa: B018 - gone, or with another model on the lift, it refuses before anything changes
        self._lay(worktop)
        self._work(None, "checking")

    def _lay(self, worktop: Worktop) -> None:
        with self._turn, self.hold_sync():
            if worktop.grafts != self.worktop.grafts:
                self._forget()
            self.set_trait("worktop", worktop)
            self._offers = {}
            self.sheet = self.said(worktop.grafts, self.name)
            self._python = self._code()

    def _forget(self) -> None:
        """What was made of the sheet is not what it says any more."""
        raise NotImplementedError

    def _code(self) -> str:
        """With the model on the lift as `base` where no name says it, the recipe in force, and texts where need be."""
        sheet = self._sheet_of(self._sources, self.worktop.grafts, self.name)
        before, named = [], {}
        if not is_known(self.base):
            before.append("base = garage.lifted  # the model on the lift")
            sheet = replace(sheet, base="base", donors={"base": self.garage.lifted, **sheet.donors})
        if self.garage.edits.edits:
            named["edits"] = "garage.edits.edits"
        if is_fitted(sheet.grafts):
            typed = lines(self.fitting) or self._plan.sheet.texts
            before.append(f"texts = {typed!r}" if typed else SHOWROOM)
            named["texts"] = "texts"
        return "\n".join([*before, as_python(sheet, named)])

    @traitlets.default("sheet")
    def _empty(self) -> dict[str, Any]:
        return self.said((), self.name)

    @traitlets.observe("sheet")
    def _set(self, change: Any) -> None:
        """From Python: the same bench with other grafts."""
        found = sheet_from_json(change["new"])
        if (found.grafts, found.name) != (self.worktop.grafts, self.name):
            self.name = found.name
            self._forget()
            self._put(self.worktop.to(found.grafts))

    @traitlets.observe("fitting")
    def _refit(self, _: Any) -> None:
        """What was fitted on other texts is another hybrid."""
        self._on = self._plan.said(self.fitting)
        if self._checked is not None and is_fitted(self.worktop.grafts):
            self._forget()
            self._put(replace(self.worktop))

    def _follow(self) -> None:
        """The recipe in force has changed, which is built in too; or the model has, which the next move finds out."""
        garage = self.home
        if self.comm is None or garage is None or not garage.loaded or garage.model is not self.target:
            return
        with self._turn:
            if self._checked is not None and self._checked[1] is not garage.edits:
                self._forget()
                self._guarded(lambda: self._put(self.worktop))

    def _work(self, work: Work | None, said: str) -> None:
        garage = self.garage
        self._progress = said
        self.ask(lambda: self._pieces(garage, work))

    def _pieces(self, garage: Garage, work: Work | None) -> Generator[Answer, None, None]:
        """What was asked before and passed over for this comes first: no drop and no donor is lost."""
        if self._wanted or not self._is_checked(garage):
            yield from self._checking(garage)
        if work is not None:
            yield from work(garage)

    def _is_checked(self, garage: Garage) -> bool:
        return self._checked is not None and self._is_now(garage, self._checked)

    def _is_now(self, garage: Garage, then: tuple[Worktop, Recipe]) -> bool:
        """Not whether they are equal: tensors in a recipe are not compared."""
        return all(a is b for a, b in zip(then, self._now(garage), strict=True))


def _part(donor: object, part: object) -> Ref:
    return Ref(text(donor), text(part))


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{str(value)[:40]!r} is no number of a graft or layer.", "They are counted from 0.")
    return value
