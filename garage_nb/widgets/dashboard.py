"""Dashboard: picker, bench and scope side by side, in step."""

from __future__ import annotations

import weakref
from typing import Any

import ipywidgets
import traitlets

from ..garage import Garage
from ..plain import one_line
from .admission import refuse_unknown
from .bench import TuningBench
from .lives import take_over
from .parts import Names
from .picker import LayerPicker
from .scope import SparsityScope

GAP = "12px"  # between panels


class Dashboard(ipywidgets.Box):  # type: ignore[misc]  # untyped
    """`board = Dashboard(garage, "The capital of France is")`: `.picker`, `.bench` and `.scope` are its panels.

    What is picked has a fader, and the prompt of one is that of the other. The scope shows the recipe in force.
    """

    def __init__(self, garage: Garage, prompt: str = "", parts: Names = None, **options: Any) -> None:
        refuse_unknown(type(self), options)
        self.bench = TuningBench(garage, prompt, parts)
        self.picker, self.scope = LayerPicker(garage, self.bench.parts), SparsityScope(garage, prompt)
        self._target = weakref.ref(garage.model)
        traitlets.link((self.picker, "value"), (self.bench, "parts"))
        traitlets.link((self.bench, "prompt"), (self.scope, "prompt"))
        panels = (self.picker, self.bench, self.scope)
        for panel in panels:
            panel.layout = {"flex": "1 1 360px", "min_width": "0"}
        super().__init__(panels, layout={"flex_flow": "row wrap", "grid_gap": GAP, "align_items": "flex-start"})
        take_over(self)

    @property
    def target(self) -> object | None:
        return self._target()

    @property
    def home(self) -> Garage | None:
        return self.bench.home

    def close(self) -> None:
        """With its panels, which would listen on."""
        for panel in self.children:
            panel.close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """With the pictures of its panels for where no kernel runs."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        pictures = [panel._repr_mimebundle_() for panel in self.children]
        html = "".join(data["text/html"] for data, _ in filter(None, pictures))
        return {**bundle, "text/html": html, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"Dashboard({one_line(self.picker.spec.model_id)}: {', '.join(map(repr, self.children))})"
