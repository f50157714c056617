"""Training: a blade's tensors are moved so that the model predicts the answers. The model itself stays as it is.

Gradients are asked for the blade's tensors alone: no weight gets one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from ....core.calling import answer, asked
from ....core.cancel import cancel_in_force, cancellable
from ....core.prefix import Prefix
from ....core.progress import progress
from ....core.run import attached_for, own_run, under_way
from ....core.seed import seeded
from ....core.sites import Site, Write
from ....errors import EditError, NotFiniteError
from ....registry.lift import Lifted
from ...place import place_of
from ..blade import Blade
from ..card import FitCard
from ..kinds.kind import Act, Kind
from .captures import data_hash, states_of
from .lessons import Lesson, Lessons, lessons_of, together


@dataclass(frozen=True)
class Training:
    """`steps` of Adam at `rate`, on `batch` texts each, drawn by `seed`."""

    steps: int = 100
    rate: float = 1e-2
    batch: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch) < 1 or not 0 < self.rate < math.inf:
            raise EditError(f"{self.steps} steps of {self.batch} at {self.rate:g} teach nothing.", "Give more than 0.")

    def card(self, lessons: Lessons, loss: float, seconds: float) -> FitCard:
        """Of what was trained so."""
        data, n = data_hash(lessons.texts), len(lessons.prompts)
        return FitCard(data=data, n=n, **asdict(self), loss=loss, seconds=seconds)


TRAINING = Training()
TOGETHER = 32  # lessons that the source reads in one pass


def trained(
    first: Blade,
    kind: Kind,
    moving: Sequence[str],
    target: Lifted,
    lessons: Lessons,
    how: Training,
    source: Lifted | None = None,
) -> Blade:
    """The blade with the tensors `moving` as they are after the training; the others stay. The same seed gives the same
    blade, on one machine to the bit. CancelledError, and nothing kept, when it is cancelled; NotFiniteError when the
    loss runs away.
    """
    started, course = time.perf_counter(), _course(first, kind, target, source, lessons)
    made = {name: tensor.clone() for name, tensor in first.tensors.items()}
    moved = [made[name].requires_grad_(True) for name in moving]
    optimizer = torch.optim.Adam(moved, lr=how.rate)
    loss = math.nan
    with cancellable(cancel_in_force()) as cancel, progress("fitting a blade", "step", how.steps) as bar:
        for chosen in _draws(len(course.lessons), how):
            cancel.demand_not_asked()
            loss, slopes = _slopes(course, chosen, made, moved)
            for tensor, slope in zip(moved, slopes, strict=True):
                tensor.grad = slope
            optimizer.step()
            bar.update()
    fit = how.card(lessons, loss, time.perf_counter() - started)
    return replace(first, tensors={name: tensor.detach() for name, tensor in made.items()}, fit=fit)


@dataclass(frozen=True, eq=False)
class _Course:
    """What stays the same from step to step. `states` are the source's, (seq, dim) a lesson, empty without a source."""

    target: Lifted
    site: Site
    act: Act
    lessons: Sequence[Lesson]
    states: Sequence[Tensor]


def _course(first: Blade, kind: Kind, target: Lifted, source: Lifted | None, lessons: Lessons) -> _Course:
    each, states = lessons_of(lessons, target), list[Tensor]()
    if source is not None:
        states = _states(each, source, first.source_place)
    kind.demand(first)
    return _Course(target, place_of(target.spec, first.place).site, kind.act(first), each, states)


def _states(lessons: Sequence[Lesson], source: Lifted, place: str) -> list[Tensor]:
    """Of each lesson (seq, dim), in float32 on the host; read some at a time, those of like length together."""
    found: dict[int, Tensor] = {}
    order = sorted(range(len(lessons)), key=lambda number: len(lessons[number].ids))
    for some in (order[start : start + TOGETHER] for start in range(0, len(order), TOGETHER)):
        batch, _ = together([lessons[number] for number in some], source.model)
        rows = states_of(source, place, batch).unflatten(0, batch.input_ids.shape).float().cpu()
        found |= {number: row[: len(lessons[number].ids)] for number, row in zip(some, rows, strict=True)}
    return [found[number] for number in range(len(lessons))]


def _draws(count: int, how: Training) -> Iterator[list[int]]:
    made = seeded(how.seed)
    for _ in range(how.steps):
        yield torch.randint(count, (how.batch,), generator=made).tolist()


def _slopes(
    course: _Course, chosen: Sequence[int], made: Mapping[str, Tensor], moved: Sequence[Tensor]
) -> tuple[float, Sequence[Tensor]]:
    """The loss of a batch in nats a token, and its gradient with regard to what is moved."""
    model = course.target.model
    batch, wanted = together([course.lessons[number] for number in chosen], model)
    states = pad_sequence([course.states[number] for number in chosen], batch_first=True) if course.states else None
    write = Write(course.site, partial(_acted, course.act, made, states))
    with own_run(model), torch.inference_mode(False), torch.enable_grad():
        with attached_for(model, batch, Prefix(), [write]):
            logits = answer(under_way(model, asked(model, batch, use_cache=False)))[:, :-1].float()
        here = wanted[:, 1:].to(logits.device)
        loss = cross_entropy(logits[here], batch.input_ids[:, 1:][here])
        if not bool(loss.isfinite()):
            raise NotFiniteError("The loss became NaN or infinity while the blade was fitted.", "Use a smaller rate.")
        return float(loss.detach()), torch.autograd.grad(loss, list(moved))


def _acted(
    act: Act, made: Mapping[str, Tensor], states: Tensor | None, hidden: Tensor, touched: Tensor | None
) -> Tensor:
    """At full strength, in float32 or wider. Gradients begin here: those of the blocks before would be thrown away."""
    wide = hidden.detach().to(torch.promote_types(hidden.dtype, torch.float32))
    live = {name: tensor.to(wide) for name, tensor in made.items()}
    source = None if states is None else states.to(wide).reshape(*wide.shape[:-1], states.shape[-1])
    return act(live, wide, source, 1.0).to(hidden)
