"""Ledger: what the edits of one run were given and returned, at its extremes, so that the first bad one can be named.

It is written on the device as the run goes on and read once, when the run is over: the one wait that it costs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..errors import NotFiniteError


class Ledger:
    """Entries in the order in which the edits acted."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, Tensor]] = []

    def note(self, said: str, before: Tensor, after: Tensor) -> None:
        """What an edit was given, and what it made of it: smallest and largest of each, NaN where there is one."""
        if after.numel() and after.is_floating_point():
            extremes = (*before.detach().aminmax(), *after.detach().aminmax())
            self._entries.append((said, torch.stack(extremes)))

    def demand_finite(self) -> None:
        """NotFiniteError names the first edit that made NaN or infinity of finite numbers."""
        for said, finite in self._read():
            if all(finite[:2]) and not all(finite[2:]):
                raise NotFiniteError(
                    f"The edit {said!r} makes NaN or infinity of finite numbers.",
                    "Make it smaller, take it back, or load the model in float32.",
                )

    def _read(self) -> Iterator[tuple[str, list[bool]]]:
        """One transfer to the host, for each device and precision that there is."""
        kinds = {(row.device, row.dtype) for _, row in self._entries}
        found: dict[int, list[bool]] = {}
        for kind in kinds:
            mine = {place: row for place, (_, row) in enumerate(self._entries) if (row.device, row.dtype) == kind}
            if mine:
                found |= dict(zip(mine, torch.stack(list(mine.values())).isfinite().tolist(), strict=True))
        return ((said, found[place]) for place, (said, _) in enumerate(self._entries))
