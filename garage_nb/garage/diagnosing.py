"""Diagnosing: all that is known of a model as one report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..analyze.judging.exercise import Exercise, exercises_of
from ..analyze.judging.exercise_file import read_exercises
from ..pipelines.diagnose.diagnose import diagnose
from ..pipelines.diagnose.diagnosis import Diagnosis, place_of
from ..verbs import verb
from .session import Session
from .showroom_texts import showroom_exercises, showroom_texts


class Diagnosing(Session):
    @verb()
    def diagnose(
        self, *, to: str | None = None, texts: Any = None, items: Any = None, quick: bool = False, seed: int = 0
    ) -> Diagnosis:
        """Report on the whole model, part by part, with what is most remarkable first; as one page of html.

        Args:
            to: an .html file to write the report to; it needs nothing else, and no script runs in it
            texts: @texts, or a dict from domain to texts; those of the items when left out, or the showroom's without
                items, or random ids without a tokenizer
            items: a .json or .csv file of prompt, answer and domain, or @items, pairs or dicts; the showroom's too
            quick: read fewer texts and items, and draw less often
            seed: for all that is drawn; the same gives the same report but for its times
        """
        place = None if to is None else place_of(to)
        if texts is None and items is None and self.tokenizer is not None:
            texts, items = showroom_texts(), showroom_exercises()
        asked = read_exercises(items) if isinstance(items, str) else exercises_of(items) if items is not None else []
        given = _texts_of(asked) if texts is None and asked else texts
        found = diagnose(self.lifted, self.edits, given, asked, quick=quick, seed=seed)
        return found if place is None else found.to_html(place)


def _texts_of(asked: Sequence[Exercise]) -> dict[str, list[str]]:
    """By domain: prompts with their answers."""
    domains = dict.fromkeys(one.domain for one in asked)
    return {domain: [one.text for one in asked if one.domain == domain] for domain in domains}
