"""Random numbers of our own: torch's global ones belong to the user."""

from __future__ import annotations

from hashlib import blake2b

import torch

from ..errors import InputError


def seeded(seed: int) -> torch.Generator:
    """A fresh generator on the host. InputError for what torch takes for no seed."""
    try:
        return torch.Generator().manual_seed(seed)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        said = " ".join(repr(seed).split())
        raise InputError(f"{said} is no seed.", "Give a whole number of at most 64 bits, such as 0.") from None


def spawned(seed: int, *names: str | int) -> torch.Generator:
    """One of many streams of a seed: for another seed, other names or another order of them, another one, the same on
    every machine. Sums of a seed and a number would meet. InputError as of `seeded`.
    """
    said = repr((seeded(seed).initial_seed(), *names))
    return seeded(int.from_bytes(blake2b(said.encode(), digest_size=8).digest(), "big"))
