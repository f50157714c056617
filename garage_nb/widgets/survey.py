"""SurveyView: a survey under way, and what it says so far; the notebook is free meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from time import monotonic
from typing import Any

import numpy as np
import traitlets

from ..core.cancel import Cancel, cancel_in_force
from ..errors import InputError
from ..fleet.surveying.survey import Survey
from ..garage import Garage
from ..plain import one_line
from ..registry.lift import Lifted
from ..view.cards import Card
from ..view.markup import page
from .admission import command
from .assets import script, sheet
from .live import Answer, Live

APART = 0.25  # seconds between two pictures
NAMED = 20  # texts set aside that the page names
NOTHING = Card("Nothing has been counted yet.")
Answers = Callable[[Lifted, "Cancel | None"], Iterator[Survey]]


class SurveyView(Live):
    """`%garage survey corpus.jsonl --live`. `.survey` is the answer so far, with `.frame()` and `.plot()`, None before
    the first chunk; `wait()` waits for all of it, `stop()` ends it and `resume()` goes on from the ledger.
    """

    _esm = script("tokens.js", "survey.js")
    _css = sheet("tokens.css", "survey.css")
    _title = traitlets.Unicode().tag(sync=True)
    _corpus = traitlets.Unicode().tag(sync=True)
    _changes = traitlets.Int(0).tag(sync=True)
    _about = traitlets.Unicode().tag(sync=True)
    _share = traitlets.Float(0.0).tag(sync=True)
    _shown: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _values = traitlets.Bytes().tag(sync=True)
    _aside: traitlets.List[str] = traitlets.List().tag(sync=True)
    _left_out = traitlets.Int(0).tag(sync=True)
    _left = traitlets.Bool(False).tag(sync=True)

    def __init__(self, garage: Garage, answers: Answers, corpus: str, **options: Any) -> None:
        """`answers` are those of the survey, as `fleet.surveying.surveys` gives them for a model."""
        self.survey: Survey | None = None
        self._answers = answers
        super().__init__(garage, options=options)
        self._title, self._corpus, self._changes = one_line(self.spec.model_id), one_line(corpus), len(garage.edits)
        self._start()

    @command
    def resume(self) -> None:
        """Go on from what is in the ledger."""
        if not self._left:
            raise InputError("There is nothing to go on with.", "It runs, or has read the whole corpus.")
        self._start()

    def _start(self) -> None:
        lifted, self._left = self.garage.lifted, False
        self.ask(lambda: self._pieces(lifted))

    def _pieces(self, lifted: Lifted) -> Generator[Answer, None, None]:
        due = 0.0
        for found in self._answers(lifted, cancel_in_force()):
            self.survey = found
            if found.whole or monotonic() >= due:
                due = monotonic() + APART
                yield traits_of(found)

    def _over(self, error: BaseException | None) -> None:
        with self._turn, self.hold_sync():
            super()._over(error)
            found = self.survey
            self._left = found is None or not found.whole
            self._progress = f"Stopped after {found.headway}." if found and self._left else ""

    def _summary(self) -> str:
        return f"{self._title}, {self._corpus}, {self._about or 'nothing counted yet'}"

    def _picture(self) -> str:
        return page((NOTHING if self.survey is None else self.survey.picture()).html())


def traits_of(found: Survey) -> Answer:
    """Means as float64, statistic after statistic, NaN where a part has none."""
    measures = found.measures
    parts = list(dict.fromkeys(part for part, _ in found.found))
    means = [[_mean(found, part, name) for part in parts] for name in measures]
    return {
        "_progress": "" if found.whole else str(found.headway),
        "_about": found.counted,
        "_share": 1.0 if found.whole else -1.0 if found.headway.share is None else found.headway.share,
        "_shown": {"statistics": list(measures), "parts": list(map(one_line, parts)), "over": _over_what(found)},
        "_values": np.asarray(means, dtype=np.float64).tobytes(),
        "_aside": [one_line(f"{one.where}: {one.why}") for one in found.aside[:NAMED]],
        "_left_out": len(found.aside),
    }


def _mean(found: Survey, part: str, name: str) -> float:
    spread = found.found.get((part, name))
    return float("nan") if spread is None else spread.mean


def _over_what(found: Survey) -> dict[str, str]:
    """`mean over 12,345 tokens`, by statistic."""
    return {name: f"mean over {spread.count:,} {spread.over}" for (_, name), spread in found.found.items()}
