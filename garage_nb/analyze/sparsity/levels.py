"""Levels: the size below which a given share of a place's entries lies, exactly, over any number of texts.

Bits of |x| read as a whole number are in the order of |x|. Texts are read once for every eleven of them, the highest
first: a round counts how the entries go on that begin like the one that is sought, and the next round seeks further.
So what is kept does not grow with the texts, two rounds find a number of 16 bits, three one of 32, and it is an entry
that was there, not an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.batch import Batch
from ...core.progress import progress
from ...core.run import read
from ...core.sites import Read, Reader, Site, Tap
from ...errors import NotFiniteError
from ...registry.lift import Lifted

DIGIT = 11  # bits a round
_WHOLE = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes of a number


class Search:
    """One place: the round(share · n)-th smallest |x| of n for each share; 0 where that is none of them."""

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = torch.tensor(shares, dtype=torch.float64)
        self._found = torch.zeros(len(shares), dtype=torch.long)  # the leading bits of what is sought
        self._below = torch.zeros(len(shares), dtype=torch.long)  # entries that begin with less
        self._counts = torch.zeros(0, dtype=torch.long)
        self._dtype: torch.dtype | None = None
        self._left = self.entries = 0

    @property
    def done(self) -> bool:
        return self._dtype is not None and self._left == 0

    def add(self, hidden: Tensor) -> None:
        """Any shape, the same number of times in every round."""
        if self._dtype is None:
            self._dtype, self._left = hidden.dtype, 8 * hidden.element_size() - 1
        if not len(self._counts):
            self._counts = torch.zeros(len(self._heads) << self._width, dtype=torch.long)
        bits = hidden.detach().abs().contiguous().view(_WHOLE[hidden.element_size()]).flatten().long()
        heads, first = self._heads.to(bits.device), bits >> self._left
        slot = torch.searchsorted(heads, first).clamp(max=len(heads) - 1)
        digit = bits >> (self._left - self._width) & (1 << self._width) - 1
        places = ((slot << self._width) + digit)[heads[slot] == first]
        self._counts += torch.bincount(places, minlength=len(self._counts)).cpu()

    def settle(self) -> None:
        """The end of a round."""
        counts = self._counts.reshape(len(self._heads), -1)
        if not self.entries:
            self.entries = int(counts.sum())
        up_to = counts.cumsum(1)[torch.searchsorted(self._heads, self._found)]  # (shares, digits)
        digit = torch.searchsorted(up_to, (self._ranks - self._below)[:, None])
        digit = digit.clamp(max=up_to.shape[1] - 1)  # past the end only where a text was not the same again
        before = up_to.gather(1, (digit - 1).clamp(min=0)).where(digit > 0, 0)
        self._below += before[:, 0]
        self._found = (self._found << self._width) + digit[:, 0]
        self._left -= self._width
        self._counts = self._counts[:0]

    def levels(self) -> Float[Tensor, " shares"]:
        """Float64; every one of them is a number of the model's own dtype."""
        assert self._dtype is not None
        whole = self._found.to(_WHOLE[self._dtype.itemsize])
        return whole.view(self._dtype).double().where(self._wanted > 0, 0)

    @property
    def _wanted(self) -> Int[Tensor, " shares"]:
        return (self._shares * self.entries).round().long()

    @property
    def _ranks(self) -> Int[Tensor, " shares"]:
        return self._wanted.clamp(min=1)

    @property
    def _width(self) -> int:
        return min(DIGIT, self._left)

    @property
    def _heads(self) -> Int[Tensor, " heads"]:
        """Each once, in order."""
        heads: Tensor = self._found.unique()
        return heads


def levels(
    lifted: Lifted, texts: Sequence[Batch], taps: Sequence[Tap], sites: Sequence[Site], shares: Sequence[float]
) -> Float[Tensor, "sites shares"]:
    """Of all tokens of all texts together, with `taps` in force. NotFiniteError where NaN or infinity passes."""
    searches = {site: Search(shares) for site in sites}
    reads = [Read(site, _adder(site, search)) for site, search in searches.items()]
    with progress("calibrating", "text") as bar:
        while not all(search.done for search in searches.values()):
            for text in texts:
                read(lifted.model, text, [*taps, *reads], chain=lifted.spec.chain)
                bar.update()
            for search in searches.values():
                search.settle()
    return torch.stack([searches[site].levels() for site in sites])


def _adder(site: Site, search: Search) -> Reader:
    def add(hidden: Tensor) -> None:
        if not bool(hidden.isfinite().all()):
            raise NotFiniteError(f"NaN or infinity passes {site}.", "Take the last edit back, or load in float32.")
        search.add(hidden)

    return add
