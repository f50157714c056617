"""Garage: every verb on one object. What one can do here is what one can do.

A verb answers with a value and prints nothing. `%garage capture "Hi" --layers 0,-1` is
`garage.capture("Hi", layers="0,-1")`; the command line says the same.
"""

from __future__ import annotations

from ..answers.manual import Manual
from ..extract.part import ExtractedPart
from ..extract.pytorch import PyTorchExtractor
from ..verbs import find, verb, verbs_of
from .asking import Asking
from .causal import Causal
from .editing import Editing
from .reading import Reading
from .scanning import Scanning
from .tending import Tending


class Garage(Tending, Asking, Editing, Causal, Scanning, Reading):
    """One model at a time. The model is never wrapped or changed: edits are in force only while a run lasts."""

    @verb()
    def extract(self, component: str, *, layer: int | None = None) -> ExtractedPart:
        """Take a copy of a part out, to run on hidden states alone.

        Args:
            component: a full name (attention_3), or a type with its layer (self_attention, ffn, layer, lm_head …)
            layer: which layer, when the type alone does not say
        """
        return PyTorchExtractor(self.model).extract_component(component, layer)

    @verb(model=False)
    def help(self, verb: str = "") -> Manual:
        """Show every verb, or one of them with its arguments.

        Args:
            verb: the verb to explain
        """
        verbs = verbs_of(Garage)
        return Manual(verbs, find(verbs, verb).name if verb else "")
