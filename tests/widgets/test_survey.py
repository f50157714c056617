"""The survey's panel without a page: what it tells is what the verb answers, and what ends it early loses nothing."""

from __future__ import annotations

import gc
import multiprocessing
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from garage_nb.errors import EngineError, InputError, LedgerError
from garage_nb.fleet.corpus.corpus import corpus_of
from garage_nb.fleet.driving.ledger import ENDING
from garage_nb.fleet.surveying.survey import Survey
from garage_nb.garage import Garage
from garage_nb.widgets import SurveyView
from tests.families import tiny
from tests.fleet.texts import texts
from tests.restored import hooks_on

from .messages import Messages, asked, from_page
from .test_every_widget import at_work, demand_valid

TEXTS = [list(text.ids) for text in texts(64)]
WINDOW = 1024  # texts that are read before any of them is cut into chunks
HOSTILE = "<img src=x onerror=alert(1)>\u202e.jsonl"


@pytest.fixture
def garage() -> Garage:
    return Garage(tiny("gpt2"))


def view_of(garage: Garage, corpus: Any = TEXTS, **options: Any) -> SurveyView:
    view: SurveyView = garage.survey(corpus, **{"on": "here", "batch": 8, "live": True, **options})
    return view


def whole(view: SurveyView) -> Survey:
    assert view.wait(60)
    assert view.survey is not None
    assert (view.survey.whole, view._error, view._running, view._left) == (True, "", False, False)
    return view.survey


class Held:
    """A hook of the user's own: after so many passes it holds the model until it is let go."""

    def __init__(self, model: Any, passes: int) -> None:
        self.left, self.reached, self.let_go = passes, threading.Event(), threading.Event()
        model.register_forward_pre_hook(lambda *_: self._pass())

    def _pass(self) -> None:
        self.left -= 1
        if self.left < 0:
            self.reached.set()
            assert self.let_go.wait(60)

    @property
    def passed(self) -> int:
        return -self.left


def test_the_page_gets_the_numbers_of_the_verb(garage: Garage) -> None:
    question: dict[str, Any] = {
        "stats": "norm,sparsity,loss",
        "neurons": "ffn_1",
        "sweep": "ffn_*",
        "batch": 8,
        "on": "here",
    }
    found = garage.survey([*TEXTS, []], **question)
    view = view_of(garage, [*TEXTS, []], **question)

    assert whole(view).digest == found.digest
    shown = view.get_state()["_shown"]
    values = np.frombuffer(view.get_state()["_values"]).reshape(len(shown["statistics"]), len(shown["parts"]))
    told = {(part, name): values[i, j] for i, name in enumerate(shown["statistics"])
            for j, part in enumerate(shown["parts"]) if not np.isnan(values[i, j])}  # fmt: skip
    assert told == {key: spread.mean for key, spread in found.found.items()}
    assert shown["over"]["sparsity"] == f"sparsity of a token, share of |x| ≤ 0.1 σ, mean over {found.tokens} tokens"
    assert (view._about, view._share, view._left_out) == (f"64 texts, {found.tokens} tokens of list", 1.0, 1)
    assert view._aside == ["text 64: it is empty"]
    assert found.picture().html() in view._picture()


@pytest.mark.parametrize(
    ("options", "measures"),
    [
        ({"stats": "", "probe": "kind"}, ["labels told"]),
        ({"stats": "loss"}, ["loss"]),
        ({"batch": 1000}, ["norm", "sparsity"]),
    ],
    ids=["a probe only", "a loss only", "one chunk"],
)
def test_whatever_is_asked_is_shown(garage: Garage, options: dict[str, Any], measures: list[str]) -> None:
    rows = [{"ids": ids, "kind": "ab"[ids[-1] % 2]} for ids in TEXTS]

    view = view_of(garage, rows, field="ids", **options)

    assert whole(view).texts == len(rows)
    assert view._shown["statistics"] == measures
    assert len(view._values) == 8 * len(measures) * len(view._shown["parts"])


def test_a_corpus_of_which_nothing_can_be_counted(garage: Garage) -> None:
    view = view_of(garage, [[], [], [10**9]])

    assert whole(view).texts == 0
    assert (view._shown["statistics"], view._left_out, view._share) == ([], 3, 1.0)


def test_stopped_it_frees_the_model_and_goes_on_from_the_ledger_without_a_step_back(
    garage: Garage, tmp_path: Path
) -> None:
    plain = garage.survey(TEXTS, on="here", batch=8).digest
    held = Held(garage.model, 6)
    hooks, view = hooks_on(garage.model), view_of(garage, ledger=str(tmp_path))
    assert held.reached.wait(60)

    asked(view, {"kind": "stop"})
    assert view._progress == "Stopping."
    held.let_go.set()
    assert view.wait(60)

    assert view.survey is not None
    assert (view._running, view._left, view._error, hooks_on(garage.model)) == (False, True, "", hooks)
    assert view._progress == f"Stopped after {view.survey.texts} of 64 texts."
    assert view._about == view.survey.read
    before, steps = held.passed, [view._share]
    view.observe(lambda change: steps.append(change["new"]), "_share")
    asked(view, {"kind": "resume"})
    asked(view, {"kind": "resume"})  # a second click
    assert whole(view).digest == plain
    assert steps == sorted(steps)
    assert held.passed - before < 8
    with pytest.raises(InputError, match="nothing to go on with"):
        view.resume()


