"""Neurons: by part, how often each fires, in which domain, and at which tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from ...errors import InputError, UnknownPartError, nearest
from ...plain import count
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from .firing import Loudest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ALWAYS = 0.95  # share of tokens from which a neuron is called always on; a dead one fires at none
SIGNIFICANT = 0.05
MEASURES = {
    "rate": "firing rate, share of tokens, mean over neurons",
    "specialised": "neurons that prefer the domain, p ≤ {significant:g}, share",
}


@dataclass(frozen=True, eq=False)
class Layer:
    """One part's neurons. `rates` are by domain; `index` and `p` as specialisation.py defines them."""

    rates: Float[Tensor, "domains neurons"]
    rate: Float[Tensor, " neurons"]
    index: Float[Tensor, " neurons"]
    p: Float[Tensor, " neurons"]
    loudest: Loudest

    @cached_property
    def dead(self) -> list[int]:
        return (self.rate == 0).nonzero()[:, 0].tolist()

    @cached_property
    def always_on(self) -> list[int]:
        return (self.rate >= ALWAYS).nonzero()[:, 0].tolist()

    @cached_property
    def specialised(self) -> list[int]:
        return (self.p <= SIGNIFICANT).nonzero()[:, 0].tolist()

    @property
    def favourite(self) -> list[int]:
        """The domain in which each fires most."""
        return self.rates.argmax(0).tolist()


@dataclass(frozen=True, eq=False, repr=False)
class Neurons(Drawn):
    """By part, such as `ffn_3`. `tokens` counts those of each domain; special tokens are left out.

    A neuron that fired at none of n tokens has, at 95 %, a rate below 3 / n: dead on these prompts is not dead.
    """

    model_id: str
    threshold: float
    prompts: int
    tokens: dict[str, int]
    layers: dict[str, Layer]
    texts: dict[int, str]

    @property
    def domains(self) -> list[str]:
        return list(self.tokens)

    def top(self, neuron: str) -> list[tuple[str, float]]:
        """The tokens at which `ffn_3.neuron_17` is loudest and its values there."""
        layer, number = self._find(neuron)
        values, tokens = layer.loudest.values[number], layer.loudest.tokens[number]
        return [(self.texts[token], value) for token, value in zip(tokens.tolist(), values.tolist(), strict=True)]

    def dead(self) -> list[str]:
        return [f"{name}.neuron_{at}" for name, layer in self.layers.items() for at in layer.dead]

    def always_on(self) -> list[str]:
        return [f"{name}.neuron_{at}" for name, layer in self.layers.items() for at in layer.always_on]

    def specialised(self, domain: str) -> list[str]:
        """Neurons that prefer a domain (p ≤ 0.05 each), the largest index first."""
        if domain not in self.tokens:
            raise InputError(f"There is no domain {domain!r}.", f"There are: {', '.join(self.domains)}.")
        place = self.domains.index(domain)
        found = [
            (float(layer.index[at]), f"{name}.neuron_{at}")
            for name, layer in self.layers.items()
            for at in layer.specialised
            if layer.favourite[at] == place
        ]
        return [name for _, name in sorted(found, key=lambda pair: -pair[0])]

    def frame(self) -> pd.DataFrame:
        """One row a neuron; a column `rate_…` for each domain, and the token at which it is loudest."""
        keys = [(name, at) for name, layer in self.layers.items() for at in range(len(layer.rate))]
        columns = ["rate", *(f"rate_{name}" for name in self.domains), "index", "p", "favourite", "token", "value"]
        return framed(("part", "neuron"), keys, columns, [self._row(*key) for key in keys])

    def plot(self, measure: str = "rate", ax: Axes | None = None) -> Plot:
        """Parts by domains."""
        from ...view.plots import grid

        if measure not in MEASURES:
            raise InputError(f"There is no measure {measure!r} of neurons.", f"There are: {', '.join(MEASURES)}.")
        values = [self._shares(layer, measure) for layer in self.layers.values()]
        label = MEASURES[measure].format(significant=SIGNIFICANT)
        drawn = grid(list(self.layers), self.domains, values, label, across="domain", ax=ax)
        return Plot(drawn, f"{label}, {len(self.layers)} parts of {self.model_id}", self.frame)

    def picture(self) -> Table:
        layers = list(self.layers.values())
        columns = [
            Column("neurons", [len(layer.rate) for layer in layers]),
            Column("firing rate, mean", [float(layer.rate.mean()) for layer in layers], bar=True),
            Column("dead", [len(layer.dead) for layer in layers]),
            Column(f"always on, ≥ {ALWAYS:g}", [len(layer.always_on) for layer in layers]),
        ]
        if not all(bool(layer.p.isnan().all()) for layer in layers):
            columns += [
                Column(f"prefer a domain, p\u00a0≤\u00a0{SIGNIFICANT:g}", [len(layer.specialised) for layer in layers]),
                Column("by chance", [SIGNIFICANT * int((~layer.p.isnan()).sum()) for layer in layers]),
            ]
        counts = {"prompt": self.prompts, "token": sum(self.tokens.values()), "domain": len(self.tokens)}
        read = ", ".join(count(number, noun) for noun, number in counts.items())
        return Table(list(self.layers), columns, title=self.model_id, caption=f"{read} · {self._defined()}")

    def _defined(self) -> str:
        return f"fires: |a| > {self.threshold:g} rms of its layer at the token"

    def _shares(self, layer: Layer, measure: str) -> list[float]:
        if measure == "rate":
            return layer.rates.mean(1).tolist()
        preferred = [layer.favourite[at] for at in layer.specialised]
        return [preferred.count(place) / len(layer.rate) for place in range(len(self.domains))]

    def _row(self, name: str, at: int) -> list[object]:
        layer = self.layers[name]
        token, value = layer.loudest.tokens[at], layer.loudest.values[at]
        rates = [float(layer.rate[at]), *layer.rates[:, at].tolist()]
        favourite = self.domains[int(layer.rates[:, at].argmax())] if layer.rate[at] > 0 else ""
        chance = [float(layer.index[at]), float(layer.p[at])]
        return [*rates, *chance, favourite, self.texts[int(token[0])], float(value[0])]

    def _find(self, neuron: str) -> tuple[Layer, int]:
        part, _, number = neuron.partition(".neuron_")
        layer = self.layers.get(part)
        if layer is None or not number.isdecimal() or int(number) >= len(layer.rate):
            known = [f"{name}.neuron_{len(one.rate) - 1}" for name, one in self.layers.items()]
            raise UnknownPartError(f"{neuron!r} is no neuron that was read.", f"Nearest: {nearest(neuron, known)}.")
        return layer, int(number)
