"""LayerPicker: the model as one upright engine block. Pick parts by mouse or keyboard, and Python has their names."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import traitlets

from ..drawing.inside import whole
from ..drawing.machine import rows
from ..drawing.marks import Marks
from ..drawing.picture import picture
from ..drawing.shade import Shade, shade_of
from ..drawing.words import about
from ..errors import InputError, PartsLeftOut, shortened
from ..garage import Garage
from ..registry.specs import ModelSpec
from ..snapshot.snapshots import Snapshots
from .admission import command
from .assets import script, sheet
from .panel import Panel
from .parts import Names, Parts, Picked

LISTED = 6  # names that a line of text has room for


class LayerPicker(Panel):
    """`picker = LayerPicker(garage)`; then `picker.value` is a tuple such as `("attention_3.head_1", "layer_5")`.

    `value` takes any selector (`"0,-1"`, `"attention_*"`, `"attention_3.head_*"`) and can be observed. `selector` is
    the same as the text `--layers` takes. `changed` names what is drawn in amber: the places of the garage's recipe,
    which it follows, unless it is said; only Python sets it.
    """

    _esm = script("machine.js", "marks.js", "walking.js", "picker.js")
    _css = sheet("picker.css")
    _title = traitlets.Unicode().tag(sync=True)
    _about = traitlets.Unicode().tag(sync=True)
    _rows: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _shade: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    multiple = traitlets.Bool(True, read_only=True).tag(sync=True)
    value = Picked().tag(sync=True, front=True)
    changed = Parts().tag(sync=True)

    def __init__(
        self,
        of: Garage | ModelSpec,
        value: Names = None,
        multiple: bool = True,
        *,
        changed: Names = None,
        **options: Any,
    ) -> None:
        if not isinstance(of, Garage | ModelSpec):
            raise InputError(f"A {type(of).__name__} has no parts to pick.", "Give a Garage or a ModelSpec.")
        self.spec, target = (of.spec, of.model) if isinstance(of, Garage) else (of, of)
        self._of = weakref.ref(of)
        self.shading = Shade()
        self.set_trait("multiple", multiple)
        drawing = [asdict(row) for row in rows(self.spec)]
        shown = {"_title": self.spec.model_id, "_about": about(self.spec), "_rows": drawing}
        super().__init__(target, options=options, value=value, changed=changed, **shown)
        if changed is None and isinstance(of, Garage):
            of.bell.listen(self._follow)
            self._follow()

    @property
    def home(self) -> Garage | None:
        of = self._of()
        return of if isinstance(of, Garage) else None

    @property
    def selector(self) -> str:
        """`attention_3,layer_5`: what `%garage capture … --layers` takes."""
        return ",".join(self.value)

    def shade(self, numbers: Snapshots | Mapping[str, Any] | None, what: str | None = None) -> None:
        """Colour parts by a statistic of a capture, or by any {name: number} with `what` it is; None takes it back.

        Of a capture `what` is the statistic, its norm when left out. Numbers below 0 are coloured around 0.
        """
        self.shading = shade_of(self.spec, numbers, what)
        self._shade = self.shading.page()

    @command
    def pick(self, selector: str) -> None:
        """What was typed into the search box. Where a wildcard meets what is n/a the rest is picked, and it tells."""
        self.value = [selector]
        left = [name for name in self.spec.select([selector]) if name not in self.value]
        if left:
            raise PartsLeftOut(selector, left, self.spec.why_not(left[0]))

    def _follow(self) -> None:
        """Show the recipe in force, unless another model is on the lift. A module that is no part is not drawn."""
        garage = self.home
        if garage is not None and garage.loaded and garage.model is self.target:
            places = garage.edits.places(self.spec)
            with self._turn:
                self.changed = [name for name in places if whole(self.spec, name) in self.spec.parts]

    def _summary(self) -> str:
        picked = shortened(self.value, LISTED) or "none"
        return f"{self.spec.model_id}, {len(self.spec.parts)} parts, picked: {picked}"

    def _picture(self) -> str:
        return picture(self.spec, Marks(self.value, self.changed, self.shading))
