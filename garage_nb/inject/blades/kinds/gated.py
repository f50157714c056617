"""Gated: a learned gate says how much of the source's hidden states each dimension or token takes.

"Gated residual adapter": hidden + alpha · gate · (source − hidden), and the gate is the sigmoid of

====== =====================================================================
scalar one number
vector one number a dimension
input  of each token, a linear map of its hidden states in both models
====== =====================================================================

With a `projection` the source's states first pass an affine map fitted on the same prompts, which stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ....errors import EditError
from ....registry.lift import Lifted
from ..blade import Blade
from ..card import FitCard, ModelCard
from ..fitting.captures import captured
from ..fitting.lessons import Lessons
from ..fitting.pairing import paired
from ..fitting.training import TRAINING, Training, trained
from .kind import Act, Kind, Tensors, demand_settings, of_source, setting
from .projected import PROJECTIONS, projected, projection_of, projection_shapes

START = -2.0  # logit of every gate at first: an eighth of the way
_PLAIN = "none"


def _scalar(tensors: Tensors, hidden: Tensor, source: Tensor) -> Tensor:
    return tensors["logit"]


def _input(tensors: Tensors, hidden: Tensor, source: Tensor) -> Tensor:
    drive = hidden @ tensors["from_target"] + source @ tensors["from_source"]
    return drive[..., None] + tensors["logit"]


_LOGITS: dict[str, Callable[[Tensors, Tensor, Tensor], Tensor]] = {
    "scalar": _scalar, "vector": _scalar, "input": _input,
}  # fmt: skip
GATES = tuple(_LOGITS)


def _gate_shapes(gate: str, width: int) -> dict[str, tuple[int, ...]]:
    if gate == "input":
        return {"from_target": (width,), "from_source": (width,), "logit": (1,)}
    return {"logit": (width if gate == "vector" else 1,)}


def _shapes(blade: Blade) -> dict[str, tuple[int, ...]]:
    demand_settings(blade, ["gate", "projection"])
    gate = str(setting(blade, "gate", GATES))
    plain = setting(blade, "projection", (_PLAIN, *PROJECTIONS)) == _PLAIN
    return _gate_shapes(gate, blade.width) | ({} if plain else projection_shapes(blade))


def _act(blade: Blade) -> Act:
    return _acting(str(blade.settings["gate"]), blade.settings["projection"] == _PLAIN)


def _acting(gate: str, plain: bool) -> Act:
    def act(tensors: Tensors, hidden: Tensor, source: Tensor | None, alpha: float) -> Tensor:
        theirs = of_source(source) if plain else projected(tensors, of_source(source))
        share = torch.sigmoid(_LOGITS[gate](tensors, hidden, theirs))
        return hidden + alpha * share * (theirs - hidden)

    return act


GATED = Kind("gated", True, _shapes, _act)


def fit_gated(
    name: str,
    target: Lifted,
    place: str,
    source: Lifted,
    lessons: Lessons,
    *,
    source_place: str | None = None,
    gate: str = "input",
    projection: str = _PLAIN,
    how: Training = TRAINING,
) -> Blade:
    """Trained to predict the answers, with the source's states on the same tokens. EditError for other tokens, or for
    another width without a projection.
    """
    if gate not in GATES:
        raise EditError(f"There is no gate {gate!r}.", f"There are: {', '.join(GATES)}.")
    ends = paired(target, place, source, source_place)
    if projection == _PLAIN and ends.width != ends.source_width:
        raise EditError(
            f"{ends.source_place} of the source is {ends.source_width} wide, {ends.place} of the target {ends.width}.",
            f"Ask for a projection: {', '.join(PROJECTIONS)}.",
        )
    fixed: dict[str, Tensor] = {}
    if projection != _PLAIN:
        linear = projection_of(captured(target, source, ends, lessons.texts), projection)
        fixed = {"weight": linear.weight.float(), "bias": linear.bias.float()}
    start = _start(gate, ends.width)
    first = Blade(
        name=name,
        kind=GATED.name,
        place=ends.place,
        width=ends.width,
        tensors={**start, **fixed},
        settings={"gate": gate, "projection": projection},
        target=ModelCard.of(target),
        source=ModelCard.of(source),
        source_place=ends.source_place,
        source_width=ends.source_width,
        fit=FitCard.none(),
    )
    return trained(first, GATED, list(start), target, lessons, how, source)


def _start(gate: str, width: int) -> dict[str, Tensor]:
    shapes = _gate_shapes(gate, width)
    return {name: torch.full(shape, START if name == "logit" else 0.0) for name, shape in shapes.items()}
