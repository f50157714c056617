"""Surveying: one question to a whole corpus, on one process or on many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.cancel import Cancel, cancel_in_force
from ..core.numbers import Numbers, numbers
from ..core.progress import progress
from ..errors import CancelledError, InputError
from ..fleet.corpus.corpus import corpus_of
from ..fleet.cutting import ROWS
from ..fleet.engines.named import crew_of
from ..fleet.surveying.question import Question
from ..fleet.surveying.survey import Survey
from ..fleet.surveying.surveys import surveys
from ..plain import count
from ..registry.lift import Lifted
from ..verbs import verb
from .keeping import Keeping
from .session import Layers


class Surveying(Keeping):
    @verb()
    def survey(
        self,
        corpus: Any,
        *,
        stats: str = "norm,sparsity",
        layers: Layers = "layer_*",
        neurons: Layers | None = None,
        sweep: Layers | None = None,
        factors: Numbers = "0",
        probe: str = "",
        on: Any = "pool",
        ledger: str | None = None,
        field: str = "text",
        tau: float | None = None,
        batch: int = ROWS,
        live: bool = False,
    ) -> Any:
        """Ask a whole corpus: statistics of every token, firing, losses, probes; exactly once, on one process or many.

        Args:
            corpus: a .txt, .jsonl (also .gz) or .parquet file, @dataset, or any @iterable of texts or token ids
            stats: of each token: norm, sparsity, entropy, kurtosis …, and loss, that of the next token
            layers: where statistics and probes are read: layer_*, attention_*, ffn_3.neurons
            neurons: parts whose neurons are counted as they fire: ffn_*
            sweep: parts that are scaled one after the other, to see what the loss makes of it: ffn_*
            factors: by which they are scaled: 0, or 0,0.5,2
            probe: the field with each text's label, which a linear map is to read off the last token, at every layer
            on: who does the work: here, this process; pool or pool:4, processes of its own; dask; tcp://host:8786, a
                Dask scheduler; ipyparallel; or @executor, @client, @view
            ledger: a folder that keeps what was read, so that whatever is interrupted goes on from there; one for this
                session when left out
            field: which field of a row is the text
            tau: the sparsity threshold, in standard deviations of a token; 0.1 unless config says otherwise
            batch: how many texts go through the model side by side, at most
            live: show how far it is and what it says so far, and leave the notebook free meanwhile; on `here` the model
                is lent to other verbs between two passes
        """
        if batch < 1:
            raise InputError(f"{batch} texts cannot go through side by side.", f"The usual is {ROWS}.")
        asked = Question(
            stats=[name.strip() for name in stats.split(",") if name.strip()],
            layers=layers,
            neurons=neurons,
            sweep=sweep,
            factors=numbers(factors),
            probe=bool(probe),
            tau=self.settings.tau if tau is None else tau,
        )
        texts, kept, crew = corpus_of(corpus, field, probe), self.ledger_in(ledger), crew_of(on)
        plan = asked.plan(self.lifted, self.edits, kept.folder)

        def answers(lifted: Lifted, cancel: Cancel | None) -> Iterator[Survey]:
            return surveys(lifted, texts, plan, crew, kept, rows=batch, cancel=cancel)

        if live:
            from ..widgets.survey import SurveyView

            return SurveyView(self, answers, texts)  # type: ignore[arg-type]
        return _last(answers(self.lifted, cancel_in_force()), f"surveying {texts.name}", texts.length())


def _last(answers: Iterator[Survey], doing: str, total: int | None) -> Survey:
    """The whole one, with a bar until it is there."""
    found = None
    try:
        with progress(doing, "text", total) as bar:
            for found in answers:
                bar.update(found.headway.texts - bar.n)
    except KeyboardInterrupt:
        done = 0 if found is None else found.headway.texts
        raise CancelledError(
            f"The survey was interrupted after {count(done, 'text')} had been added up.",
            "What was read is kept: the same line goes on from there, with a --ledger in a later session too.",
        ) from None
    assert found is not None
    return found
