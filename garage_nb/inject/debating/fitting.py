"""Fitting: a gate is moved so that the reconciled stream predicts the answers. The model itself stays as it is."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ...core.calling import answer, asked
from ...core.cancel import cancel_in_force, cancellable
from ...core.prefix import Prefix
from ...core.progress import progress
from ...core.run import attached_for, own_run, under_way
from ...core.seed import seeded
from ...core.sites import Tap
from ...errors import EditError, NotFiniteError
from ...registry.lift import Lifted
from ..blades.card import ModelCard
from ..blades.fitting.lessons import Lesson, Lessons, lessons_of, together
from ..blades.fitting.training import TRAINING, Training
from ..recipe import Recipe
from ..sweep import side_by_side
from .debating import Debating
from .gate import Gate
from .held import NO_EDITS
from .perspectives import Perspectives


def fit_gate(
    lifted: Lifted, debating: Debating, lessons: Lessons, how: Training = TRAINING, recipe: Recipe = NO_EDITS
) -> Debating:
    """The same debate with a fitted gate, the recipe in force. The fit begins at the average; the same seed gives the
    same gate, on one machine to the bit. That it predicts its lessons better says nothing of other texts.

    EditError where nothing is gated, CancelledError, and nothing kept, when it is cancelled; NotFiniteError when the
    loss runs away.
    """
    if debating.reconciliation != "gated":
        raise EditError(f"{debating.reconciliation} has no gate to fit.", 'Use reconciliation "gated".')
    started, bare = time.perf_counter(), replace(debating, gate=None).within(lifted.spec)
    live = _zeros(len(debating.seeds), lifted.spec.hidden_dim)
    loss = _moved(lifted, replace(bare, gate=live), recipe, lessons_of(lessons, lifted), how)
    card = how.card(lessons, loss, time.perf_counter() - started)
    weight, bias = live.weight.detach(), live.bias.detach()
    return replace(bare, gate=Gate(weight, bias, card, bare.settings, ModelCard.of(lifted)))


def _moved(lifted: Lifted, debating: Debating, recipe: Recipe, lessons: list[Lesson], how: Training) -> float:
    """The loss of the last step; what moves is the gate of `debating`."""
    assert debating.gate is not None
    moving, loss, generator = [debating.gate.weight, debating.gate.bias], math.nan, seeded(how.seed)
    optimizer = torch.optim.Adam(moving, lr=how.rate)
    with cancellable(cancel_in_force()) as cancel, progress("fitting a gate", "step", how.steps) as bar:
        for _ in range(how.steps):
            cancel.demand_not_asked()
            chosen = torch.randint(len(lessons), (how.batch,), generator=generator).tolist()
            loss, slopes = _slopes(lifted, debating, recipe, moving, [lessons[number] for number in chosen])
            for tensor, slope in zip(moving, slopes, strict=True):
                tensor.grad = slope
            optimizer.step()
            bar.update()
    return loss


def _zeros(count: int, width: int) -> Gate:
    weight, bias = torch.zeros(count, count * width), torch.zeros(count)
    return Gate(weight.requires_grad_(True), bias.requires_grad_(True))


def _slopes(
    lifted: Lifted, debating: Debating, recipe: Recipe, moving: list[Tensor], chosen: list[Lesson]
) -> tuple[float, Sequence[Tensor]]:
    """The loss of a batch in nats a token, and its gradient with regard to what is moved."""
    model, open_ = lifted.model, Perspectives(debating)
    batch, wanted = together(chosen, model)
    taps: list[Tap] = [*side_by_side([recipe] * open_.rows, lifted.spec), *open_.taps(lifted.spec)]
    with own_run(model), torch.inference_mode(False), torch.enable_grad():
        with attached_for(model, batch, Prefix(), taps, rows=open_.rows):
            whole = answer(under_way(model, asked(model, batch.repeated(open_.rows), use_cache=False)))
        logits = whole.chunk(open_.rows)[0][:, :-1].float()
        here = wanted[:, 1:].to(logits.device)
        loss = cross_entropy(logits[here], batch.input_ids[:, 1:][here])
        if not bool(loss.isfinite()):
            raise NotFiniteError("The loss became NaN or infinity while the gate was fitted.", "Use a smaller rate.")
        return float(loss.detach()), torch.autograd.grad(loss, moving)
