"""Weights: norms, singular values, ranks and sparsity of every weight, without a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.stats import TAU, demand_threshold
from ...errors import InputError, UnknownPartError, nearest, shortened
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from .holdings import Held, holdings
from .spectra import MEASURES, Spectrum, spectrum

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BUDGET = 4e12  # of rows · columns · the smaller of both, over all matrices: minutes on a processor
SHOWN = 40  # rows of a table; the frame holds them all
LABELS = {
    "norm": "Frobenius norm ‖W‖",
    "spectral": "largest singular value σ₁",
    "stable_rank": "stable rank ‖W‖² / σ₁²",
    "effective_rank": "effective rank, exp of the entropy of σ / Σσ",
    "mean": "mean of all entries",
    "std": "standard deviation of all entries",
    "sparsity": "sparsity, share of |w| ≤ {tau:g} σ of its own entries",
    "exact_zeros": "exact zeros, share of entries",
}


@dataclass(frozen=True, eq=False)
class Weight:
    """One weight under one name. `shared` is the first name of a weight that has several: a tied head, a block that
    runs several times.
    """

    part: str
    name: str
    spectrum: Spectrum
    shared: str = ""

    def __str__(self) -> str:
        return f"{self.part} {self.name}"


@dataclass(frozen=True, eq=False, repr=False)
class Weights(Drawn):
    """Weights as they are stored, input to output. Edits do not touch them; `tau` is the sparsity threshold."""

    model_id: str
    tau: float
    weights: tuple[Weight, ...]

    @property
    def matrices(self) -> list[Weight]:
        return [weight for weight in self.weights if len(weight.spectrum.singular)]

    def of(self, part: str) -> list[Weight]:
        """The weights of one part. UnknownPartError names the nearest that was read."""
        found = [weight for weight in self.weights if weight.part == part]
        if not found:
            known = dict.fromkeys(weight.part for weight in self.weights)
            raise UnknownPartError(f"No weights of {part!r} were read.", f"Nearest: {nearest(part, known)}.")
        return found

    def frame(self) -> pd.DataFrame:
        """One row a weight; `shape` as it is stored, `singular_values` counts them."""
        keys = [(weight.part, weight.name) for weight in self.weights]
        rows = [
            [
                " × ".join(map(str, one.spectrum.shape)),
                len(one.spectrum.singular),
                *(getattr(one.spectrum, measure) for measure in MEASURES),
                one.shared,
            ]
            for one in self.weights
        ]
        return framed(("part", "weight"), keys, ["shape", "singular_values", *MEASURES, "shared"], rows)

    def plot(self, part: str | None = None, measure: str = "stable_rank", ax: Axes | None = None) -> Plot:
        """One measure of every matrix; of one part the singular values themselves."""
        from ...view.curves import curves
        from ...view.plots import line

        if part is not None:
            series = {one.name: one.spectrum.singular.tolist() for one in self.of(part) if len(one.spectrum.singular)}
            if not series:
                raise InputError(f"{part} has no matrix.", "Its numbers are in .frame().")
            drawn = curves(series, f"singular values of {part}", across="number", log=True, ax=ax)
            return Plot(drawn, f"singular values of {len(series)} matrices of {part}", self.frame)
        if measure not in MEASURES:
            raise InputError(f"There is no measure {measure!r} of weights.", f"There are: {', '.join(MEASURES)}.")
        names = [str(one).removesuffix(".weight") for one in self.matrices or self.weights]
        values = [getattr(one.spectrum, measure) for one in self.matrices or self.weights]
        label = LABELS[measure].format(tau=self.tau)
        drawn = line(names, values, label=label, across="weight", ax=ax)
        return Plot(drawn, f"{label} of {len(names)} weights of {self.model_id}", self.frame)

    def picture(self) -> Table:
        shown = (self.matrices or list(self.weights))[:SHOWN]
        columns = [
            Column("weight", [one.name.removesuffix(".weight") for one in shown]),
            Column("shape", [" × ".join(map(str, one.spectrum.shape)) for one in shown]),
            Column("norm", [one.spectrum.norm for one in shown]),
            Column("σ₁", [one.spectrum.spectral for one in shown]),
            Column("stable rank", [one.spectrum.stable_rank for one in shown], bar=True),
            Column("effective rank", [one.spectrum.effective_rank for one in shown]),
            Column(f"sparsity |w|\u00a0≤\u00a0{self.tau:g}\u00a0σ", [one.spectrum.sparsity for one in shown]),
        ]
        rest = len(self.weights) - len(shown)
        said = ["weights as stored", self._sharing(), f"{rest:,} more in .frame()" if rest else ""]
        return Table([one.part for one in shown], columns, title=self.model_id, caption=" · ".join(filter(None, said)))

    def _sharing(self) -> str:
        shared = [one for one in self.weights if one.shared]
        return f"{shortened([f'{one} is {one.shared}' for one in shared], 1)}" if shared else ""


def weights(lifted: Lifted, layers: Selector | None = None, tau: float = TAU) -> Weights:
    """Every weight of the parts named, or of the whole model. The model is not run.

    InputError where there are none, or when the singular values would take long; UnsupportedModelError for weights
    that are quantised, sharded or out of reach.
    """
    demand_threshold(tau)
    names = None if layers is None else lifted.spec.select(layers)
    held = holdings(lifted.model, lifted.spec, names)
    if not held:
        raise InputError(f"{', '.join(names or [lifted.spec.model_id])} has no weights.", "Name attention_*, ffn_*.")
    _demand_time(held)
    first: dict[tuple[int, int], Weight] = {}
    found = []
    for one in held:
        known = first.get(one.key)
        told = spectrum(one.read(), tau, str(one)) if known is None else known.spectrum
        found.append(Weight(one.part, one.name, told, "" if known is None else str(known)))
        first.setdefault(one.key, found[-1])
    return Weights(lifted.spec.model_id, tau, tuple(found))


def _demand_time(held: Sequence[Held]) -> None:
    matrices = {one.key: one.shape for one in held if len(one.shape) == 2}
    need = sum(rows * columns * min(rows, columns) for rows, columns in matrices.values())
    if need > BUDGET:
        raise InputError(
            f"The singular values of {len(matrices):,} matrices take {need:.1e} steps, more than {BUDGET:.0e}.",
            "Name fewer parts: attention_0, ffn_*, 0,-1.",
        )
