"""Session: one model on the lift and the recipe in force, which the verbs of the other files work on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from ..answers.registered import Registered
from ..answers.settings import Settings
from ..answers.status import Status
from ..compose.assembly.reopening import reopened
from ..doctor.page import Ping
from ..errors import GarageError, InputError
from ..inject.recipe import History, Recipe
from ..registry.lift import Lifted, lift
from ..registry.specs import ModelSpec
from ..verbs import verb
from ..view.cards import Card
from ..view.shown import Picture, Shown
from .bell import Bell

if TYPE_CHECKING:
    import pandas as pd

Layers = str | int | Iterable[str | int]
S = TypeVar("S", bound="Session")


class Session(Shown):
    """One model at a time. The model is never wrapped or changed: edits are in force only while a run lasts."""

    def __init__(self, source: Any = None, *, tokenizer: Any = None, **options: Any) -> None:
        """`source` as `load` takes it: an embedded name, a folder, a hub id or a live model. Empty when None."""
        self.bell = Bell()
        self.history, self.settings = History(), Settings()
        self.ping: Ping | None = None
        self._lifted: Lifted | None = None
        if source is not None:
            self.load(source, tokenizer=tokenizer, **options)

    @property
    def lifted(self) -> Lifted:
        if self._lifted is None:
            raise GarageError("There is no model on the lift.", 'Load one first: load showroom, or Garage("showroom").')
        return self._lifted

    @property
    def unedited(self) -> Lifted:
        """The model on the lift, for what reads it without edits. InputError where some are in force."""
        if len(self.edits):
            raise InputError(
                f"Edits are in force, which this would leave out: {self.edits}.",
                "Take them back: reset, or build first.",
            )
        return self.lifted

    @property
    def loaded(self) -> bool:
        return self._lifted is not None

    @property
    def model(self) -> Any:
        return self.lifted.model

    @property
    def tokenizer(self) -> Any:
        return self.lifted.tokenizer

    def picture(self) -> Picture:
        return self.status().picture() if self.loaded else Card("The lift is empty.", note="Try: load showroom")

    def frame(self) -> pd.DataFrame:
        """One row for the model on the lift; none where there is none."""
        return self.status().frame() if self.loaded else Registered(()).frame()

    @property
    def edits(self) -> Recipe:
        return self.history.now

    @property
    def history(self) -> History:
        """Setting it rings the bell."""
        return self._history

    @history.setter
    def history(self, history: History) -> None:
        self._history = history
        self.bell.ring()

    @verb("open", session=True, model=False)
    def load(
        self: S,
        source: Any = "showroom",
        *,
        tokenizer: Any = None,
        dtype: str | None = None,
        device: str | None = None,
        device_map: Any = None,
        offload_folder: str | None = None,
        revision: str | None = None,
    ) -> S:
        """Put a model on the lift.

        Args:
            source: an embedded name (showroom), a folder, a hub id, @model for one that is in the notebook, or @hybrid
            tokenizer: @tokenizer, for a live model
            dtype: float32, bfloat16 or float16; as stored when left out
            device: cpu, cuda, cuda:1, mps; the first accelerator when left out
            device_map: for a model larger than one device, as accelerate takes it: auto, balanced, cpu, or @name for a
                dict from modules to devices, cpu or disk
            offload_folder: where weights go that the map sends to the disk; a temporary place when left out
            revision: a branch, tag or commit of a hub model
        """
        placing = {"device": device, "dtype": dtype, "device_map": device_map, "offload_folder": offload_folder}
        found, words, edits = reopened(source, tokenizer)
        self._lifted = lift(found, tokenizer=words, revision=revision, **placing)
        self.history = History(edits)
        return self

    @verb()
    def status(self) -> Status:
        """Show what is on the lift and what is in force."""
        return Status(self.lifted.info, self.spec, self.edits)

    @property
    @verb()
    def spec(self) -> ModelSpec:
        """Show what is known of the model as a whole; `parts` lists its parts."""
        return self.lifted.spec
