"""A debate by torch's own hooks: each perspective in a run of its own, nothing side by side, draws token by token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from garage_nb.registry.lift import Lifted
from tests.inject.blades.naive import block

Change = Callable[[Tensor], Tensor]


def run(live: Lifted, changes: dict[int, Change], watch: int, **given: Any) -> tuple[Tensor, Tensor]:
    """Logits with what leaves some blocks changed, and what left the block `watch`."""
    seen: list[Tensor] = []

    def hook(layer: int) -> Callable[..., Any]:
        def changed(module: Any, args: Any, output: Any) -> Any:
            hidden = output if isinstance(output, Tensor) else output[0]
            hidden = changes.get(layer, lambda same: same)(hidden)
            if layer == watch:
                seen.append(hidden.clone())
            return hidden if isinstance(output, Tensor) else (hidden, *output[1:])

        return changed

    handles = [block(live, layer).register_forward_hook(hook(layer)) for layer in sorted({*changes, watch})]
    with torch.no_grad():
        logits = live.model(**given, use_cache=False).logits
    for handle in handles:
        handle.remove()
    return logits, seen[0]


def view(kind: str, strength: float, seed: int, mask: Tensor) -> Change:
    """What each docstring says, for the real tokens of each text, with draws that begin anew with every text."""

    def change(hidden: Tensor) -> Tensor:
        changed = hidden.clone()
        for text in range(len(hidden)):
            generator = torch.Generator().manual_seed(seed)
            dim, onto = hidden.shape[-1], None
            for at in mask[text].nonzero()[:, 0].tolist():
                x = hidden[text, at].double()
                if kind == "dropout":
                    kept = torch.rand(dim, generator=generator) >= strength
                    new = x * kept / (1 - strength)
                elif kind == "perturbation":
                    new = x + strength * x.std(correction=0) * torch.randn(dim, generator=generator).double()
                else:
                    if onto is None:
                        span = torch.randn(dim, dim // 2, generator=generator).double()
                        onto = span @ torch.linalg.inv(span.T @ span) @ span.T
                    new = (1 - strength) * x + strength * 2 * onto @ x
                changed[text, at] = new.float()
        return changed

    return change


def debate(
    live: Lifted, kind: str, strength: float, seeds: tuple[int, ...], start: int, blocks: int, merge: Any, **given: Any
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Logits of the reconciled stream, of each perspective, and the perspectives where they met."""
    mask = given.get("attention_mask", torch.ones_like(given["input_ids"]))
    each = [run(live, {start: view(kind, strength, seed, mask)}, start + blocks, **given) for seed in seeds]
    met = [hidden for _, hidden in each]
    logits, _ = run(live, {start + blocks: lambda hidden: merge(met)}, start + blocks, **given)
    return logits, [said for said, _ in each], met
