"""A statistic along the parts as a picture, the tuned model in amber over the untouched one."""

from __future__ import annotations

from ..view.figure import Plot
from ..view.palette import AMBER
from ..view.plots import legend, line
from .snapshots import Snapshots


def draw(untouched: Snapshots, statistic: str, tuned: Snapshots | None = None) -> Plot:
    """One line, or two with a legend when something is tuned."""
    axes = line(list(untouched), untouched.values_of(statistic), label=untouched.label(statistic), name="untouched")
    if tuned is not None:
        line(list(tuned), tuned.values_of(statistic), label=tuned.label(statistic), ax=axes, color=AMBER, name="tuned")
        legend(axes)
    return Plot(axes, f"{untouched.label(statistic)} of {len(untouched)} parts of {untouched.model_id}")
