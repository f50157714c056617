"""Heal: a short training of the adapters alone. Guests, host and all else stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...core.batch import Batch, prepare
from ...core.calling import answer, asked
from ...core.cancel import cancel_in_force, cancellable
from ...core.next_token import demand_predicts
from ...core.progress import progress
from ...core.seed import seeded
from ...core.singly import singly
from ...errors import BuildError, NotFiniteError
from ..folding.fold import folded
from ..layout.check import Check
from ..layout.whole import finished
from ..stitching.sewing import demand_plain, sewn
from ..stitching.stitch import Stitch
from ..stitching.stitched import Stitched, guests
from .build import assembled, build_checked
from .hybrid import Hybrid
from .wrapping import wrapped

HELD_OUT = 5  # every so many-th text is not trained on
_APART = "it is being healed"


@dataclass(frozen=True)
class Healing:
    """`steps` of AdamW at `rate`, on `batch` texts each, drawn by `seed`."""

    steps: int = 100
    rate: float = 1e-3
    batch: int = 8
    seed: int = 0


def heal(checked: Check, texts: Sequence[str], how: Healing = Healing()) -> Hybrid:
    """The hybrid with its adapters trained to predict the next token of the texts, and what that changed on those held
    out. CancelledError, and nothing kept, when it is cancelled. BuildError where there are no adapters,
    UnsupportedModelError for a base that predicts no next token.
    """
    checked.demand()
    demand_predicts(checked.grafted.base.model)
    layout = finished(checked.grafted)
    if not layout.stitches or len(texts) < HELD_OUT:
        raise BuildError(
            f"Only adapters are healed, on {HELD_OUT} texts at least: {len(layout.stitches)} and {len(texts)} here.",
            "Swap with an adapter, and give more texts.",
        )
    apart = [replace(stitch, why_not=_APART, given=stitch.maps) for stitch in layout.stitches.values()]
    for stitch in apart:
        demand_plain(stitch.host)
    model = wrapped(assembled(layout), layout, apart)
    shifting = {layout.spec.part(stitch.place).module_path for stitch in layout.stitches.values() if stitch.shifts}
    weights = list(_adapters(model, shifting))
    said = _trained(model, weights, layout.base.whole.tokenizer, list(texts), how)
    return build_checked(_with_maps(checked, model, said))


def _with_maps(checked: Check, model: Any, said: str) -> Check:
    """As it was laid out, with the maps as they are now; edits come after them, as before."""
    layout, found = checked.grafted, guests(model)
    for stitch in layout.stitches.values():
        guest = found[layout.spec.part(stitch.place).module_path]
        layout = sewn(layout, _healed(stitch, guest, said))
    folding = folded(layout, checked.sheet.edits)
    return replace(checked, grafted=layout, folding=replace(folding, layout=finished(folding.layout)))


def _healed(stitch: Stitch, guest: Stitched, said: str) -> Stitch:
    return replace(stitch, given=guest.maps(f"{stitch.maps.said}; {said}"))


def _trained(model: Any, weights: list[Tensor], tokenizer: Any, texts: list[str], how: Healing) -> str:
    """In words: how the loss on the texts held out moved."""
    held = [text for number, text in enumerate(texts) if number % HELD_OUT == HELD_OUT - 1]
    shown = [text for number, text in enumerate(texts) if number % HELD_OUT != HELD_OUT - 1]
    before = _held_out(model, tokenizer, held)
    optimizer = torch.optim.AdamW(weights, lr=how.rate, weight_decay=0.0)
    with cancellable(cancel_in_force()) as cancel, progress("healing adapters", "step", how.steps) as bar:
        for chosen in _draws(len(shown), how):
            cancel.demand_not_asked()
            batch = prepare([shown[number] for number in chosen], model, tokenizer)
            optimizer.zero_grad()
            total, count = _surprise(model, batch)
            (total / count).backward()
            optimizer.step()
            bar.update()
    after = _held_out(model, tokenizer, held)
    for weight in weights:
        weight.requires_grad_(False)
    if not torch.isfinite(torch.tensor([before, after])).all():
        raise NotFiniteError("The loss became NaN or infinity while healing.", "Use a smaller rate.")
    return f"healed in {how.steps} steps on {len(shown)} texts: loss on {len(held)} held out {before:.3f} → {after:.3f}"


def _adapters(model: Any, shifting: set[str]) -> Iterator[Tensor]:
    """They alone need a gradient from here on; a bias only where the weights that it ends up in have one."""
    model.requires_grad_(False)
    for path, guest in guests(model).items():
        yield guest.into.weight.requires_grad_(True)
        yield guest.out.weight.requires_grad_(True)
        if path in shifting:
            yield guest.into.bias.requires_grad_(True)


def _draws(count: int, how: Healing) -> Iterator[list[int]]:
    made = seeded(how.seed)
    for _ in range(how.steps):
        yield torch.randint(count, (how.batch,), generator=made).tolist()


@torch.no_grad()
def _held_out(model: Any, tokenizer: Any, texts: list[str]) -> float:
    """Nats a token."""
    found = [_surprise(model, batch) for batch in singly(texts, model, tokenizer)]
    return float(sum(total for total, _ in found)) / max(1, sum(count for _, count in found))


def _surprise(model: Any, batch: Batch) -> tuple[Tensor, int]:
    """Summed over the tokens that follow one, and their number."""
    logits = answer(asked(model, batch, use_cache=False)())[:, :-1]
    ids, real = batch.input_ids[:, 1:], (batch.attention_mask[:, 1:] * batch.attention_mask[:, :-1]).bool()
    return torch.nn.functional.cross_entropy(logits[real].float(), ids[real], reduction="sum"), int(real.sum())
