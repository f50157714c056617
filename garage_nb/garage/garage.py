"""Garage: every verb on one object. What one can do here is what one can do.

A verb answers with a value and prints nothing. `%garage capture "Hi" --layers 0,-1` is
`garage.capture("Hi", layers="0,-1")`; the command line says the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..answers.manual import Manual
from ..compose.peft.parts import AdapterParts, peft_parts
from ..extract.part import ExtractedPart
from ..extract.pytorch import PyTorchExtractor
from ..extract.shelf.saving import save_part
from ..extract.shelf.shelf import Shelf, shelf
from ..inject.borrowed.door import ADAPTER
from ..verbs import find, verb, verbs_of
from .asking import Asking
from .blades import Blades
from .building import Building
from .causal import Causal
from .claims import Claims
from .combining import Combining
from .debating import Debating
from .diagnosing import Diagnosing
from .launching import Launching
from .pathways import Pathways
from .reading import Reading
from .routers import Routers
from .scanning import Scanning
from .surveying import Surveying
from .tending import Tending


class Garage(
    Tending,
    Building,
    Combining,
    Asking,
    Blades,
    Claims,
    Routers,
    Debating,
    Diagnosing,
    Pathways,
    Causal,
    Surveying,
    Launching,
    Scanning,
    Reading,
):
    """One model at a time. The model is never wrapped or changed: edits are in force only while a run lasts."""

    @verb()
    def extract(self, component: Any, *, layer: int | None = None, to: str | None = None) -> ExtractedPart:
        """Take a copy of a part out, to run on hidden states alone, and put it on a shelf.

        Args:
            component: a full name (attention_3, attention_3.head_1, ffn_3.expert_0), or a type with its layer
                (self_attention, ffn, layer, lm_head …)
            layer: which layer, when the type alone does not say
            to: a folder, or a .json file, to save it in; shelf lists what a folder holds
        """
        part = PyTorchExtractor(self.model).extract_component(component, layer)
        if to is not None:
            save_part(part, to)
        return part

    @verb(model=False)
    def shelf(self, folder: str = "parts") -> Shelf | AdapterParts:
        """List the part files of a folder; of an adapter of PEFT's, what it changes.

        Args:
            folder: where extract --to put them, or one with adapter_config.json
        """
        if (Path(folder).expanduser() / ADAPTER).is_file():
            return peft_parts(folder, self.spec if self.loaded else None)
        return shelf(folder)

    @verb(model=False)
    def help(self, verb: str = "") -> Manual:
        """Show every verb, or one of them with its arguments.

        Args:
            verb: the verb to explain
        """
        verbs = verbs_of(Garage)
        return Manual(verbs, find(verbs, verb).name if verb else "")
