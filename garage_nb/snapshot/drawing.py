"""A statistic along the parts as a picture, the tuned model in amber over the untouched one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from ..view.figure import Plot
from ..view.frames import framed
from ..view.palette import AMBER, PLOT_LINE
from ..view.plots import legend, line
from .measures import defined, head
from .snapshots import Snapshots

if TYPE_CHECKING:
    import pandas as pd


def draw(untouched: Snapshots, statistic: str, tuned: Snapshots | None = None) -> Plot:
    """One line, or two with a legend when something is tuned."""
    runs = {"untouched": untouched} if tuned is None else {"untouched": untouched, "tuned": tuned}
    axes = None
    for (name, run), color in zip(runs.items(), (PLOT_LINE, AMBER), strict=False):
        values, label = run.values_of(statistic), defined(statistic, run.tau)
        axes = line(list(run), values, label=label, ax=axes, color=color, name=name)
    assert axes is not None
    if tuned is not None:
        legend(axes)
    alt = f"{head(statistic, untouched.tau)} of {len(untouched)} parts of {untouched.model_id}, {' and '.join(runs)}"
    return Plot(axes, alt, partial(_frame, runs, statistic))


def _frame(runs: Mapping[str, Snapshots], statistic: str) -> pd.DataFrame:
    """One row a part, one column a run."""
    values = zip(*(run.values_of(statistic) for run in runs.values()), strict=True)
    return framed("part", runs["untouched"], list(runs), values)
