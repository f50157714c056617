"""BladeCard: a blade as one meets it: what it is, what it was made of, where, and what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import EditError
from ...inject.blades.blade import Blade
from ...inject.blades.card import FitCard, ModelCard
from ...inject.blades.files import load_blade, save_blade
from ...registry.lift import Lifted
from ...view.bars import number
from ...view.cards import Card
from ...view.frames import framed
from ...view.shown import Picture, Shown
from ...view.stacked import Stacked
from ..studies.ground import Ground
from ..trial import Trial
from .making import SOURCE
from .measuring import measure
from .place_sweep import PlaceSweep
from .rivals import rivals_table

if TYPE_CHECKING:
    import pandas as pd

NOT_YET = "Nothing is known of what it does: measure_blade tells, and only then can it be saved."


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BladeCard(Shown):
    """`ground` is what it was made on, with the second model; `sweep` how its place was chosen, `trial` the runs behind
    its evidence; each None where there is none. `saved` is the file.
    """

    blade: Blade
    ground: Ground | None = None
    sweep: PlaceSweep | None = None
    trial: Trial | None = None
    saved: Path | None = None

    @property
    def source(self) -> Lifted | None:
        """The second model that it reads, where that is at hand."""
        if self.blade.source is None or self.ground is None:
            return None
        return self.ground.others.get(SOURCE)

    def measured(self, ground: Ground, *, seed: int = 0) -> BladeCard:
        """With its evidence, and the runs behind it. Errors as of `measure`."""
        blade, trial = measure(self.blade, ground, seed=seed)
        return replace(self, blade=blade, ground=ground, trial=trial, saved=None)

    def kept(self, folder: str | Path) -> BladeCard:
        """Saved. BladeFileError without evidence, or where nothing can be written."""
        return replace(self, saved=save_blade(self.blade, folder))

    def frame(self) -> pd.DataFrame:
        """The evidence, a row an arm; one row of the card where there is none."""
        if self.blade.evidence is not None:
            return self.blade.evidence.frame()
        facts = self._facts()
        return framed("blade", [self.blade.name], list(facts), [tuple(facts.values())])

    def picture(self) -> Picture:
        evidence = self.blade.evidence
        note = NOT_YET if evidence is None else ""
        pictures: list[Picture] = [Card(self.blade.name, self._facts(), note)]
        if self.sweep is not None:
            pictures.append(self.sweep.picture())
        if self.trial is not None:
            pictures.append(rivals_table(self.trial, self.blade.forwards))
        if evidence is not None:
            pictures.append(evidence.picture())
        return Stacked(pictures)

    def _facts(self) -> dict[str, str]:
        blade = self.blade
        said = ", ".join(f"{name} {value}" for name, value in blade.settings.items() if not _is_long(value))
        facts = {
            "kind": f"{blade.kind}{f', {said}' if said else ''}",
            "acts at": f"{blade.place}, {blade.width} wide, alpha {blade.alpha:g}",
            "made for": _model(blade.target),
        }
        if blade.source is not None:
            facts["reads"] = f"{blade.source_place} of {_model(blade.source)}, a second forward for every token"
        facts["made of"] = _fit(blade.fit)
        return facts | ({} if self.saved is None else {"saved to": str(self.saved)})


def blade_given(given: object) -> BladeCard:
    """A card, a blade, or the folder of one. EditError for anything else, BladeFileError for a damaged file."""
    if isinstance(given, BladeCard):
        return given
    if isinstance(given, Blade):
        return BladeCard(blade=given)
    if isinstance(given, str | Path):
        return BladeCard(blade=load_blade(given), saved=Path(given))
    raise EditError(f"A {type(given).__name__} is no blade.", "Give what fit_blade returned, or the folder of one.")


def _model(card: ModelCard) -> str:
    return f"{card.model_id} ({card.model_class}, {card.layers} layers, weights {card.weights[:8]})"


def _fit(fit: FitCard) -> str:
    if not fit.n:
        return "nothing was fitted"
    said = f"{fit.n:,} texts {fit.data[:8]}"
    if fit.loss is None:
        return said
    how = f"{fit.steps} steps of {fit.batch} at rate {fit.rate:g}, seed {fit.seed}"
    return f"{said}, {how}, loss {number(fit.loss)} nats a token"


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > 40
