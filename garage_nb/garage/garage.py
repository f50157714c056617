"""Garage: every verb on one object. What one can do here is what one can do.

A verb answers with a value and prints nothing. `%garage capture "Hi" --layers 0,-1` is
`garage.capture("Hi", layers="0,-1")`; the command line says the same.
"""

from __future__ import annotations

from typing import Literal

from ..answers.manual import Manual
from ..answers.registered import Registered
from ..answers.verification import Verification, verify
from ..extract.part import ExtractedPart
from ..extract.pytorch import PyTorchExtractor
from ..registry.lift import lift
from ..registry.models import ModelRegistry
from ..verbs import find, verb, verbs_of
from .asking import Asking
from .editing import Editing
from .reading import Reading


class Garage(Asking, Editing, Reading):
    """One model at a time. The model is never wrapped or changed: edits are in force only while a run lasts."""

    @verb()
    def extract(self, component: str, *, layer: int | None = None) -> ExtractedPart:
        """Take a copy of a part out, to run on hidden states alone.

        Args:
            component: a full name (attention_3), or a type with its layer (self_attention, ffn, layer, lm_head …)
            layer: which layer, when the type alone does not say
        """
        return PyTorchExtractor(self.model).extract_component(component, layer)

    @verb()
    def verify(self) -> Verification:
        """Prove that the model is as it came, bit for bit."""
        return verify(self.lifted)

    @verb(model=False)
    def registry(self, action: Literal["list", "add"] = "list", model: str | None = None) -> Registered:
        """List the models whose parts are catalogued on this machine, or add one.

        Args:
            action: list or add
            model: which one to add, as load takes it; the one on the lift when left out
        """
        registry = ModelRegistry()
        if action == "add":
            owner = self.lifted if model is None else lift(model)
            registry.register(owner.spec.model_id, owner.model, owner.tokenizer)
        return Registered(tuple(registry.get_spec(name) for name in registry.list_models()))

    @verb(model=False)
    def help(self, verb: str = "") -> Manual:
        """Show every verb, or one of them with its arguments.

        Args:
            verb: the verb to explain
        """
        verbs = verbs_of(Garage)
        return Manual(verbs, find(verbs, verb).name if verb else "")
