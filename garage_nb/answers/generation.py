"""Generation: what the model went on to say, and what it would have said untouched."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.batch import Batch, Limits
from ..core.chain import Chain
from ..core.generate import generate, streamed
from ..core.memory import Memory
from ..core.seed import seeded
from ..core.sites import Read, Tap
from ..errors import InputError
from ..inject.recipe import Recipe
from ..registry.lift import Lifted
from ..snapshot.film import Film, Steps
from ..view.cards import Card
from ..view.figure import Plot
from ..view.frames import framed
from ..view.palette import AMBER, PLOT_LINE
from ..view.shown import Drawn
from .comparison import TUNED, UNTOUCHED
from .continuation import Continuation, Scribe
from .text import demand_finite, one_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class Generation(Drawn):
    """`text` is the continuation alone; `untouched` the same without the recipe, None when none is in force.

    `written` is both token by token, by name. `steps` are parts at every step of writing `text`, where any were asked
    for.
    """

    prompt: str
    text: str
    untouched: str | None = None
    steps: Steps | None = None
    written: Mapping[str, Continuation] = field(default_factory=dict)

    def frame(self) -> pd.DataFrame:
        """One row a token of either text, with the probability the model gave it when it was written."""
        keys = [(run, step) for run, text in self.written.items() for step in range(len(text))]
        rows = [(self.written[run].tokens[step], self.written[run].probabilities[step]) for run, step in keys]
        return framed(("run", "step"), keys, ["token", "probability"], rows)

    def plot(self, ax: Axes | None = None) -> Plot:
        """How sure the model was of each token; the tuned one in amber beside the untouched."""
        from ..view.written import written

        texts = {run: ([*map(repr, text.tokens)], text.probabilities) for run, text in self.written.items()}
        colors = [AMBER if run == TUNED else PLOT_LINE for run in texts]
        tokens = " and ".join(f"{len(text)} {run} tokens" for run, text in self.written.items())
        return Plot(written(texts, colors, ax=ax), f"probability of {tokens} after {self.prompt!r}", self.frame)

    def picture(self) -> Card:
        if self.untouched is None:
            return Card(self.prompt, {"→": self.text})
        return Card(self.prompt, {TUNED: self.text, UNTOUCHED: self.untouched}, changed=frozenset({TUNED}))


@dataclass(frozen=True)
class Sampling:
    """At most `tokens` new ones; temperature 0 takes the likeliest each time, above 0 draws by `seed`."""

    tokens: int = 20
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise InputError(f"{self.tokens} new tokens were asked for.", "Ask for at least one.")
        if not 0 <= self.temperature < math.inf:
            raise InputError(
                f"There is no temperature of {self.temperature:g}.", "0 takes the likeliest token, 1 draws as learned."
            )
        seeded(self.seed)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """torch's own random numbers start from the seed inside, and are as they were after."""
        with torch.random.fork_rng(enabled=self.temperature > 0):
            if self.temperature > 0:
                torch.manual_seed(self.seed)
            yield

    def options(self, tokenizer: Any) -> dict[str, Any]:
        """As transformers' generate takes them."""
        ends = (tokenizer.pad_token_id, tokenizer.eos_token_id)
        fill = next((token for token in ends if token is not None), 0)
        options = {"max_new_tokens": self.tokens, "do_sample": self.temperature > 0, "pad_token_id": fill}
        drawing = {"temperature": self.temperature, "top_k": 0, "top_p": 1.0}  # from the whole vocabulary
        return {**options, **drawing} if self.temperature > 0 else options


