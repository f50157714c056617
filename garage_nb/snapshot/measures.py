"""What a statistic is called: short over a column, and with its definition along an axis."""

from __future__ import annotations

from ..core.stats import NAMES
from ..errors import InputError

_DEFINED = {
    "mean": "mean of all entries",
    "std": "standard deviation of all entries",
    "min": "smallest entry",
    "max": "largest entry",
    "norm": "norm ‖x‖, mean over tokens",
    "exact_zeros": "exact zeros, share of entries",
    "entropy": "entropy of a token's energy over dimensions, nats",
    "kurtosis": "kurtosis (a normal distribution has 3)",
    "effective_dimension": "effective dimension (Σλ)² / Σλ²",
    "non_finite": "NaN and infinite entries",
}


def demand(statistic: str) -> str:
    if statistic not in NAMES:
        raise InputError(f"There is no statistic {statistic!r}.", f"There are: {', '.join(NAMES)}.")
    return statistic


def head(statistic: str, tau: float) -> str:
    """A sparsity never stands without its threshold."""
    return f"sparsity |x|\u00a0≤\u00a0{tau:g}\u00a0σ" if statistic == "sparsity" else statistic.replace("_", " ")


def defined(statistic: str, tau: float) -> str:
    return _DEFINED.get(statistic) or f"sparsity, share of |x| ≤ {tau:g} σ"


def tokenwise(statistic: str, tau: float) -> str:
    """The same of one token by itself, where its own entries are all there is."""
    if statistic == "sparsity":
        return f"sparsity of a token, share of |x| ≤ {tau:g} σ"
    return {"norm": "norm ‖x‖ of a token", "entropy": _DEFINED["entropy"]}.get(
        statistic, f"{_DEFINED[statistic]} of a token"
    )
