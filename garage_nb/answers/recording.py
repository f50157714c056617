"""Recording: a text being read and written on, every part at every token; it can be left and gone on with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.batch import Batch, Limits
from ..core.generate import streamed
from ..core.run import read
from ..core.sites import Read, Tap
from ..core.stats import demand_threshold
from ..core.tokenwise import STORED, edges_with
from ..errors import InputError, NotFiniteError
from ..inject.recipe import Recipe
from ..registry.lift import Lifted
from ..snapshot.columns import Columns
from ..snapshot.trace import Trace, offered
from ..snapshot.tracer import Stretch, Tracer
from .generation import Sampling, demand_room, demand_writer
from .text import demand_finite, one_text


class Recording:
    """Of one prompt under one recipe; the likeliest token is written each time. `trace` is what there is by now; it
    shows the first of `taus` and knows the others, beside those of EDGES.

    It holds no model: whoever asks it to go `on` gives the one it began with. A text that is gone on with is read once
    more, to fill that model's cache, and the columns that are there stay as they are.
    """

    def __init__(
        self,
        lifted: Lifted,
        prompt: str,
        recipe: Recipe,
        parts: Sequence[str],
        *,
        statistic: str,
        taus: Sequence[float],
    ) -> None:
        for tau in taus:
            demand_threshold(tau)
        self.recipe = recipe
        self.written: list[int] = []
        self.ended = False
        self._batch = one_text(prompt, lifted)
        self._tracer = Tracer(lifted.spec, parts, edges_with(taus))
        self._columns = Columns(len(parts), len(STORED), np.float64), Columns(len(parts), self._edges + 1, np.uint32)
        self._tokens: list[str] = []
        self.trace = Trace(
            model_id=lifted.spec.model_id, prompt=prompt, parts=tuple(parts), tokens=(), prompted=0, text="",
            statistics=self._columns[0].now, counts=self._columns[1].now, edges=self._tracer.edges,
            statistic=offered(statistic), tau=taus[0], changed=frozenset(recipe.places(lifted.spec)),
        )  # fmt: skip

    def on(self, lifted: Lifted, tokens: int) -> Iterator[Trace]:
        """Go on until `tokens` are written in all, or the model ends the text, which `ended` tells. A trace after each
        token; the first is of all that was read at once. Whoever asks for no more ends the run.
        """
        if tokens < 0:
            raise InputError(f"{tokens} new tokens were asked for.", "Ask for 0 or more.")
        if tokens:
            demand_writer(lifted)
            demand_room(self._batch, Limits.of(lifted.model), tokens)
        if self.ended or (self._tokens and len(self._tokens) == len(self._ids()) and len(self.written) >= tokens):
            yield self.trace
        elif tokens:
            yield from self._writing(lifted, tokens)
        else:
            yield self._reading(lifted)

    def _reading(self, lifted: Lifted) -> Trace:
        read(lifted.model, self._so_far(), self._taps(), chain=lifted.spec.chain)
        self._tracer.end_of_pass()
        return self._grown(lifted.tokenizer)

    def _writing(self, lifted: Lifted, tokens: int) -> Iterator[Trace]:
        """The last token is read too; the one that would come after it is not wanted, nor one that ends the text."""

        def end(logits: Tensor) -> None:
            demand_finite(logits)
            self._tracer.end_of_pass()

        ends = _ends(lifted.model.generation_config)
        taps = [*self._taps(), Read(lifted.spec.site("output_head"), end)]
        options = {**Sampling(tokens + 1 - len(self.written)).options(lifted.tokenizer), **self._begins()}
        for token in streamed(lifted.model, self._so_far(), taps, chain=lifted.spec.chain, **options):
            self.ended = int(token) in ends
            yield self._grown(lifted.tokenizer)
            if self.ended or len(self.written) == tokens:
                return
            self.written.append(int(token))

    def _begins(self) -> dict[str, int]:
        """What a decoder was given to begin with; transformers would put a start of its own before any other."""
        given = self._batch.decoder_input_ids
        return {} if given is None else {"decoder_start_token_id": _first(given)[0]}

    def _taps(self) -> list[Tap]:
        """Of a text that is gone on with, what is known by now is not worked out again."""
        apart, known = len(self._encoded()), len(self._tokens)
        read = Stretch(max(len(self._ids()) - apart, 1), max(known - apart, 0))
        encoded = Stretch(self._batch.input_ids.shape[1], min(known, apart))
        return [*self.recipe.taps(self._tracer.spec), *self._tracer.taps(read, encoded)]

    def _grown(self, tokenizer: Any) -> Trace:
        block = self._tracer.taken()
        count = len(self._tokens) + block.shape[1]
        ids = self._ids()
        self._tokens += [tokenizer.decode([token]) for token in ids[len(self._tokens) : count]]
        statistics, counts = block[:, :, : len(STORED)], block[:, :, len(STORED) :]
        self._demand_finite(statistics[:, :, STORED.index("non_finite")])
        for columns, more in zip(self._columns, (statistics, np.nan_to_num(counts)), strict=True):
            columns.add(more)
        self.trace = replace(
            self.trace,
            tokens=tuple(self._tokens),
            prompted=len(ids) - len(self.written),
            text=str(tokenizer.decode(self.written, skip_special_tokens=True)),
            statistics=self._columns[0].now,
            counts=self._columns[1].now,
        )
        return self.trace

    def _demand_finite(self, found: np.ndarray) -> None:
        for place, name in enumerate(self.trace.parts):
            if np.nansum(found[place]):
                token = self._tokens[int(np.nanargmax(found[place])) - found.shape[1]]
                raise NotFiniteError(
                    f"Values at {name} under {token!r} are NaN or infinite.",
                    "Undo the last edit, or load the model in float32.",
                )

    @property
    def _edges(self) -> int:
        return len(self._tracer.edges)

    def _encoded(self) -> list[int]:
        """The prompt's ids where an encoder reads them and is watched."""
        apart = self._batch.decoder_input_ids is not None and bool(self._tracer.encoding)
        return _first(self._batch.input_ids) if apart else []

    def _ids(self) -> list[int]:
        """Of every column that there is or will be next."""
        start = self._batch.input_ids if self._batch.decoder_input_ids is None else self._batch.decoder_input_ids
        alone = len(self._tracer.encoding) == len(self.trace.parts)
        return self._encoded() + ([] if alone else [*_first(start), *self.written])

    def _so_far(self) -> Batch:
        """The prompt and what was written after it; of an encoder–decoder model the one beside the other."""
        batch = self._batch
        written = torch.tensor([self.written], dtype=torch.long, device=batch.input_ids.device)
        if batch.decoder_input_ids is not None:
            return replace(batch, decoder_input_ids=torch.cat([batch.decoder_input_ids, written], dim=1))
        ids = torch.cat([batch.input_ids, written], dim=1)
        return replace(batch, input_ids=ids, attention_mask=torch.ones_like(ids))


def _ends(settings: Any) -> Collection[int]:
    """The tokens that end a text, by transformers' settings of a generation."""
    ends = settings.eos_token_id
    return () if ends is None else ends if isinstance(ends, list) else (ends,)


def _first(ids: Tensor) -> list[int]:
    found: list[int] = ids[0].tolist()
    return found
