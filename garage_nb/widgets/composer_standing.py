"""Standing: a live panel on which models stand side by side: a base, and donors that are brought and taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets

from ..answers.models import known_models
from ..compose.layout.donors import Donor, opened
from ..compose.worktop.worktop import Worktop
from ..drawing.words import about
from ..errors import InputError
from ..garage import Garage
from ..plain import one_line
from .admission import command
from .composer_plan import plan_of
from .composer_sheet import donor_name, known_source, text
from .composer_view import column, only
from .live import Live

Sources = Mapping[str, Any]


class Standing(Live):
    """It begins with the donors on the sheet in the works of its garage. `donors` says which models there are."""

    _title = traitlets.Unicode().tag(sync=True)
    _about = traitlets.Unicode().tag(sync=True)
    _known: traitlets.List[str] = traitlets.List().tag(sync=True)
    _beside: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    donors: traitlets.Dict[str, str] = traitlets.Dict(read_only=True).tag(sync=True)
    worktop = traitlets.Any(Worktop(), read_only=True)

    def __init__(self, base: Any, donors: Sources | None, *, options: dict[str, Any]) -> None:
        garage = base if isinstance(base, Garage) else Garage(base)
        self._own = None if garage is base else garage  # nobody else would keep it
        self._donors: dict[str, Donor] = {}
        self._sources: dict[str, Any] = {}
        self._wanted: dict[str, str] = {}
        plan = plan_of(garage)
        self._plan = plan.alone
        self.base, self.name = garage.spec.model_id, plan.sheet.name
        shown = {"_title": one_line(self.base), "_about": about(garage.spec)}
        super().__init__(garage, options=options, **shown)
        self._known = [one_line(model.name) for model in known_models().models]
        for name, donor in plan.donors.items():
            self._stand(name, plan.sources[name], donor)
        for name, source in (donors or {}).items():
            self._stand(donor_name(name, self._taken), source, self._opened(name, source))
        self._put(Worktop(plan.sheet.grafts))

    def add(self, name: str, source: Any) -> None:
        """Another donor beside the base: an embedded name, a folder, a hub id or a live model."""
        name = donor_name(name, self._taken)
        donor = self._opened(name, source)
        with self._turn:
            self._stand(name, source, donor)
            self._put(self.worktop)

    @command
    def bring(self, source: str, name: str) -> None:
        """Open another donor, by a name known here or a folder. An empty name is the next free letter."""
        source = known_source(source)
        self._wanted[donor_name(name, self._taken)] = source
        self._bring(f"opening {source}")

    @command
    def dismiss(self, donor: str) -> None:
        """Take a donor off the bench. BuildError while a graft needs it."""
        name = text(donor)
        if name not in self._donors:
            raise InputError(f"There is no donor {name[:40]!r} on the bench.", "Only a donor can be taken off it.")
        if name == self._plan.sheet.tokenizer:
            raise InputError(f"{name} gives the sheet its tokenizer.", "Begin with a sheet that names another.")
        worktop = self.worktop.without_donor(name)
        with self._turn, self.hold_sync():
            del self._donors[name], self._sources[name]
            self.set_trait("donors", {each: said for each, said in self.donors.items() if each != name})
            self._beside = [column for column in self._beside if column["name"] != name]
            self._put(worktop)

    @property
    def _taken(self) -> list[str]:
        return [self.base, *self.donors, *self._wanted]

    def _all(self) -> dict[str, Donor]:
        """As grafts name them."""
        base = opened(self.base, self.garage.lifted)
        return {"": base, self.base: base, **self._donors}

    def _opened(self, name: str, source: Any) -> Donor:
        return opened(name, source, self._plan.sheet.dtype)

    def _stand(self, name: str, source: Any, donor: Donor) -> None:
        """A donor beside the base."""
        self._donors[name], self._sources[name] = donor, source
        said = source if isinstance(source, str) else donor.spec.model_id
        self.set_trait("donors", {**self.donors, name: one_line(said)})
        self._beside = [*self._beside, column(name, donor.spec, only=only(donor))]

    def _put(self, worktop: Worktop) -> None:
        """Show a worktop, and ask whether its sheet could be built."""
        raise NotImplementedError

    def _bring(self, said: str) -> None:
        """Open the donors that are wanted."""
        raise NotImplementedError

    def close(self) -> None:
        """With its donors, which it keeps in memory."""
        super().close()
        self._donors.clear()