def test_a_stream_is_told_while_it_runs_the_model_is_free_and_it_cannot_be_gone_on_with(garage: Garage) -> None:
    told, more = threading.Event(), threading.Event()

    def stream() -> Iterator[list[int]]:
        yield from (TEXTS[number % 64] for number in range(WINDOW))
        more.wait(60)
        yield from TEXTS

    view = view_of(garage, stream(), batch=64)
    view.observe(lambda _: told.set(), "_values")
    assert view._values or told.wait(60)

    assert view.survey is not None
    assert (view._running, view._share, view.survey.whole) == (True, -1.0, False)
    assert len(view.survey.frame()) == len(view.survey.found)
    assert view.survey.plot("sparsity")
    assert garage.capture(TEXTS[0])
    view.stop()
    more.set()
    assert view.wait(60)

    assert (view._left, view.survey.whole) == (False, False)
    assert view._progress.endswith("texts. It can be read once: give it anew to go on.")
    with pytest.raises(InputError, match="only once"):
        view.resume()


def test_a_ledger_that_is_lost_is_said_and_gone_on_with_once_it_is_back(garage: Garage, tmp_path: Path) -> None:
    held = Held(garage.model, 3)
    view = view_of(garage, ledger=str(tmp_path / "ledger"))
    assert held.reached.wait(60)

    (tmp_path / "ledger").rename(tmp_path / "away")
    held.let_go.set()
    assert view.wait(60)

    assert isinstance(view.last_error, LedgerError)
    assert view._error.startswith("The ledger cannot be written")
    assert (view._error.count("\n"), view._left) == (1, True)
    kept = len(list((tmp_path / "away").glob(f"*{ENDING}")))
    assert kept > 0
    (tmp_path / "away").rename(tmp_path / "ledger")
    before = held.passed
    view.resume()
    whole(view)
    assert held.passed - before == 8 - kept


def test_what_breaks_the_engine_is_said_and_keeps_no_model() -> None:
    def lacking(*_: Any) -> None:
        raise ImportError("no such kernel")

    garage = Garage(tiny("gpt2"))
    garage.model.register_forward_pre_hook(lacking)
    view, gone = view_of(garage), weakref.ref(garage.model)
    assert view.wait(60)

    assert isinstance(view.last_error, EngineError)
    assert (view._error.count("\n"), view._left, view._running) == (1, True, False)
    del garage
    gc.collect()
    assert gone() is None
    asked(view, {"kind": "resume"})
    assert view._error.startswith("The garage of this panel is gone.")
    assert view._left


def test_a_garage_that_nobody_keeps_lives_until_it_is_done() -> None:
    garage = Garage(tiny("gpt2"))
    held = Held(garage.model, 2)
    view = view_of(garage)
    assert held.reached.wait(60)

    del garage
    gc.collect()
    held.let_go.set()

    assert whole(view).texts == len(TEXTS)


def test_closed_it_ends_with_its_workers_and_another_goes_on(garage: Garage, tmp_path: Path) -> None:
    plain, told = garage.survey(TEXTS, on="here", batch=8), threading.Event()
    view = view_of(garage, on="pool:1", ledger=str(tmp_path))
    view.observe(lambda _: told.set(), "_values")
    assert view._progress == "Getting ready."
    assert garage.capture(TEXTS[0])
    assert told.wait(60)

    view.close()

    assert view.wait(60)
    assert multiprocessing.active_children() == []
    for thread in at_work():
        thread.join(60)
    held = Held(garage.model, 1000)
    held.let_go.set()
    assert whole(view_of(garage, ledger=str(tmp_path))).digest == plain.digest
    assert 1000 + held.passed < 8
    assert view._error == ""


def test_another_on_the_same_garage_takes_its_place(garage: Garage) -> None:
    held = Held(garage.model, 1)
    first = view_of(garage)
    assert held.reached.wait(60)

    second = view_of(garage)
    held.let_go.set()

    assert first.comm is None
    assert whole(second).texts == len(TEXTS)
    assert first.wait(60)
    assert first.survey is None or not first.survey.whole


def test_hostile_names_and_texts_are_text(garage: Garage, tmp_path: Path) -> None:
    file = tmp_path / HOSTILE
    file.write_text('{"text": [1, 2, 3]}\n{"text": "\\u202e<b>"\n')

    view = view_of(garage, str(file))

    assert whole(view).texts == 1
    for told in (view._corpus, view._about, *view._aside, repr(view)):
        assert not {"\u202e", "\n"} & set(told)
    assert "<img src=x" not in view._picture()


def test_whatever_the_page_sends_leaves_a_valid_panel(garage: Garage) -> None:
    view = view_of(garage)
    found, messages = whole(view), Messages(view, seed=6)

    for _ in range(200):
        name, value, hopeless = messages.state()
        from_page(view, **{name: value})
        assert view._error or not hopeless
        asked(view, messages.message())
        demand_valid(view)

    assert view.wait(60)
    assert view.survey is found
    with pytest.raises(InputError, match="no option 'colour'"):
        SurveyView(garage, lambda *_: iter([found]), corpus_of(TEXTS), colour="red")
