"""Laying: a live panel on which a sheet is laid: a base, donors beside it, and moves that make grafts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import traitlets

from ..answers.models import known_models
from ..compose.layout.check import check
from ..compose.layout.donors import Donor, opened
from ..compose.ref import Ref
from ..compose.sheet import BuildSheet
from ..compose.worktop.code import as_python
from ..compose.worktop.offers import offers
from ..compose.worktop.stacking import Grafts
from ..compose.worktop.worktop import Worktop
from ..compose.written import sheet_from_json, sheet_to_json
from ..errors import InputError
from ..garage import Garage
from ..plain import one_line
from .admission import command
from .composer_sheet import Sheet, donor_name, is_known, known_source
from .composer_view import Seen, column, offered
from .live import Answer, Live
from .words import about

Sources = Mapping[str, Any]
Work = Callable[[Garage], Generator[Answer, None, None]]


class Laying(Live):
    """`sheet` is the build sheet as JSON, which can be set too; `donors` says which models stand beside the base."""

    _title = traitlets.Unicode().tag(sync=True)
    _about = traitlets.Unicode().tag(sync=True)
    _known: traitlets.List[str] = traitlets.List().tag(sync=True)
    _result: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _beside: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _offers: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _sheet: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _python = traitlets.Unicode().tag(sync=True)
    sheet = Sheet().tag(sync=True)
    donors: traitlets.Dict[str, str] = traitlets.Dict(read_only=True).tag(sync=True)
    seen = traitlets.Any(None, read_only=True)
    worktop = traitlets.Any(Worktop(), read_only=True)
    _checked = traitlets.Any()  # the worktop that `seen` is of

    def __init__(self, base: Any, donors: Sources | None, *, options: dict[str, Any]) -> None:
        garage = base if isinstance(base, Garage) else Garage(base)
        self._own = None if garage is base else garage  # nobody else would keep it
        self._donors: dict[str, Donor] = {}
        self._sources: dict[str, Any] = {}
        self._wanted: dict[str, str] = {}
        self.base, self.name = garage.spec.model_id, "hybrid"
        shown = {"_title": one_line(self.base), "_about": about(garage.spec)}
        super().__init__(garage, options=options, **shown)
        self._known = [one_line(model.name) for model in known_models().models]
        for name, source in (donors or {}).items():
            self._stand(donor_name(name, self._taken), source, opened(name, source))
        self._put(self.worktop)

    def add(self, name: str, source: Any) -> None:
        """Another donor beside the base: an embedded name, a folder, a hub id or a live model."""
        name = donor_name(name, self._taken)
        donor = opened(name, source)
        with self._turn:
            self._stand(name, source, donor)
            self._put(self.worktop)

    def said(self, grafts: Grafts, name: str) -> dict[str, Any]:
        """A sheet of this bench as JSON."""
        return sheet_to_json(BuildSheet(self.base, dict(self.donors), grafts, name))

    @command
    def hold(self, donor: str, part: str) -> None:
        """Say of every place of the result whether a part could stand there. Of the result itself, without a donor."""
        found = offers(self.worktop, _part(donor, part), self._all())
        self._offers = offered(donor, part, found)

    @command
    def place(self, donor: str, part: str, at: str) -> None:
        """Drop a part on a place of the result, or a layer in a gap."""
        self._put(self.worktop.dropped(_part(donor, part), _text(at), self._all()))

    @command
    def remove(self, layer: int) -> None:
        """Take a layer out of the result, counted from 0."""
        self._put(self.worktop.without_layer(_number(layer), self._all()))

    @command
    def take_out(self, graft: int) -> None:
        """Take a graft off the sheet, counted from 0."""
        self._put(self.worktop.without(_number(graft), self._all()))

    @command
    def undo(self) -> None:
        self._put(self.worktop.undo())

    @command
    def redo(self) -> None:
        self._put(self.worktop.redo())

    @command
    def bring(self, source: str, name: str) -> None:
        """Open another donor, by a name known here or a folder. An empty name is the next free letter."""
        source = known_source(source)
        self._wanted[donor_name(name, self._taken)] = source
        self._work(None, f"opening {source}")

    def _checking(self, garage: Garage) -> Generator[Answer, None, None]:
        """What is wanted beside the base is opened first. The sheet is that of the end, not of the beginning."""
        while self._wanted:
            name, source = next(iter(self._wanted.items()))
            try:
                donor = opened(name, source)
            finally:
                self._wanted.pop(name, None)
            with self._turn:
                self._stand(name, source, donor)
                self._lay(self.worktop)
            yield {}
        worktop = self.worktop
        seen = Seen.of(check(self._live(garage)))
        yield {"seen": seen, "_result": seen.column(), "_sheet": seen.chips(worktop), "_checked": worktop}

    @property
    def _taken(self) -> list[str]:
        return [self.base, *self.donors, *self._wanted]

    def _all(self) -> dict[str, Donor]:
        """As grafts name them."""
        return {"": opened(self.base, self.garage.lifted), **self._donors}

    def _live(self, garage: Garage) -> BuildSheet:
        with self._turn:
            donors = {self.base: opened(self.base, garage.lifted), **self._donors}
            return BuildSheet(self.base, donors, self.worktop.grafts, self.name)

    def _stand(self, name: str, source: Any, donor: Donor) -> None:
        """A donor beside the base."""
        self._donors[name], self._sources[name] = donor, source
        said = source if isinstance(source, str) else donor.spec.model_id
        self.set_trait("donors", {**self.donors, name: one_line(said)})
        self._beside = [*self._beside, column(name, donor.spec)]

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
        grafts = self.worktop.grafts
        if is_known(self.base):
            return as_python(BuildSheet(self.base, self._sources, grafts, self.name))
        lines = as_python(BuildSheet("base", {"base": self.garage.lifted, **self._sources}, grafts, self.name))
        return f"base = garage.lifted  # the model on the lift\n{lines}"

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

    def _work(self, work: Work | None, said: str) -> None:
        garage = self.garage
        self._progress = said
        self.ask(lambda: self._pieces(garage, work))

    def _pieces(self, garage: Garage, work: Work | None) -> Generator[Answer, None, None]:
        """What was asked before and passed over for this comes first: no drop and no donor is lost."""
        if self._wanted or self._checked is not self.worktop:
            yield from self._checking(garage)
        if work is not None:
            yield from work(garage)

    def close(self) -> None:
        """With its donors, which it keeps in memory."""
        super().close()
        self._donors.clear()


def _part(donor: object, part: object) -> Ref:
    return Ref(_text(donor), _text(part))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InputError(f"{str(value)[:40]!r} names no part.", "Name one, such as attention_3.")
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{str(value)[:40]!r} is no number of a graft or layer.", "They are counted from 0.")
    return value
