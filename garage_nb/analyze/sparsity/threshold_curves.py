"""Threshold curves: loss against the share of activations that was really zeroed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ...view.bars import Column, Table, number
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..bootstrap import Interval, bootstrap

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LOSS = 0.05  # nats a token: what the table asks after
SHOWN, COLUMNS = 40, 5  # rows and columns of a table; the frame holds them all
ACROSS = "share of activations that are 0, over all tokens of the texts tried"
UP = "loss, nats per token"
HONEST = "zeroing is arithmetic here and saves no time"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ThresholdCurves(Drawn):
    """`curves` are ways to zero all parts together, the first by thresholds; or the parts, each thinned for itself.

    losses       −log p summed over the tokens of each prompt, in nats; `untouched` without zeroing, `tokens` how many.
                 A loss is the sum over all prompts by the number of all tokens
    zeroed       share of entries that are 0 behind the edit, those that were so before among them; all parts pooled
    thinned      the same part by part, by thresholds
    exact_zeros  the same with nothing zeroed; `zeros` of all parts pooled
    levels       what |x| was held against: of n entries of a part in the calibration texts the round(share · n)-th
                 smallest, so at least as many are zeroed there; 0 at share 0, which changes nothing
    """

    model_id: str
    calibrated: str
    curves: tuple[str, ...]
    parts: tuple[str, ...]
    shares: tuple[float, ...]
    levels: Float[Tensor, "parts shares"]
    zeroed: Float[Tensor, "curves shares"]
    thinned: Float[Tensor, "parts shares"]
    exact_zeros: Float[Tensor, " parts"]
    zeros: float
    losses: Float[Tensor, "prompts curves shares"]
    untouched: Float[Tensor, " prompts"]
    tokens: Float[Tensor, " prompts"]
    seed: int = 0

    @property
    def is_each(self) -> bool:
        return self.curves == self.parts

    @property
    def loss(self) -> float:
        """Untouched, nats a token."""
        return float(self.untouched.sum() / self.tokens.sum())

    @cached_property
    def rise(self) -> Interval:
        """Of the loss over the untouched one, (curves, shares) each; 95 %, by redrawing prompts in pairs with it."""
        found = bootstrap((self.losses - self.untouched[:, None, None]).flatten(1), sizes=self.tokens, seed=self.seed)
        shape = self.losses.shape[1:]
        return Interval(found.mean.reshape(shape), found.low.reshape(shape), found.high.reshape(shape))

    def best(self, loss: float = LOSS, curve: str | None = None) -> float | None:
        """The largest share asked for with which the loss rises by no more, by the upper end of its interval.

        None where there is none. InputError for a curve that was not run, and for a single prompt, which has no
        interval.
        """
        if len(self.tokens) < 2:
            raise InputError("One prompt has no interval to go by.", "Try several prompts, or read .rise.mean.")
        if curve not in (self.curves if self.is_each else (None, *self.curves)):
            raise InputError(f"There is no curve {curve!r}.", f"There are: {', '.join(self.curves[:8])}.")
        place = 0 if curve is None else self.curves.index(curve)
        highs = self.rise.high[place].tolist()
        return max((share for share, high in zip(self.shares, highs, strict=True) if high <= loss), default=None)

    def frame(self) -> pd.DataFrame:
        """One row a curve and share asked for; low and high are of the rise."""
        keys = [(curve, share) for curve in self.curves for share in self.shares]
        rise = self.rise
        columns = [self.zeroed, rise.mean + self.loss, rise.mean, rise.low, rise.high]
        rows = zip(*(column.flatten().tolist() for column in columns), strict=True)
        of = "part" if self.is_each else "arm"
        return framed((of, "share"), keys, ["zeroed", "loss", "rise", "low", "high"], rows)

    def places(self) -> pd.DataFrame:
        """One row a part and share asked for: the level, and the share that was 0 with it and without."""
        keys = [(part, share) for part in self.parts for share in self.shares]
        before = self.exact_zeros[:, None].expand_as(self.levels)
        rows = zip(*(column.flatten().tolist() for column in (self.levels, self.thinned, before)), strict=True)
        return framed(("part", "share"), keys, ["level", "zeroed", "exact_zeros"], rows)

    def plot(self, ax: Axes | None = None) -> Plot:
        """A line a curve; its whiskers are those of the rise, drawn about the loss."""
        from ...view.paths import Path, paths

        rise = self.rise
        columns = (self.zeroed, *(column + self.loss for column in (rise.mean, rise.low, rise.high)))
        drawn = {
            curve: Path(*(column[place].tolist() for column in columns)) for place, curve in enumerate(self.curves)
        }
        sure = f"; 95 % interval of its rise over {len(self.tokens)} prompts" if len(self.tokens) > 1 else ""
        found = paths(drawn, f"{UP}{sure}", across=ACROSS, level=("untouched", self.loss), ax=ax)
        return Plot(found, f"{UP} by {ACROSS}, {self._counted}, {self.model_id}", self.frame)

    def picture(self) -> Table:
        return self._by_part() if self.is_each else self._by_share()

    def _by_share(self) -> Table:
        rise, others = self.rise, self.curves[1:]
        columns = [
            Column("zeroed", self.zeroed[0].tolist()[:SHOWN]),
            Column("loss", (rise.mean[0] + self.loss).tolist()[:SHOWN]),
            Column("rise", rise.mean[0].tolist()[:SHOWN], bar=True),
            Column("95 % from", rise.low[0].tolist()[:SHOWN]),
            Column("to", rise.high[0].tolist()[:SHOWN]),
            *(Column(f"{arm}: rise", rise.mean[at].tolist()[:SHOWN]) for at, arm in enumerate(others, 1)),
        ]
        names = [f"share {share:g}" for share in self.shares[:SHOWN]]
        return Table(names, columns, title=self.model_id, caption=self._caption(len(self.shares)))

    def _by_part(self) -> Table:
        step = -(-len(self.shares) // COLUMNS)
        at = range(len(self.shares) - 1, -1, -step)[::-1]
        columns = [Column(f"rise at {self.shares[place]:g}", self.rise.mean[:SHOWN, place].tolist()) for place in at]
        if len(self.tokens) > 1:
            best = [self.best(LOSS, part) for part in self.parts[:SHOWN]]
            shares = [float("nan") if share is None else share for share in best]
            columns = [Column(f"share for ≤ {LOSS:g} nats", shares, bar=True, top=1.0), *columns]
        return Table(self.parts[:SHOWN], columns, title=self.model_id, caption=self._caption(len(self.parts)))

    def _caption(self, rows: int) -> str:
        more = f" · {rows - SHOWN:,} more in .frame()" if rows > SHOWN else ""
        return (
            f"loss in nats per token, {number(self.loss)} untouched, {self._counted} · levels: quantiles of |x| over"
            f" {self.calibrated} · exact zeros untouched: {number(self.zeros)} · {HONEST}{more}"
        )

    @property
    def _counted(self) -> str:
        prompts = "one prompt" if len(self.tokens) == 1 else f"{len(self.tokens):,} prompts"
        return f"{int(self.tokens.sum()):,} tokens of {prompts}, {len(self.parts)} parts"