def go_on(
    lifted: Lifted,
    prompt: str,
    recipe: Recipe,
    sampling: Sampling,
    parts: Sequence[str] = (),
    *,
    memory: Memory | None = None,
) -> Generation:
    """Continue a text, under the recipe and without, reading `parts` at every step.

    torch's own random numbers stay as they are. A `memory` knows the untouched text from the last time.
    """
    demand_writer(lifted)
    batch = one_text(prompt, lifted)
    demand_room(batch, Limits.of(lifted.model), sampling.tokens)
    chain = lifted.spec.chain
    ahead = chain.towards(tap.site for tap in recipe.taps(lifted.spec))
    film = Film(lifted.spec, parts)
    if not len(recipe):
        ids, said = _continuation(lifted, batch, list(film.taps()), sampling, chain)
        return Generation(prompt, _text(lifted, ids), None, _steps(film, said), {UNTOUCHED: said})
    before, untouched = (memory or Memory()).once(
        lifted.model, ("text", prompt, sampling), lambda: _continuation(lifted, batch, [], sampling, ahead)
    )
    taps: list[Tap] = [*recipe.taps(lifted.spec), *film.taps()]
    ids, said = _continuation(lifted, batch, taps, sampling, chain)
    both = {TUNED: said, UNTOUCHED: untouched}
    return Generation(prompt, _text(lifted, ids), _text(lifted, before), _steps(film, said), both)


def pieces(lifted: Lifted, prompt: str, recipe: Recipe, sampling: Sampling) -> Iterator[str]:
    """The continuation as it is written. A character that takes several tokens comes whole."""
    demand_writer(lifted)
    batch = one_text(prompt, lifted)
    demand_room(batch, Limits.of(lifted.model), sampling.tokens)
    return _pieces(lifted, batch, recipe.taps(lifted.spec), sampling)


def _pieces(lifted: Lifted, batch: Batch, taps: Sequence[Tap], sampling: Sampling) -> Iterator[str]:
    finite = Read(lifted.spec.site("output_head"), demand_finite)
    options = sampling.options(lifted.tokenizer)
    ids: list[int] = []
    said = ""
    with sampling.drawing():
        for token in streamed(lifted.model, batch, [*taps, finite], chain=lifted.spec.chain, **options):
            ids.append(int(token))
            text = str(lifted.tokenizer.decode(ids, skip_special_tokens=True))
            if not text.endswith("\ufffd"):
                yield text[len(said) :]
                said = text


def _continuation(
    lifted: Lifted, batch: Batch, taps: Sequence[Tap], sampling: Sampling, chain: Chain
) -> tuple[Int[Tensor, " new"], Continuation]:
    finite = Read(lifted.spec.site("output_head"), demand_finite)
    with sampling.drawing(), Scribe(sampling.tokens) as scribe:
        options = {**sampling.options(lifted.tokenizer), **scribe.options()}
        whole = generate(lifted.model, batch, [*taps, finite], chain=chain, **options)
    before = batch.input_ids if batch.decoder_input_ids is None else batch.decoder_input_ids
    ids = whole[0, before.shape[1] :]
    tokens = tuple(lifted.tokenizer.decode([token]) for token in ids.tolist())
    return ids, Continuation(tokens, scribe.probabilities())


def _text(lifted: Lifted, ids: Tensor) -> str:
    return str(lifted.tokenizer.decode(ids, skip_special_tokens=True))


def _steps(film: Film, said: Continuation) -> Steps | None:
    return film.steps(said.tokens) if film.parts else None


def writes(lifted: Lifted) -> bool:
    able = getattr(lifted.model, "can_generate", None)
    return able is not None and bool(able())


def demand_writer(lifted: Lifted) -> None:
    if not writes(lifted):
        raise InputError(
            f"{type(lifted.model).__name__} does not write a text on.", "It can be captured, plotted and compared."
        )


def demand_room(batch: Batch, limits: Limits, tokens: int) -> None:
    length = batch.input_ids.shape[1]
    if limits.positions is not None and length + tokens > limits.positions:
        raise InputError(
            f"The prompt has {length} tokens and {tokens} more were asked for.",
            f"This model was made for {limits.positions} in all; ask for at most {limits.positions - length}.",
        )
