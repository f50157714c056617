"""Thresholds: what the loss of texts becomes when small activations are zeroed, more and more of them.

Every place has a level of its own for each share, the quantile of |x| over calibration texts (Liu et al.,
"Training-Free Activation Sparsity in Large Language Models", 2024), which is then tried on other texts. Levels are
those of the model with nothing zeroed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import torch

from ...core.batch import Prompt
from ...core.progress import progress
from ...errors import InputError
from ...inject.place import place_of
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ..texts.apart import apart
from ..texts.domains import Domains
from ..texts.token_loss import items
from .levels import levels
from .thin_runs import THRESHOLD, Outcome, Thinner, Zeros
from .thinning import CONTROLS
from .threshold_curves import ThresholdCurves

WAYS = ("together", "each")


def thresholds(
    lifted: Lifted,
    prompts: Prompt | Domains,
    recipe: Recipe,
    layers: Selector,
    shares: Sequence[float],
    *,
    calibration: Prompt | Domains | None = None,
    by: str = "together",
    control: str = "all",
    seed: int = 0,
) -> ThresholdCurves:
    """All places thinned `together`, beside controls; or `each` for itself, without controls.

    The recipe in force acts first. Every token is thinned. Rows of a batch may differ from the untouched run in the
    last bits of a float, which is all that a rise at share 0 then is. InputError for shares that are none and for texts
    that cannot be told apart, EditError for a place that can only be read, NotFiniteError for NaN.
    """
    for asked, known in ((by, WAYS), (control, tuple(CONTROLS))):
        if asked not in known:
            raise InputError(f"There is no way {asked!r} to zero.", f"There are: {', '.join(known)}.")
    wanted, names = _demand_shares(shares), lifted.spec.usable(layers)
    sites = {name: place_of(lifted.spec, name).site for name in names}
    texts = apart(lifted, prompts, calibration)
    trial = items(lifted, texts.trial)
    found = levels(lifted, texts.calibration, recipe.taps(lifted.spec), list(sites.values()), wanted)
    thinner = Thinner(lifted, recipe, wanted, dict(zip(names, found.tolist(), strict=True)), sites)
    before, curves = [], []
    with progress("thinning", "text", len(trial)) as bar:
        for number, item in enumerate(trial):
            before.append(thinner.untouched(item))
            runs = thinner.each(item) if by == "each" else thinner.together(item, CONTROLS[control], seed + number)
            curves.append(runs)
            bar.update()
    summed, plain = [_zeros(runs) for runs in zip(*curves, strict=True)], _zeros(before)
    return ThresholdCurves(
        model_id=lifted.spec.model_id,
        calibrated=texts.said,
        curves=tuple(names) if by == "each" else (THRESHOLD, *CONTROLS[control]),
        parts=tuple(names),
        shares=wanted,
        levels=found,
        zeroed=torch.stack([zeros.share for zeros in summed]),
        thinned=torch.cat([zeros.shares for zeros in (summed if by == "each" else summed[:1])], 1).T,
        exact_zeros=plain.shares[0],
        zeros=float(plain.share),
        losses=torch.stack([torch.stack([run.losses for run in runs]) for runs in curves]),
        untouched=torch.cat([run.losses for run in before]),
        tokens=torch.tensor([item.tokens for item in trial], dtype=torch.float64),
        seed=seed,
    )


def _zeros(runs: Sequence[Outcome]) -> Zeros:
    """Over all texts."""
    return reduce(add, (run.zeros for run in runs))


def _demand_shares(shares: Sequence[float]) -> tuple[float, ...]:
    """In order, each once."""
    wrong = [share for share in shares if not 0 <= share < 1]
    if wrong or not shares:
        said = f"{wrong[0]:g} is no share that can be zeroed." if wrong else "No shares were given."
        raise InputError(said, "Give shares from 0 up to below 1: 0:0.9:0.1.")
    return tuple(sorted(set(shares)))
