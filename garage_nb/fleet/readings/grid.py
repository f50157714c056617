"""The grid that values are counted on: the same bins for every statistic and every model, so that counts add up.

From 2^-16 to 2^24 every octave has 32 bins, on either side of 0. Which bin a value falls into is read off its bits, and
is therefore the same everywhere. What is smaller counts as 0, what is larger falls into the last bin.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

_PER_OCTAVE, _LOWEST, _HIGHEST = 32, -16, 24
_LAST = (_HIGHEST - _LOWEST) * _PER_OCTAVE + 1  # the bin of all that is larger
BINS = 2 * _LAST + 1
_SHIFT, _BIAS = np.int64(52 - 5), 1023  # of a float64: five bits of its mantissa are 32 bins


def counted(values: Float[np.ndarray, "tokens names"]) -> Int[np.ndarray, "names bins"]:
    """How many tokens fall into each bin, NaN left out."""
    return np.stack([np.bincount(_bins(column[~np.isnan(column)]), minlength=BINS) for column in values.T]).astype(
        np.int64
    )


def quantile(counts: Int[np.ndarray, " bins"], share: float) -> float:
    """The value that this share of what was counted is no larger than, evenly spread inside its bin; NaN of nothing.

    It is off by no more than 1/32 of itself.
    """
    if not counts.sum():
        return float("nan")
    upto = counts.cumsum()
    wanted = share * upto[-1]
    bin_ = int(np.searchsorted(upto, wanted)) if wanted else int(counts.nonzero()[0][0])
    low, high = bounds()[bin_ : bin_ + 2]
    return float(low + (high - low) * (wanted - (upto[bin_] - counts[bin_])) / counts[bin_])


def bounds() -> Float[np.ndarray, " bounds"]:
    """Where each bin begins, and where the last one ends: it is as wide as one of its octave would be."""
    steps = np.arange(_LAST + 1)
    edges = 2.0 ** (_LOWEST + steps // _PER_OCTAVE) * (1 + steps % _PER_OCTAVE / _PER_OCTAVE)
    return np.asarray(np.concatenate([-edges[::-1], edges]))


def _bins(values: Float[np.ndarray, " values"]) -> Int[np.ndarray, " values"]:
    steps = (np.abs(values).view(np.int64) >> _SHIFT) - (_BIAS + _LOWEST) * _PER_OCTAVE
    sizes = np.clip(steps + 1, 0, _LAST)
    return np.asarray(np.where(values < 0, _LAST - sizes, _LAST + sizes))
