"""Question: what a survey is asked, in a user's words, as the plan that workers carry out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...analyze.neurons.firing import THRESHOLD
from ...analyze.texts.domains import with_neurons
from ...core.stats import TAU, demand_threshold
from ...core.tokenwise import TOKENWISE
from ...errors import InputError, nearest
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ..readings.edited import Edited
from ..readings.firing import Firing
from ..readings.losses import Losses
from ..readings.plan import Plan
from ..readings.probe import Probe
from ..readings.reading import Reading
from ..readings.statistics import Statistics

LOSS = "loss"
STATISTICS = (*TOKENWISE, LOSS)


@dataclass(frozen=True)
class Question:
    """`stats` are of every token at `layers`, and the loss. Of the parts in `neurons` the firing is counted; those in
    `sweep` are scaled by each of `factors`. With `probe`, the texts' labels are read off the states at `layers`.
    """

    stats: Sequence[str] = ("norm", "sparsity")
    layers: Selector = "layer_*"
    neurons: Selector | None = None
    sweep: Selector | None = None
    factors: Sequence[float] = (0.0,)
    probe: bool = False
    tau: float = TAU
    firing: float = THRESHOLD

    def plan(self, lifted: Lifted, edits: Recipe, folder: Path) -> Plan:
        """With the edits in force; what they hold in tensors is written to `folder`. InputError where nothing is
        asked, or what is not there.
        """
        demand_threshold(self.tau)
        readings = tuple(self._readings(lifted))
        if not readings:
            raise InputError("Nothing is asked of this corpus.", "Name statistics: --stats norm,sparsity.")
        return Plan(readings, Edited.of(edits, folder))

    def _readings(self, lifted: Lifted) -> list[Reading]:
        spec, names = lifted.spec, tuple(dict.fromkeys(map(_known, self.stats)))
        layers = tuple(spec.usable(self.layers))
        found: list[Reading] = []
        if tokenwise := tuple(name for name in TOKENWISE if name in names):
            found.append(Statistics(layers, tokenwise, self.tau))
        if self.neurons is not None:
            places = tuple(f"{name}.neurons" for name in with_neurons(lifted, self.neurons))
            found.append(Firing(places, self.firing))
        if self.probe:
            found.append(Probe(layers))
        if self.sweep is not None or LOSS in names:
            parts = () if self.sweep is None else tuple(spec.usable(self.sweep))
            found.append(Losses.of(parts, self.factors, lifted.tokenizer))
        return found


def _known(name: str) -> str:
    if name not in STATISTICS:
        raise InputError(f"There is no statistic {name!r} of a token.", f"Nearest: {nearest(name, STATISTICS)}.")
    return name
