"""Description: what a part that was taken out is, in numbers and words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..core.family import ModelFamily
from .wanted import Units


class Form(str, Enum):
    """How a part was taken: whole, units cut out with their own weights, or all of it with the other units masked.

    ADDED: whole, of a module that adds the residual stream itself, which is left before that.
    """

    WHOLE = "whole"
    ADDED = "added"
    CUT = "cut"
    MASKED = "masked"


@dataclass(frozen=True, kw_only=True)
class PartDescription:
    """Where a part came from and what it takes. `part` is the catalogue's name of all of it.

    `tied` says in words which weights it shared, `unlike` why units could not be cut out; empty where there is nothing
    to say. `columns` are those of the units in what enters the part's last projection. `error` is the largest
    difference to what the part gave in the model, relative to the largest value there; None: it was not compared.
    """

    model_id: str
    name: str
    family: ModelFamily
    input_dim: int
    output_dim: int
    max_seq_len: int | None
    parameters: int
    part: str
    tied: str = ""
    units: Units | None = None
    form: Form = Form.WHOLE
    columns: tuple[int, ...] = ()
    unlike: str = ""
    error: float | None = None

    @property
    def share(self) -> str:
        """What of the part it answers, and of units with which weights; empty where it is all of it."""
        if self.units is None:
            return "what it adds to the residual stream, without the stream" if self.form is Form.ADDED else ""
        if self.units.kind == "expert":
            return "one expert, for every token, without the router's weight"
        said = f"their own share of {self.part}, without its output bias"
        masked = f"all of its weights, the other {self.units.kind}s masked: {self.unlike}"
        return said if self.form is Form.CUT else f"{said}; {masked}"

    def __str__(self) -> str:
        size = f"{self.input_dim} → {self.output_dim}, {self.parameters:,} parameters"
        known = f"{self.name} of {self.model_id} ({self.family.value}): {size}"
        return "; ".join([known, *filter(None, (self.share, self.tied))])
