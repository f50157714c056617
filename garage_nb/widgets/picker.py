"""LayerPicker: the model as one upright engine block. Pick parts by mouse or keyboard, and Python has their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import traitlets

from ..core.parts import parse
from ..errors import InputError
from ..garage import Garage
from ..registry.specs import ModelSpec
from .assets import script
from .machine import rows
from .panel import Panel
from .picture import picture
from .words import about

Names = str | int | Iterable[str | int] | None


class Parts(traitlets.TraitType):  # type: ignore[type-arg]  # traitlets before 5.10 takes none
    """What `spec.usable` understands goes in, a tuple of whole parts in the model's order comes out."""

    default_value = ()

    def validate(self, obj: Any, value: Names) -> tuple[str, ...]:
        whole = {_whole(name) for name in _names(obj.spec, value)}
        return tuple(name for name in obj.spec.parts if name in whole)


class Picked(Parts):
    """Parts as drawn: a head or neuron is refused rather than widened, and a single picker takes one.

    What is picked can be read and changed: a part that is n/a is refused with its reason, and a wildcard leaves it out.
    """

    def validate(self, obj: Any, value: Names) -> tuple[str, ...]:
        names = _names(obj.spec, value)
        inside = next((name for name in names if name not in obj.spec.parts), None)
        if inside:
            raise InputError(f"{inside!r} is inside a part; this picker takes whole parts.", f"Use {_whole(inside)!r}.")
        for name in names:
            obj.spec.site(name)
        picked = super().validate(obj, value)
        if len(picked) > 1 and not obj.multiple:
            raise InputError(f"This picker takes one part, not {len(picked)}.", "Make it with multiple=True for more.")
        return picked


class LayerPicker(Panel):
    """`picker = LayerPicker(garage)`; then `picker.value` is a tuple such as `("attention_3", "layer_5")`.

    `value` takes any selector (`"0,-1"`, `"attention_*"`) and can be observed. `changed` names the parts drawn in
    amber, at first those of the garage's recipe; only Python sets it. `selector` is the text `--layers` takes.
    """

    _esm = script("picker.js")
    _title = traitlets.Unicode().tag(sync=True)
    _about = traitlets.Unicode().tag(sync=True)
    _rows: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
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
        if changed is None and isinstance(of, Garage):
            changed = of.edits.places(of.spec)
        self.set_trait("multiple", multiple)
        drawing = [asdict(row) for row in rows(self.spec)]
        shown = {"_title": self.spec.model_id, "_about": about(self.spec), "_rows": drawing}
        super().__init__(target, options=options, value=value, changed=changed, **shown)

    @property
    def selector(self) -> str:
        """`attention_3,layer_5`: what `%garage capture … --layers` takes."""
        return ",".join(self.value)

    def _summary(self) -> str:
        picked = ", ".join(self.value) or "none"
        return f"{self.spec.model_id}, {len(self.value)} of {len(self.spec.parts)} parts: {picked}"

    def _picture(self) -> str:
        return picture(self.spec, picked=self.value, changed=self.changed)


def _names(spec: ModelSpec, value: Names) -> list[str]:
    if isinstance(value, str | int):
        return spec.usable(value) if value != "" else []
    if not isinstance(value, Iterable | None):
        raise InputError(f"{value!r} names no parts.", 'Give names, such as ("attention_3", "layer_5").')
    items = list(value or ())
    return spec.usable(items) if items else []


def _whole(name: str) -> str:
    address = parse(name)
    return str(address.whole) if address else name
