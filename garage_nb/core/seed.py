"""Random numbers of our own: torch's global ones belong to the user."""

from __future__ import annotations

import torch

from ..errors import InputError


def seeded(seed: int) -> torch.Generator:
    """A fresh generator on the host. InputError for what torch takes for no seed."""
    try:
        return torch.Generator().manual_seed(seed)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        said = " ".join(repr(seed).split())
        raise InputError(f"{said} is no seed.", "Give a whole number of at most 64 bits, such as 0.") from None
