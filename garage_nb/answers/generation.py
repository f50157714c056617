"""Generation: what the model went on to say, and what it would have said untouched."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor
from tqdm.auto import tqdm

from ..core.batch import Batch, Limits
from ..core.chain import Chain
from ..core.generate import generate, streamed
from ..core.seed import seeded
from ..core.sites import Read, Tap
from ..errors import InputError
from ..inject.recipe import Recipe
from ..registry.lift import Lifted
from ..snapshot.film import Film, Steps
from ..view.cards import Card
from ..view.shown import Shown
from .text import demand_finite, one_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Generation(Shown):
    """`text` is the continuation alone; `untouched` the same without the recipe, None when none is in force.

    `steps` are parts at every step of writing `text`, where any were asked for.
    """

    prompt: str
    text: str
    untouched: str | None = None
    steps: Steps | None = None

    def frame(self) -> pd.DataFrame:
        """One row a text."""
        import pandas as pd

        said = {"as it is": self.text} if self.untouched is None else {"tuned": self.text, "untouched": self.untouched}
        return pd.DataFrame({"text": list(said.values())}, index=pd.Index(list(said), name="run"))

    def picture(self) -> Card:
        if self.untouched is None:
            return Card(self.prompt, {"→": self.text})
        return Card(self.prompt, {"tuned": self.text, "untouched": self.untouched}, changed=frozenset({"tuned"}))


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


def go_on(lifted: Lifted, prompt: str, recipe: Recipe, sampling: Sampling, parts: Sequence[str] = ()) -> Generation:
    """Continue a text, under the recipe and without, reading `parts` at every step.

    torch's own random numbers stay as they are.
    """
    _demand_writer(lifted)
    batch = one_text(prompt, lifted)
    _demand_room(batch, Limits.of(lifted.model), sampling.tokens)
    chain = lifted.spec.chain
    ahead = chain.towards(tap.site for tap in recipe.taps(lifted.spec))
    film = Film(lifted.spec, parts)
    if not len(recipe):
        ids = _continuation(lifted, batch, list(film.taps()), sampling, chain)
        return Generation(prompt, _text(lifted, ids), steps=_steps(lifted, film, ids))
    untouched = _continuation(lifted, batch, [], sampling, ahead)
    taps: list[Tap] = [*recipe.taps(lifted.spec), *film.taps()]
    ids = _continuation(lifted, batch, taps, sampling, chain)
    return Generation(prompt, _text(lifted, ids), _text(lifted, untouched), _steps(lifted, film, ids))


def pieces(lifted: Lifted, prompt: str, recipe: Recipe, sampling: Sampling) -> Iterator[str]:
    """The continuation as it is written. A character that takes several tokens comes whole."""
    _demand_writer(lifted)
    batch = one_text(prompt, lifted)
    _demand_room(batch, Limits.of(lifted.model), sampling.tokens)
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
) -> Int[Tensor, " new"]:
    with sampling.drawing():
        finite = Read(lifted.spec.site("output_head"), demand_finite)
        with _Progress(sampling.tokens) as progress:
            options = sampling.options(lifted.tokenizer)
            ids = generate(lifted.model, batch, [*taps, finite], chain=chain, streamer=progress, **options)
    before = batch.input_ids if batch.decoder_input_ids is None else batch.decoder_input_ids
    return ids[0, before.shape[1] :]


def _text(lifted: Lifted, ids: Tensor) -> str:
    return str(lifted.tokenizer.decode(ids, skip_special_tokens=True))


def _steps(lifted: Lifted, film: Film, ids: Tensor) -> Steps | None:
    return film.steps([lifted.tokenizer.decode([token]) for token in ids.tolist()]) if film.parts else None


class _Progress:
    """Told by transformers of each new token; a bar for what takes longer than a second."""

    def __init__(self, tokens: int) -> None:
        self._bar = tqdm(total=tokens, desc="generating", unit="token", delay=1, leave=False)
        self._prompt_seen = False

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *how: object) -> None:
        self._bar.close()

    def put(self, ids: torch.Tensor) -> None:
        """The whole prompt first, then token by token."""
        self._bar.update(int(self._prompt_seen))
        self._prompt_seen = True

    def end(self) -> None:
        """Nothing is left to show; the bar closes with the block."""


def _demand_writer(lifted: Lifted) -> None:
    able = getattr(lifted.model, "can_generate", None)
    if able is None or not able():
        raise InputError(
            f"{type(lifted.model).__name__} does not write a text on.", "It can be captured, plotted and compared."
        )


def _demand_room(batch: Batch, limits: Limits, tokens: int) -> None:
    length = batch.input_ids.shape[1]
    if limits.positions is not None and length + tokens > limits.positions:
        raise InputError(
            f"The prompt has {length} tokens and {tokens} more were asked for.",
            f"This model was made for {limits.positions} in all; ask for at most {limits.positions - length}.",
        )
