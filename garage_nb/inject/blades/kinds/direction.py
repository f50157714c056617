"""Direction: a fixed vector is added, from the difference between two sets of prompts.

"Activation addition" or steering: Turner et al., "Activation Addition" (2023); the mean difference over many pairs is
Rimsky et al., "Steering Llama 2 via Contrastive Activation Addition" (2023), the principal component Zou et al.,
"Representation Engineering" (2023).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ....core.stats import exact
from ....core.tokens import Tokens
from ....errors import EditError
from ....registry.lift import Lifted
from ...sources import chosen_rows, rows_at
from ..blade import Blade
from ..card import FitCard, ModelCard
from ..fitting.captures import data_hash
from .kind import Act, Kind, demand_settings


def _shapes(blade: Blade) -> dict[str, tuple[int, ...]]:
    demand_settings(blade, ["method", "positions"])
    return {"direction": (blade.width,)}


def _act(blade: Blade) -> Act:
    return lambda tensors, hidden, source, alpha: hidden + alpha * tensors["direction"]


DIRECTION = Kind("direction", False, _shapes, _act)


def fit_direction(
    name: str,
    target: Lifted,
    place: str,
    positive: Sequence[str],
    negative: Sequence[str],
    *,
    how: str = "mean",
    positions: str = "-1",
) -> Blade:
    """Adding it once moves what the negative prompts have there, at `positions`, to what the positive ones have.

    `how` is `mean`, or `pca`: the first principal component of the differences pair by pair, as long as the
    differences are along it on the average. In float64, rounded once to float32.
    """
    started, at = time.perf_counter(), target.spec.name(place)
    if how not in METHODS:
        raise EditError(f"There is no way {how!r} to a direction.", f"There are: {', '.join(METHODS)}.")
    if not positive or not negative:
        raise EditError("A direction needs prompts of both sides.", "Give some positive and some negative ones.")
    a, b = (_means(target, at, prompts, Tokens(positions)) for prompts in (positive, negative))
    direction = METHODS[how](a, b)
    data = data_hash([*positive, "", *negative])
    return Blade(
        name=name,
        kind=DIRECTION.name,
        place=at,
        width=len(direction),
        tensors={"direction": direction.float()},
        settings={"method": how, "positions": positions},
        target=ModelCard.of(target),
        fit=FitCard(data=data, n=len(a) + len(b), seconds=time.perf_counter() - started),
    )


def _means(target: Lifted, place: str, prompts: Sequence[str], positions: Tokens) -> Float[Tensor, "prompts dim"]:
    """One row a prompt: the mean over its positions."""
    rows = (rows_at(target.model, target.spec, place, prompt, target.tokenizer) for prompt in prompts)
    return torch.stack([exact(chosen_rows(each, positions)).mean(dim=0) for each in rows])


def _mean(a: Tensor, b: Tensor) -> Tensor:
    return a.mean(dim=0) - b.mean(dim=0)


def _pca(a: Tensor, b: Tensor) -> Tensor:
    """Of differences that are not centred: their mean is what is looked for."""
    if a.shape != b.shape:
        raise EditError(f"{len(a)} prompts against {len(b)} are no pairs.", "Give as many of both, in one order.")
    differences = a - b
    axis = torch.linalg.svd(differences, full_matrices=False).Vh[0]
    return axis * (differences @ axis).mean()  # whichever way the axis points


METHODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mean": _mean, "pca": _pca}
