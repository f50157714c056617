"""What a blade should do, by torch's own hooks on the block, and what a fit should find, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from garage_nb.registry.lift import Lifted


def block(live: Lifted, layer: int) -> Any:
    return live.model.get_submodule(live.spec.parts[f"layer_{layer}"].module_path)


def states(live: Lifted, layer: int, **given: Any) -> Tensor:
    """What leaves a block."""
    seen: list[Tensor] = []
    handle = block(live, layer).register_forward_hook(lambda module, args, output: seen.append(_first(output).clone()))
    with torch.no_grad():
        live.model(**given)
    handle.remove()
    return seen[0]


def hooked(live: Lifted, layer: int, change: Callable[[Tensor], Tensor], **given: Any) -> Tensor:
    """Logits with what leaves a block changed."""

    def hook(module: Any, args: Any, output: Any) -> Any:
        changed = change(_first(output))
        return changed if isinstance(output, Tensor) else (changed, *output[1:])

    handle = block(live, layer).register_forward_hook(hook)
    with torch.no_grad():
        found: Tensor = live.model(**given).logits
    handle.remove()
    return found


def continued(live: Lifted, source: Lifted, layer: int, alpha: float, steps: int, ids: Tensor, mask: Tensor) -> Tensor:
    """Logits (batch, steps, vocab), greedy, everything anew at every step, no cache in either model."""
    kept: list[Tensor] = []
    for _ in range(steps):
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "use_cache": False}
        theirs = states(source, layer, **given)
        found = hooked(live, layer, lambda hidden, theirs=theirs: torch.lerp(hidden, theirs, alpha), **given)
        kept.append(found[:, -1])
        ids = torch.cat([ids, found[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    return torch.stack(kept, dim=1)


def _first(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]
