"""Weights: norms, ranks and sparsity of every matrix, without a run."""

from __future__ import annotations

from collections.abc import Iterator

from ....analyze.weights.weights import Weight, weights
from ....view.bars import number
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter

NARROW = 0.25  # of the rank that a matrix could have
ZEROS = 0.01


def _read(case: Case) -> Iterator[Picture | Remark]:
    found = weights(case.lifted)
    for measure in ("norm", "effective_rank"):
        yield found.plot(measure=measure)
    yield found.picture()
    matrices = [one for one in found.matrices if not one.shared and one.spectrum.effective_rank > 0]
    if matrices:
        least = min(matrices, key=_filled)
        yield Remark(
            said=f"{least} has an effective rank of {number(least.spectrum.effective_rank)} of"
            f" {len(least.spectrum.singular)}",
            rule="effective rank over the largest possible",
            value=_filled(least),
            threshold=NARROW,
            is_most=True,
        )
        empty = max(matrices, key=lambda one: one.spectrum.exact_zeros)
        yield Remark(
            said=f"{number(empty.spectrum.exact_zeros)} of the entries of {empty} are exactly 0",
            rule="share of exact zeros in a matrix",
            value=empty.spectrum.exact_zeros,
            threshold=ZEROS,
        )


def _filled(one: Weight) -> float:
    return one.spectrum.effective_rank / len(one.spectrum.singular)


WEIGHTS = Chapter(
    key="weights",
    title="What the weights are",
    shows="Norm, singular values, ranks and sparsity of every weight as it is stored, without edits in force.",
    hides="A weight of low rank or small norm may still be one the answers hang on.",
    verb="weights",
    read=_read,
)
