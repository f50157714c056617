"""Fingerprint: what must be the same again when the garage has finished with a model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from .attach import hooks_of_others, hooks_of_ours
from .attention import is_left_over
from .batch import probe
from .calling import answer, asked
from .offloaded import kept
from .sharded import own_share
from .undisturbed import lock_of, undisturbed


@dataclass(frozen=True)
class AtRest:
    """What can be told of a model without running it: hooks, the names and bits of weights and buffers, train flags."""

    hooks: dict[str, tuple[int, ...]]
    ours: dict[str, int]
    state: dict[str, tuple[Any, ...]]
    training: dict[str, bool]

    @classmethod
    def of(cls, model: Any) -> AtRest:
        """Read-only: one pass over the weights on their own device. It waits for a run of ours on another thread to be
        over.
        """
        modules = dict(model.named_modules())
        with lock_of(model):
            return cls(
                hooks={path: ids for path, module in modules.items() if (ids := hooks_of_others(module))},
                ours=_ours(modules),
                state={name: _bits(_numbers(model, name, held)) for name, held in model.state_dict().items()},
                training={path: module.training for path, module in modules.items()},
            )

    @property
    def digest(self) -> str:
        """Equal for equal names, shapes, dtypes and bits. It finds accidents, not somebody who means to deceive."""
        listed = "\n".join(f"{name} {bits}" for name, bits in sorted(self.state.items()))
        return hashlib.sha256(listed.encode()).hexdigest()[:32]

    def differences(self, now: AtRest) -> dict[str, str]:
        """What `now` lost or changed, by aspect, naming the first places; empty when nothing did.

        Hooks that others have added meanwhile are theirs: transformers leaves some itself.
        """
        gone = {path for path, ids in self.hooks.items() if set(ids) - set(now.hooks.get(path, ()))}
        found = {
            "hooks": _named([*now.ours, *gone]),
            "keys": _keys(self.state, now.state),
            "weights": _named(
                [name for name in _unlike(self.state, now.state) if name in self.state and name in now.state]
            ),
            "train flags": _named(_unlike(self.training, now.training)),
        }
        return {aspect: where for aspect, where in found.items() if where}

    def compared(self) -> dict[str, str]:
        """How much of the model each aspect is, in words."""
        modules, read = f"{len(self.training)} modules", [bits for bits in self.state.values() if bits[-1] is not None]
        unread = len(self.state) - len(read)
        rest = f"; {unread} out of reach, which nothing was compared of" if unread else ""
        return {
            "hooks": f"{modules}, {sum(map(len, self.hooks.values()))} hooks of others on them",
            "keys": f"{len(self.state)} names in their order",
            "weights": f"{len(read)} tensors, {sum(prod(shape) for shape, *_ in read):,} numbers{rest}",
            "train flags": modules,
        }


@dataclass(frozen=True)
class Fingerprint:
    """A model at rest, and the logits of a fixed prompt."""

    at_rest: AtRest
    logits: int

    @classmethod
    def of(cls, model: Any) -> Fingerprint:
        """Read-only: one short bare forward and one pass over the weights, with no run of ours between."""
        with lock_of(model):
            return cls(AtRest.of(model), _checksum(bare_logits(model)))

    def differences(self, now: Fingerprint) -> dict[str, str]:
        """As those at rest, and of the logits."""
        answers = {} if self.logits == now.logits else {"logits": "a fixed prompt answers otherwise"}
        return self.at_rest.differences(now.at_rest) | answers

    def compared(self) -> dict[str, str]:
        return self.at_rest.compared() | {"logits": "a fixed prompt"}


def bare_logits(model: Any) -> Tensor:
    """The fixed prompt's logits (1, seq, vocab) from the model alone, without any hook of ours."""
    with lock_of(model), undisturbed(model):
        return answer(asked(model, probe(model), use_cache=False)())


def _ours(modules: dict[str, Any]) -> dict[str, int]:
    found = {path: count for path, module in modules.items() if (count := hooks_of_ours(module))}
    return {**found, "transformers' attention interface": 1} if is_left_over() else found


def _numbers(model: Any, name: str, held: Tensor) -> Tensor:
    """Those that are brought for a run where they are kept elsewhere; this process's share where several split it."""
    found = kept(model, name) if held.is_meta else own_share(held)
    return held if found is None else found


def _bits(tensor: Tensor) -> tuple[Any, ...]:
    """The last is None for what is out of reach."""
    return (tuple(tensor.shape), str(tensor.dtype), None if tensor.is_meta else _checksum(tensor))


def _checksum(tensor: Tensor) -> int:
    """Sum of the bits as integers, weighted so that moved entries show too; one pass, on the tensor's device."""
    if tensor.numel() == 0:
        return 0
    raw = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    words = next(raw.view(kind) for kind in _WORDS if raw.numel() % kind.itemsize == 0)
    length = 65_521  # rows of a prime length: equal entries swapped inside a row or between rows change a sum
    whole = words[: words.numel() // length * length].reshape(-1, length)
    rest = words[words.numel() // length * length :]
    down = whole.sum(dim=0, dtype=torch.int64)
    weights = _scattered(length, words.device)
    along = (down * weights).sum() + (rest.to(torch.int64) * weights[: rest.numel()]).sum()
    rows = whole.sum(dim=1, dtype=torch.int64)
    across = (rows * _scattered(rows.numel(), words.device)).sum()
    return hash((int(along), int(across)))


_WORDS = (torch.int64, torch.int32, torch.uint8)  # the widest that the bits are whole numbers of


@lru_cache(maxsize=64)
def _scattered(count: int, device: torch.device) -> Tensor:
    """A weight a place, like random numbers: with 1, 2, 3 … as weights, a b b a and b a a b have one sum."""
    place = torch.arange(1, count + 1, device=device, dtype=torch.int64) * 0x1E3779B97F4A7C15
    return (place ^ (place >> 29)) * 0x3F58476D1CE4E5B9 | 1


def _unlike(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return [name for name in {**a, **b} if a.get(name) != b.get(name)]


def _keys(a: dict[str, Any], b: dict[str, Any]) -> str:
    changed = [name for name in {**a, **b} if name not in a or name not in b]
    return _named(changed) or ("" if list(a) == list(b) else "in another order")


def _named(places: Sequence[str]) -> str:
    return ", ".join(place or "the model itself" for place in places[:3]) + (" …" if len(places) > 3 else "")
