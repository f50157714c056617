"""Measuring: a blade on items that it has not seen, with all arms that make sense for its kind, tried as a claim."""

from __future__ import annotations

from ...core.fingerprint import AtRest
from ...inject.blades.blade import Blade
from ...inject.blades.card import ModelCard, demand_source, demand_target
from ...inject.blades.evidence import Arm as Found
from ...inject.blades.evidence import Evidence
from ...inject.blades.fitting.captures import data_hash
from ..bench import run
from ..claim import Claim, Effort, Role
from ..contrast import difference
from ..measure import LOG_PROB
from ..rules.beats import Beats
from ..rules.rule import measured
from ..statistics.effect import Effect
from ..studies.course import Course
from ..studies.ground import Ground
from ..trial import Trial
from .arms import BLADE, TARGET, Arms
from .making import SOURCE, source_of

MARGIN = 0.1  # nats an item, the least that would matter
EFFORT = Effort(100, seeds=3)


def tried(blade: Blade, ground: Ground, *, effort: Effort = EFFORT, seed: int = 0) -> Trial:
    """That it does more than its placebos, as a claim. EditError for a blade that was made for other weights, or from
    another source; InputError where a blade on itself changes anything.
    """
    demand_target(blade.target, ModelCard.of(ground.target))
    if blade.source is not None:
        demand_source(blade.source, ModelCard.of(source_of(ground)))
    held = Arms(blade, ground)
    arms = held.tried
    named = tuple(arm for arm, _ in arms)
    placebos = tuple(arm.name for arm in named if arm.role is Role.CONTROL)
    claim = Claim(
        key="blade",
        statement=f"{blade.name} does more for {ground.domain} than its placebos do.",
        source="its card",
        protocol=f"Whatever chance draws is drawn under each seed. {_left_out(held)}".strip(),
        arms=named,
        rule=Beats(treatment=BLADE, controls=(TARGET, *placebos), margin=MARGIN, measure=LOG_PROB),
        target=(ground.domain,),
        quick=effort,
        full=effort,
    )
    return run(claim, Course(ground, [one for _, one in arms]), seed=seed)


def evidence_of(trial: Trial, blade: Blade, ground: Ground) -> Evidence:
    """Log-probabilities over the untouched target, by arm, the target itself first for its accuracy; the blade's own on
    every other domain beside.
    """
    kept = {domain: _kept(trial, domain) for domain in trial.apart}
    models = {"target": ground.target, **({SOURCE: ground.others[SOURCE]} if SOURCE in ground.others else {})}
    return Evidence(
        metric="log-probability over the target, nats",
        arms=(_untouched(trial), *(_found(arm, one, trial.mean(arm)) for arm, one in trial.over.items())),
        retention=tuple(_found(domain, one, trial.mean(BLADE, domains=[domain])) for domain, one in kept.items()),
        seeds=trial.outcomes.seeds,
        models={role: AtRest.of(one.model).digest for role, one in models.items()},
        data=data_hash([item.name for item in trial.outcomes.items]),
        forwards=blade.forwards,
    )


def measure(blade: Blade, ground: Ground, *, effort: Effort = EFFORT, seed: int = 0) -> tuple[Blade, Trial]:
    """The blade with its evidence, and the trial behind it."""
    trial = tried(blade, ground, effort=effort, seed=seed)
    return blade.measured(evidence_of(trial, blade, ground)), trial


def _left_out(arms: Arms) -> str:
    return f"There is no weight merge: {arms.left_out}" if arms.left_out else ""


def _untouched(trial: Trial) -> Found:
    """What effects are told from."""
    return Found(name=TARGET, n=trial.over[BLADE].n, effect=0.0, low=0.0, high=0.0, accuracy=trial.mean(TARGET))


def _kept(trial: Trial, domain: str) -> Effect:
    places = trial.outcomes.places([domain])
    return measured(trial.outcomes, [(LOG_PROB, difference(BLADE, TARGET))], places, trial.seed)[0]


def _found(name: str, one: Effect, accuracy: float) -> Found:
    """A single item has no interval but itself."""
    is_one = one.n == 1
    low, high = (one.value, one.value) if is_one else (min(one.low, one.value), max(one.high, one.value))
    return Found(name=name, n=one.n, effect=one.value, low=low, high=high, accuracy=accuracy)
