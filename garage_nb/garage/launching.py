"""Launching: one line run by several processes together, on a model split between them."""

from __future__ import annotations

from dataclasses import asdict

from ..errors import InputError
from ..fleet.devices.launch import launched
from ..verbs import asks_help, find, read, verb, verbs_of
from ..view.saved import SavedResult
from ..words import words
from .session import Session

# What only runs the model, and needs no more of it than what is whole in every process.
TOGETHER = ("capture", "lens", "generate", "similarity", "sweep", "patching", "ablation", "robustness")


class Launching(Session):
    @verb()
    def launch(self, line: str, *, ranks: int = 2, seconds: float = 600.0) -> SavedResult:
        """Run one line on the model split over several processes of this machine, with the edits in force.

        Each holds a share of the weights, on a GPU of its own or on the processor. Whole parts can be read and changed:
        layer_*, attention_*, ffn_*; heads and neurons are split between the processes.

        Args:
            line: what to ask, in quotes: "capture 'The capital of France is' --layers layer_*"
            ranks: how many processes; heads and neurons have to go by that
            seconds: after which all are ended
        """
        self._demand_together(line)
        return launched(self.lifted, self.edits, [line], ranks, seconds, asdict(self.settings))[0]

    def _demand_together(self, line: str) -> None:
        """InputError for a line that several processes cannot run."""
        spelt = words(line, {})
        if not spelt or any(map(asks_help, spelt)):
            raise InputError("There is nothing to run.", "Write: launch \"capture 'The capital of France is'\"")
        asked = find(verbs_of(type(self)), str(spelt[0])).name
        if asked not in TOGETHER:
            raise InputError(f"launch does not run {asked}.", f"It runs: {', '.join(TOGETHER)}.")
        read(type(self), spelt)
