"""Surveys: a corpus read chunk after chunk by a crew, and what is known after each.

A probe takes the corpus twice: its map is fitted on one half of the texts when all have been read, and tried on the
other half in a second pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from ...core.cancel import Cancel
from ...errors import InputError
from ...registry.lift import Lifted
from ..corpus.corpus import Corpus
from ..corpus.reading import texts_of
from ..corpus.text import Text
from ..cutting import ROWS
from ..driving.ledger import Ledger
from ..engines.crew import Crew
from ..readings.plan import COUNTED, Plan
from ..readings.probe import Probe, fitted, tries
from ..reference import at_hand, reference_on
from .aside import LeftOut
from .headway import Headway
from .one_pass import OnePass
from .survey import Survey


def surveys(
    lifted: Lifted,
    corpus: Corpus,
    plan: Plan,
    crew: Crew,
    ledger: Ledger,
    *,
    rows: int = ROWS,
    cancel: Cancel | None = None,
) -> Iterator[Survey]:
    """The survey so far, after each chunk of at most `rows` texts, in their order; the last one is whole.

    What is in the ledger is not read again. Whatever ends it early leaves there what was done. InputError for a probe
    of what can be read only once.
    """
    probe = next((one for one in plan.readings if isinstance(one, Probe)), None)
    if probe is not None and corpus.once:
        raise InputError(f"A probe reads a corpus twice, and {corpus.name} can be read once.", "Give a list or a file.")
    reference = reference_on(crew, lifted, ledger.folder)
    found = Survey(lifted.info["model_id"], corpus.name, plan, {}, LeftOut(), Headway(), crew.name, whole=False)
    one_pass = partial(OnePass, reference, crew=crew, ledger=ledger, rows=rows, cancel=cancel)
    with crew, at_hand(reference, lifted):
        first = one_pass(plan=plan, total=corpus.length())
        for _ in first.over(texts_of(corpus, lifted)):
            found = replace(found, record=first.record, aside=LeftOut(first.aside), headway=first.headway)
            yield found
        found = replace(found, aside=LeftOut(first.aside))
        if probe is not None:
            for tried in _tried(found, probe, one_pass, _other_half(corpus, lifted, found.aside), ledger):
                found = tried
                yield found
    yield replace(found, whole=True)


def _tried(
    found: Survey, probe: Probe, one_pass: Callable[..., OnePass], texts: Iterator[Text], ledger: Ledger
) -> Iterator[Survey]:
    """The maps fitted, and how many labels of the other half they tell."""
    tried, readings = fitted(found.record, probe.layers, ledger.folder), found.plan.readings
    second = one_pass(plan=replace(found.plan, readings=(tried,)))
    first, aside = found.record, found.aside
    whole = replace(found.plan, readings=(*readings, tried))
    for _ in second.over(texts):
        named = {name: kind for name, kind in second.record.items() if name not in COUNTED}
        left_out = LeftOut((*aside, *second.aside))
        yield replace(found, plan=whole, record={**first, **named}, aside=left_out, headway=second.headway)


def _other_half(corpus: Corpus, lifted: Lifted, aside: LeftOut) -> Iterator[Text]:
    """But for what the first pass has set aside."""
    out = {one.where for one in aside}
    sound = (text for text in texts_of(corpus, lifted) if isinstance(text, Text))
    return (text for text in sound if tries(text) and text.where not in out)
