"""Blades: changes of hidden states that are fitted, placed by validation, measured beside placebos and rivals, kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from ..analyze.judging.exercise import exercises_of
from ..analyze.judging.exercise_file import read_exercises
from ..answers.edits import InForce
from ..compose.assembly.reopening import relifted
from ..core.tokens import Tokens
from ..errors import EditError, InputError
from ..inject.blades.edit import demand_made_for, in_force
from ..inject.blades.files import BLADES
from ..inject.blades.kinds.sae_feature import sae_blade
from ..inject.borrowed.sae_files import sae_in
from ..inject.recipe import Recipe
from ..inject.sae import Sae
from ..methods.blades.blade_card import BladeCard, blade_given
from ..methods.blades.making import SOURCE
from ..methods.blades.options import demand_options, making_of
from ..methods.blades.sweeping import first_place, swept
from ..methods.studies.ground import Ground
from ..methods.studies.own_ground import own_ground
from ..methods.studies.placebos import twin
from ..pipelines.specialise.specialise import specialise
from ..pipelines.specialise.specialised import Specialised
from ..registry.lift import Lifted
from ..showroom.domains import DOMAINS
from ..verbs import verb
from .editing import Editing
from .showroom_pools import showroom_pools

SWEEP = "sweep"


class Blades(Editing):
    @verb()
    def fit_blade(
        self,
        kind: Literal["gated", "transplant", "projected", "ffn_output", "low_rank", "direction", "sae_feature"],
        *,
        source: Any = None,
        domain: str = "",
        items: Any = None,
        at: str | None = None,
        gate: Literal["scalar", "vector", "input"] | None = None,
        projection: Literal["none", "least_squares", "procrustes", "truncation"] | None = None,
        rank: int | None = None,
        features: str | None = None,
        steps: int | None = None,
        seed: int | None = None,
        name: str = "",
    ) -> BladeCard:
        """Fit a blade, a change of the hidden states at one place, on items of a domain; the model stays as it is.

        An option that its kind does not have is refused, and so are edits in force, which would be left out.

        Args:
            kind: gated, transplant, projected and ffn_output read a second model; low_rank and direction none;
                sae_feature turns features of an autoencoder
            source: the second model as judge takes it, which a blade that reads none is measured beside; of an
                sae_feature a folder of SAELens', or @sae
            domain: what it is for: arithmetic, sorting …, or a domain of the items
            items: a .json or .csv file of prompt, answer and domain, or @items; the showroom's when left out
            at: a place, or sweep for the best of all on validation; the fourth layer from the end when left out
            gate: of gated: one number, one a dimension, or by the token (input), as when left out
            projection: a map from the source's dimensions, which other widths need; none when left out, but
                least_squares of projected and ffn_output
            rank: of low_rank; 4 when left out
            features: of sae_feature, what to scale by how much: 12=3,40=0
            steps: of training, for low_rank and gated; 40 when left out
            seed: for drawing the items of every step, and those of a sweep; 0 when left out
            name: what it is called; its kind when left out
        """
        given = {"gate": gate, "projection": projection, "rank": rank, "steps": steps, "seed": seed}
        drawn = {"seed": None if at == SWEEP else seed}  # the intervals of a sweep are drawn, whatever is fitted
        demand_options(kind, {"domain": domain or None, "items": items, "features": features, **given, **drawn})
        if kind == "sae_feature":
            return BladeCard(blade=sae_blade(name or kind, self.lifted, self._sae(source, at, features or "")))
        making = making_of(name or kind, kind, given)
        ground = self._ground(source, items, domain)
        if at == SWEEP:
            sweep = swept(making, ground)
            return BladeCard(blade=sweep.chosen, ground=ground, sweep=sweep)
        return BladeCard(blade=making.at(first_place(making, ground) if at is None else at, ground), ground=ground)

    @verb()
    def measure_blade(
        self,
        blade: Any,
        *,
        source: Any = None,
        domain: str = "",
        items: Any = None,
        to: str | None = None,
        seed: int = 0,
    ) -> BladeCard:
        """Measure a blade on items it has not seen, beside placebos and rivals; only then it can be saved.

        Args:
            blade: @blade that fit_blade returned, or the folder of one
            source: the second model, as for fit_blade; for a blade that reads none, what it is held against
            domain: as for fit_blade; what it was fitted for when all of these are left out
            items: as for fit_blade
            to: a folder to save it in, with its evidence
            seed: the first of three, for all that is drawn
        """
        folder = None if to is None else BLADES.ready(to)
        card, target = blade_given(blade), self.unedited
        ground, is_named = card.ground, not (source is None and items is None and not domain)
        if ground is None or ground.target is not target or is_named:
            ground = self._ground(source, items, domain)
        measured = card.measured(ground, seed=seed)
        return measured if folder is None else measured.kept(folder)

    @verb(model=False)
    def blade_card(self, blade: Any) -> BladeCard:
        """Show what a blade is, what it was made of, and what was measured of it.

        Args:
            blade: the folder of one, or @blade
        """
        return blade_given(blade)

    @verb(session=True)
    def blade(
        self,
        blade: Any,
        *,
        at: str | None = None,
        alpha: float | None = None,
        source: Any = None,
        insist: bool = False,
        tokens: str = "all",
    ) -> InForce:
        """Put a blade in force.

        Args:
            blade: @blade, or the folder of one
            at: another place than its own
            alpha: how strongly it acts: 0 does nothing; its own strength when left out
            source: the second model it reads, as for fit_blade, where it is not at hand
            insist: let it act on other weights than those it was made for
            tokens: which are touched, as for scale
        """
        card = blade_given(blade)
        read = self._other(source) if source is not None else card.source
        if card.blade.source is not None and read is None:
            raise EditError(f"{card.blade.name} reads {card.blade.source.model_id}, which is not here.", _NAME_IT)
        edit = in_force(card.blade, source=read, alpha=alpha, tokens=Tokens(str(tokens)), at=at)
        if not insist:
            demand_made_for([edit], self.lifted)
        return self.apply(Recipe((*self.edits.edits, edit)))

    @verb()
    def specialise(
        self,
        domain: str,
        *,
        source: Any = None,
        items: Any = None,
        to: str | None = None,
        steps: int = 40,
        seed: int = 0,
    ) -> Specialised:
        """Make the model better at a domain by the best blade of all kinds and places, with held-out proof.

        Args:
            domain: what for, as for fit_blade
            source: a second model that knows more of it; without one only kinds that read none are tried
            items: as for fit_blade
            to: a folder to save the blade in, with its evidence
            steps: of training, for low_rank and gated
            seed: for all that is drawn
        """
        folder = None if to is None else BLADES.ready(to)
        found = specialise(self._ground(source, items, domain), steps=steps, seed=seed)
        return found if folder is None else replace(found, card=found.card.kept(folder))

    def _ground(self, source: Any, items: Any, domain: str) -> Ground:
        target = self.unedited
        others: dict[str, Lifted] = {} if source is None else {SOURCE: self._other(source)}
        if items is not None:
            given = read_exercises(items) if isinstance(items, str) else exercises_of(items)
            named: Sequence[str] = [domain] if domain else []
            return own_ground(target, list(others.values()), list(others), given, named)
        if not domain:
            raise InputError("A blade is for a domain, and none is named.", f"--domain {next(iter(DOMAINS))}, or …")
        fit, choose, test = showroom_pools(domain)
        return Ground(target=target, others=others, domain=domain, fit=fit, choose=choose, test=test)

    def _other(self, source: Any) -> Lifted:
        """One model; a copy where it is the very one on the lift, which cannot run beside itself."""
        several = list(relifted(source).values())
        if len(several) != 1:
            raise InputError(f"A blade reads one second model, not {len(several)}.", _NAME_IT)
        return twin(self.lifted) if several[0].model is self.model else several[0]

    def _sae(self, source: Any, at: str | None, features: str) -> Sae:
        if isinstance(source, Sae):
            if at is not None or features:
                raise InputError("An @sae has its place and its features already.", "Leave out --at and --features.")
            return source
        if not isinstance(source, str):
            raise InputError("An sae_feature needs an autoencoder.", "Name a folder of SAELens' as its source.")
        return sae_in(source, self.spec, at, features=features)


_NAME_IT = "Name it: --source showroom-llama-sorting, or @model."
