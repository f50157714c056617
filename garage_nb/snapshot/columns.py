"""Columns: an array that grows by its second axis. What was handed out of it stays as it is."""

from __future__ import annotations

import numpy as np

ROOM = 64  # columns at first


class Columns:
    """(rows, columns, …). Growing costs as much as what is added, not as what is there."""

    def __init__(self, rows: int, depth: int, dtype: type[np.generic]) -> None:
        self._all = np.empty((rows, ROOM, depth), dtype)
        self._taken = 0

    def add(self, block: np.ndarray) -> None:
        end = self._taken + block.shape[1]
        if end > self._all.shape[1]:
            rows, _, depth = self._all.shape
            larger = np.empty((rows, 2 * end, depth), self._all.dtype)
            larger[:, : self._taken] = self.now
            self._all = larger
        self._all[:, self._taken : end] = block
        self._taken = end

    @property
    def now(self) -> np.ndarray:
        """A view that cannot be written to."""
        view = self._all[:, : self._taken]
        view.flags.writeable = False
        return view
