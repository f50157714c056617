"""Patch plot: parts by positions as colours, heads as layers by heads, or means with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from ..bootstrap import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = "part patched"


def patch_plot(
    parts: Sequence[str], names: Sequence[str], found: Interval, label: str, *, signed: bool, ax: Axes | None
) -> Axes:
    """`found` is (parts, spans) each; where it has intervals, one span's are drawn rather than a column of squares."""
    from ...view.intervals import intervals
    from ...view.plots import grid

    rows, columns, table, across = _arranged(parts, names, found.mean)
    if len(columns) > 1 or bool(found.low.isnan().all()):
        return grid(rows, columns, table, label, across=across, signed=signed, ax=ax)
    ends = [one.flatten().tolist() for one in vars(found).values()]
    return intervals(parts, *ends, label=label, across=f"{PARTS} at {names[0]}, 95 % interval", ax=ax)


def _arranged(
    parts: Sequence[str], names: Sequence[str], values: Tensor
) -> tuple[list[str], list[str], list[list[float]], str]:
    """Rows, columns, a table and what the columns are: heads of several layers stand side by side."""
    owners = [part.rpartition(".head_")[0] for part in parts]
    wholes = list(dict.fromkeys(owners))
    count = len(parts) // len(wholes)
    square = all(owners) and len(names) == 1 and count > 1
    if not square or owners != [whole for whole in wholes for _ in range(count)]:
        return list(parts), list(names), values.tolist(), "tokens patched"
    heads = [part.rpartition("_")[2] for part in parts[:count]]
    return wholes, heads, values.reshape(len(wholes), count).tolist(), f"head, patched at {names[0]}"
