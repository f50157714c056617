"""The showroom's items as blades need them: of every domain some to fit on, to choose by, and to test by."""

from __future__ import annotations

from itertools import islice

from ..analyze.judging.exercise import Exercise
from ..errors import InputError
from ..methods.studies.ground import Pool
from ..showroom import corpus
from ..showroom.domains import DOMAINS

TRAINED, TESTED = 200, 200  # items of a domain
FITTED = 0.7  # of those trained on: what blades are fitted on, the rest is to choose by
SEED = "blades"
HARD = "hard"  # the level of the domain in question: at the ceiling of the other one differences hide


def showroom_pools(domain: str) -> tuple[Pool, Pool, Pool]:
    """The domain's at the harder level, all others at the standard one. InputError for a domain that is none."""
    if domain not in DOMAINS:
        raise InputError(f"The showroom has no {domain!r}.", f"Choose one of: {', '.join(DOMAINS)}.")
    levels = {one: HARD if one == domain else corpus.LEVELS[0] for one in DOMAINS}
    trained = {one: different(one, "train", level, TRAINED, SEED) for one, level in levels.items()}
    return (
        {one: several[: int(FITTED * len(several))] for one, several in trained.items()},
        {one: several[int(FITTED * len(several)) :] for one, several in trained.items()},
        {one: different(one, "test", level, TESTED, SEED) for one, level in levels.items()},
    )


def different(domain: str, split: str, level: str, count: int, seed: str) -> list[Exercise]:
    """Each once, and fewer where a domain has no more."""
    drawn = corpus.stream(domain, split=split, level=level, seed=seed)
    several = dict.fromkeys(item.exercise for item in islice(drawn, 4 * count))
    return list(several)[:count]
