"""Low rank: what a narrow linear map makes of the hidden states is added to them.

"Residual adapter" (Houlsby et al., "Parameter-Efficient Transfer Learning", 2019) without its nonlinearity; as an
intervention on one place it is near LoReFT (Wu et al., "ReFT", 2024), with free directions instead of orthonormal ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ....core.seed import seeded
from ....errors import EditError
from ....registry.lift import Lifted
from ..blade import Blade
from ..card import FitCard, ModelCard
from ..fitting.lessons import Lessons
from ..fitting.pairing import place_at
from ..fitting.training import TRAINING, Training, trained
from .kind import Act, Kind, Tensors, demand_settings, setting


def _shapes(blade: Blade) -> dict[str, tuple[int, ...]]:
    demand_settings(blade, ["rank"])
    rank = int(setting(blade, "rank"))
    return {"down": (blade.width, rank), "bias": (rank,), "up": (rank, blade.width)}


def _act(blade: Blade) -> Act:
    def act(tensors: Tensors, hidden: Tensor, source: Tensor | None, alpha: float) -> Tensor:
        return hidden + alpha * ((hidden @ tensors["down"] + tensors["bias"]) @ tensors["up"])

    return act


LOW_RANK = Kind("low_rank", False, _shapes, _act)


def fit_low_rank(
    name: str, target: Lifted, place: str, lessons: Lessons, *, rank: int = 4, how: Training = TRAINING
) -> Blade:
    """Trained to predict the answers, from doing nothing: `up` and `bias` begin as 0, `down` is drawn by the seed."""
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise EditError(f"{rank!r} is no rank.", "Give a whole number from 1 on.")

    at, width = place_at(target, place)
    down = torch.randn(width, rank, generator=seeded(how.seed)) / width**0.5
    first = Blade(
        name=name,
        kind=LOW_RANK.name,
        place=at,
        width=width,
        tensors={"down": down, "bias": torch.zeros(rank), "up": torch.zeros(rank, width)},
        settings={"rank": rank},
        target=ModelCard.of(target),
        fit=FitCard.none(),
    )
    return trained(first, LOW_RANK, ["down", "bias", "up"], target, lessons, how)
