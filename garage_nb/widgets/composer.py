"""Composer: models side by side; a part dropped on a place of the result is a graft of its build sheet."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import traitlets

from ..analyze.judging.judge import judge
from ..compose.assembly.build import build
from ..compose.assembly.hybrid import Hybrid
from ..errors import InputError
from ..garage import Garage
from ..plain import one_line
from ..registry.lift import lift
from ..showroom import corpus
from ..showroom.domains import DOMAINS
from .admission import command
from .assets import script
from .assets import sheet as styles
from .composer_laying import Laying
from .composer_picture import picture
from .composer_plan import lines
from .composer_sheet import folder_name
from .composer_standing import Sources
from .composer_view import fitted, proved, table
from .live import Answer
from .traits import Prompt

ITEMS = 20  # of each domain of the showroom, where no text is given to judge by


class Composer(Laying):
    """`composer = Composer(garage, {"b": "showroom-llama-seed1"})`; `composer.value` is the hybrid once it is built.

    The base is the model of a Garage, or what `load` takes; donors are what `load` takes, by a name each. `sheet` is
    the build sheet as JSON, which can be set too; `donors` says which models stand beside the base. A sheet that
    changes has not been built: `value` is None again.
    """

    _esm = script("composer_columns.js", "composer_hand.js", "composer_sheet.js", "composer.js")
    _css = styles("composer.css")
    _proofs: traitlets.List[list[str]] = traitlets.List().tag(sync=True)
    _judged: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _told = traitlets.Unicode().tag(sync=True)
    texts = Prompt().tag(sync=True, front=True)  # to judge by, one a line
    value = traitlets.Any(None, read_only=True)
    evaluation = traitlets.Any(None, read_only=True)

    def __init__(self, base: Any, donors: Sources | None = None, **options: Any) -> None:
        super().__init__(base, donors, options=options)

    @command
    def make(self) -> None:
        """Build the sheet, and prove what was built."""
        if not (self.worktop.grafts or self.garage.edits.edits):
            raise InputError("The sheet is empty.", "Drop a part of a donor on a place of the result first.")
        self._work(self._building, "building and proving")

    @command
    def judge(self) -> None:
        """Hold what was built against the base and its donors: on the texts, or on items of the showroom."""
        hybrid = self._built("judged")
        self._work(lambda garage: self._judging(garage, hybrid), "judging")

    @command
    def keep(self, folder: str) -> None:
        """Save what was built under a plain name beside the notebook. `value.save_pretrained` takes any path."""
        hybrid, folder = self._built("saved"), folder_name(folder)
        self._work(lambda garage: self._saving(hybrid, folder), "saving, and loading it again")

    def _built(self, wish: str) -> Hybrid:
        if self.value is None:
            raise InputError(f"Nothing is built that could be {wish}.", "Build the sheet first.")
        hybrid: Hybrid = self.value
        return hybrid

    def _building(self, garage: Garage) -> Generator[Answer, None, None]:
        with self._turn:
            now, sheet = self._now(garage), self._live(garage)
        hybrid = build(sheet)
        if self._is_now(garage, now):
            yield {"value": hybrid, "_proofs": [*proved(hybrid.proofs), *fitted(hybrid)]}

    def _judging(self, garage: Garage, hybrid: Hybrid) -> Generator[Answer, None, None]:
        named = {ref.donor for graft in hybrid.check.sheet.grafts for ref in graft.refs}
        used = {name for name, donor in self._donors.items() if name in named and donor.lifted is not None}
        against = {self.base: garage.lifted, **{name: self._donors[name].whole for name in sorted(used)}}
        judged = lift(hybrid.model, tokenizer=hybrid.tokenizer)
        judged = replace(judged, spec=replace(judged.spec, model_id=hybrid.name))
        found = judge(judged, against, hybrid.edits, **self._questions())
        if hybrid is self.value:
            yield {"evaluation": found, "_judged": table(found.table())}

    def _saving(self, hybrid: Hybrid, folder: str) -> Generator[Answer, None, None]:
        where = hybrid.save_pretrained(folder)
        yield {"_told": f"Saved to {one_line(str(where))}: plain transformers gave the same logits from there."}

    def _questions(self) -> dict[str, Any]:
        if texts := lines(self.texts):
            return {"texts": list(texts)}
        return {"exercises": [item.exercise for domain in DOMAINS for item in corpus.items(domain, n=ITEMS)]}

    def _forget(self) -> None:
        """What was built is not what the sheet says any more."""
        self.set_trait("value", None)
        self.set_trait("evaluation", None)
        self._proofs, self._judged, self._told = [], {}, ""

    def _summary(self) -> str:
        grafts = "; ".join(map(str, self.worktop.grafts)) or "nothing grafted"
        return f"{self.base}, {grafts}"

    def _picture(self) -> str:
        beside = {name: donor.spec for name, donor in self._donors.items()}
        return picture(self.seen, beside, self.value, self.evaluation)
