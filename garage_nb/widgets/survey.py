"""SurveyView: a survey under way, and what it says so far; the notebook is free meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import numpy as np
import traitlets

from ..core.cancel import Cancel, cancel_in_force
from ..errors import InputError
from ..fleet.corpus.corpus import Corpus
from ..fleet.surveying.survey import Survey
from ..garage import Garage
from ..plain import one_line
from ..registry.lift import Lifted
from ..view.cards import Card
from ..view.markup import page
from .admission import command
from .assets import script, sheet
from .live import Answer, Live

APART = 0.25  # seconds of work between two pictures
NAMED = 20  # texts set aside that the page names
READY, STOPPING = "Getting ready.", "Stopping."
NOTHING = Card("Nothing has been counted yet.", note="Show it again in a while.")
Answers = Callable[[Lifted, "Cancel | None"], Iterator[Survey]]


class SurveyView(Live):
    """`%garage survey corpus.jsonl --live`. `.survey` is the answer so far, with `.frame()` and `.plot()`, None before
    the first chunk; `wait()` waits for all of it, `stop()` ends it and `resume()` goes on from the ledger.

    A survey on the engine `here` lends the model to other verbs between two of its passes.
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

    def __init__(self, garage: Garage, answers: Answers, corpus: Corpus, **options: Any) -> None:
        """`answers` are those of a survey of this corpus, as `fleet.surveying.surveys` gives them for a model."""
        self.survey: Survey | None = None
        self._answers, self._is_read_once = answers, corpus.once
        super().__init__(garage, options=options)
        self._title, self._changes = one_line(self.spec.model_id), len(garage.edits)
        self._corpus = self._about = one_line(corpus.name)
        self._start(READY)

    @command
    def resume(self) -> None:
        """Go on from what is in the ledger, unless it runs. InputError where it is over, or the corpus is used up."""
        if self._running:
            return
        if not self._left:
            raise InputError("There is nothing to go on with.", "The corpus has been read, or can be read only once.")
        self._start(READY if self.survey is None else f"Going on after {_done(self.survey)}.")

    @command
    def stop(self) -> None:
        """End it soon. What was read is in the ledger."""
        with self._turn:
            if self._running:
                self._progress = STOPPING
            super().stop()

    def _start(self, doing: str) -> None:
        garage = self.garage
        lifted = garage.lifted
        with self._turn, self.hold_sync():
            self._left, self._error, self._progress = False, "", doing
            self.ask(lambda: self._pieces(garage, lifted))

    def _pieces(self, garage: Garage, lifted: Lifted) -> Generator[Answer, None, None]:
        """What was shown before stays until there is more. The garage is kept meanwhile, for its ledger."""
        due, before = 0.0, _reached(self.survey)
        for found in self._answers(lifted, cancel_in_force()):
            if _reached(found) < before:
                continue
            self.survey = found
            if found.whole or monotonic() >= due:
                yield traits_of(found)
                due = monotonic() + APART

    def _over(self, error: BaseException | None) -> None:
        found = self.survey
        with self._turn, self.hold_sync():
            super()._over(error)
            self._left = (found is None or not found.whole) and not self._is_read_once
            if found is not None:
                self._tell(traits_of(found))
                self._progress = "" if found.whole else self._stopped(found)

    def _stopped(self, found: Survey) -> str:
        anew = " It can be read once: give it anew to go on." if self._is_read_once else ""
        return f"Stopped after {_done(found)}.{anew}"

    def _summary(self) -> str:
        return f"{self._title}, {self._about}"

    def _picture(self) -> str:
        return page((NOTHING if self.survey is None else self.survey.picture()).html())


def _reached(found: Survey | None) -> tuple[int, int]:
    """In which pass over the corpus, and how far in it."""
    return (0, 0) if found is None else (len(found.plan.readings), found.headway.texts)


def _done(found: Survey) -> str:
    return str(replace(found.headway, rate=None))


def traits_of(found: Survey) -> Answer:
    """Means as float64, statistic after statistic, NaN where a part has none."""
    measures = found.measures
    parts = list(dict.fromkeys(part for part, _ in found.found))
    means = [[_mean(found, part, name) for part in parts] for name in measures]
    return {
        "_progress": "" if found.whole else str(found.headway),
        "_about": one_line(found.read),
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
    """`norm ‖x‖ of a token, mean over 12,345 tokens`, by statistic."""
    return {
        name: f"{found.defined(name)}, mean over {spread.count:,} {spread.over}"
        for (_, name), spread in found.found.items()
    }
