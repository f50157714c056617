"""Rows: many variants of one run side by side in a batch, each with edits of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import EditError
from .sites import Write, Writer, fitting
from .units import Columns


def by_rows(writers: Sequence[Writer | None]) -> Writer:
    """One writer for each of as many equal shares of the batch; None leaves its share as it is."""

    def write(hidden: Tensor, touched: Tensor | None) -> Tensor:
        count = len(writers)
        if hidden.shape[0] % count:
            raise EditError(
                f"{count} variants cannot be told apart in {tuple(hidden.shape)}.", "Run them one after the other."
            )
        shares = hidden.chunk(count)
        masks: Sequence[Tensor | None] = [None] * count if touched is None else touched.chunk(count)
        each = zip(writers, shares, masks, strict=True)
        return torch.cat([share if fn is None else fn(share, mask) for fn, share, mask in each])

    return write


def within(columns: Columns, edit: Write) -> Writer:
    """A writer of some columns as one of all, which leaves the others as they are."""

    def write(hidden: Tensor, touched: Tensor | None) -> Tensor:
        own = hidden[..., columns.start : columns.stop]
        changed = hidden.clone()
        changed[..., columns.start : columns.stop] = fitting(edit.said, own, edit.fn(own, touched))
        return changed

    return write
