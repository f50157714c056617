"""DebateChamber: perspectives of one stream side by side, the gate between them, and what each would say next."""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic
from typing import Any
from weakref import ref

import traitlets

from ..errors import InputError
from ..garage import Garage
from ..inject.debating.debated import Debated, unfolding
from ..inject.debating.debating import Debating
from ..inject.debating.fitted import gate_given
from ..inject.debating.gate import Gate, demand_fitted_on
from ..inject.debating.step import Said, Step
from ..inject.views import DIVERGENCES, RECONCILIATIONS
from ..plain import one_line
from ..registry.lift import Lifted
from ..view.bars import Table
from .assets import script, sheet
from .live import Answer
from .reading import Reading
from .traits import Count

APART = 0.1  # seconds between two pictures
LARGEST_SEED = 2**31
SETTINGS = ("at", "blocks", "divergence", "reconciliation", "strength", "perspectives", "seed")


class One(traitlets.TraitType):  # type: ignore[type-arg]  # traitlets before 5.10 takes none
    """One of some words."""

    def __init__(self, *words: str) -> None:
        super().__init__(words[0])
        self.words = words

    def validate(self, obj: Any, value: object) -> str:
        if value not in self.words:
            raise InputError(f"{str(value)[:40]!r} is no {self.name}.", f"There are: {', '.join(self.words)}.")
        return str(value)


class Layer(traitlets.TraitType):  # type: ignore[type-arg]
    """One that a whole block leaves."""

    default_value = ""

    def validate(self, obj: Any, value: object) -> str:
        name = str(obj.spec.name(value)) if isinstance(value, str) else ""
        if name not in obj.behind:
            known = list(obj.behind)
            raise InputError(f"No whole block leaves {str(value)[:40]!r}.", f"Layers are {known[0]} to {known[-1]}.")
        return name


class Blocks(traitlets.TraitType):  # type: ignore[type-arg]
    """How many run between parting and meeting; None for all there are."""

    default_value = None
    allow_none = True

    def validate(self, obj: Any, value: object) -> int | None:
        if value is not None and (type(value) is not int or not 0 <= value <= max(obj.behind.values())):
            raise InputError(f"{str(value)[:40]!r} is no number of blocks.", "Give 0, 1, 2 …, or None for to the end.")
        return value


class Strength(traitlets.TraitType):  # type: ignore[type-arg]
    """From 0 up to below 1."""

    default_value = 0.1

    def validate(self, obj: Any, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise InputError(f"{str(value)[:40]!r} is no strength.", "Give a number from 0 up to below 1.")
        return float(value)


class DebateChamber(Reading):
    """`chamber = DebateChamber(garage, "The capital of France is", at="layer_2", blocks=2)`. `.debated` is the latest
    answer, as far as it has come.

    `at`, `blocks`, `divergence`, `reconciliation`, `strength`, `perspectives`, `seed` and `steps` are those of the verb
    `debate` and can be set, observed and linked. `gate` is what `fit_gate` returned, or the folder it wrote; with one
    it begins gated, with as many perspectives as the gate weighs.
    """

    _esm = script("tokens.js", "chamber.js")
    _css = sheet("tokens.css", "chamber.css")
    at = Layer().tag(sync=True, front=True)
    blocks = Blocks().tag(sync=True, front=True)
    divergence = One(*DIVERGENCES).tag(sync=True, front=True)
    reconciliation = One(*RECONCILIATIONS).tag(sync=True, front=True)
    strength = Strength().tag(sync=True, front=True)
    perspectives = Count(2, least=2, most=8).tag(sync=True, front=True)
    seed = Count(0, least=0, most=LARGEST_SEED).tag(sync=True, front=True)
    steps = Count(8, least=1, most=64).tag(sync=True, front=True)
    _behind: traitlets.Dict[str, int] = traitlets.Dict().tag(sync=True)
    _divergences = traitlets.List(list(DIVERGENCES)).tag(sync=True)
    _reconciliations = traitlets.List(list(RECONCILIATIONS)).tag(sync=True)
    _shown: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, garage: Garage, prompt: str = "", *, gate: Any = None, **options: Any) -> None:
        self.debated: Debated | None = None
        self.gate, self.behind = gate_given(gate), _behind(garage)
        self._fitted: tuple[Gate | None, ref[Any]] | None = None
        own = {name: options.pop(name) for name in (*SETTINGS, "steps") if name in options}
        gated = {} if self.gate is None else {"reconciliation": "gated", "perspectives": self.gate.count}
        own = {"at": next(iter(self.behind)), **gated, **own}
        super().__init__(garage, prompt, options=options, _behind=self.behind, **own)

    def pieces(self, garage: Garage, *, following: bool) -> Generator[Answer, None, None]:
        """Step by step, as often as an eye can follow. EditError for a gate of other weights than are on the lift."""
        steps, due = self.steps, 0.0
        debating = self._debating()
        self._demand_fitted(debating.gate, garage.lifted)
        for found in unfolding(garage.lifted, self.prompt, debating, garage.edits, steps=steps):
            self.debated, count = found, len(found.steps)
            if monotonic() >= due or count == steps:
                due = monotonic() + APART
                yield {"_shown": shown_of(found), "_progress": f"{count} of {steps} tokens written"}

    def shown(self) -> Table | None:
        return None if self.debated is None else self.debated.picture()

    def _demand_fitted(self, gate: Gate | None, lifted: Lifted) -> None:
        """Once for each gate and model, for all weights are read."""
        mine = gate, ref(lifted.model)
        if mine != self._fitted:
            demand_fitted_on(gate, lifted)
            self._fitted = mine

    def _debating(self) -> Debating:
        gate = self.gate if self.reconciliation == "gated" else None
        seeds = tuple(range(self.seed, self.seed + self.perspectives))
        return Debating(self.at, self.blocks, self.divergence, self.reconciliation, self.strength, seeds, gate)

    @traitlets.observe(*SETTINGS, "steps")
    def _set(self, change: object) -> None:
        self._read()


def shown_of(found: Debated) -> dict[str, Any]:
    """What the page says, in plain words and numbers."""
    return {
        "layers": list(found.layers),
        "status": found.status,
        "steps": [_step(step) for step in found.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "reconciled": _said(step.reconciled),
        "perspectives": [_said(one) for one in step.perspectives],
        "agreed": step.agreed,
        "shares": list(step.shares),
        "cosines": list(step.cosines),
        "apart": [list(row) for row in step.apart],
        "likeness": [[round(one, 4) for one in row] for row in step.likeness],
    }


def _said(one: Said) -> list[list[Any]]:
    return [[one_line(word), share] for word, share in zip(one.spelt, one.shares, strict=True)]


def _behind(garage: Garage) -> dict[str, int]:
    """Layer by layer, how many blocks of its stack come behind it. InputError where there is none."""
    links = garage.spec.chain.links
    stacks = [link.stack for link in links]
    found = {link.name: stacks[place + 1 :].count(link.stack) for place, link in enumerate(links)}
    if not found:
        raise InputError(f"No whole block of {garage.spec.model_id} is known, so nothing can part.", "See: report")
    return found
