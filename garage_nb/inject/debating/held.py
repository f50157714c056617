"""Held: a debate that has run, and what each of its perspectives would have said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...core.batch import Batch, Prompt, prepare
from ...core.progress import progress
from ...core.run import logits
from ...core.stats import exact
from ...errors import InputError, NotFiniteError
from ...registry.lift import Lifted
from ...registry.specs import ModelSpec
from .debating import Debating
from .perspectives import Perspectives


@dataclass(frozen=True, eq=False)
class Held:
    """One pass. `reconciled` are the logits of the stream that took what the perspectives came to, `perspectives` of
    each that went on by itself, as the model's own head has them. Cosines and shares as of `Perspectives`.
    """

    reconciled: Float[Tensor, "batch seq vocab"]
    perspectives: Float[Tensor, "n batch seq vocab"]
    cosines: Float[Tensor, "pairs batch seq"]
    shares: Float[Tensor, "n batch seq"]

    @property
    def divergences(self) -> Float[Tensor, "n n batch seq"]:
        """Kullback–Leibler KL(i ‖ j) of what i and j would have said, in nats; not the same both ways."""
        logs = exact(self.perspectives).log_softmax(dim=-1)
        return torch.stack([torch.stack([_apart(a, b) for b in logs]) for a in logs])


def held(model: nn.Module, spec: ModelSpec, batch: Batch, debating: Debating, *, last: int = 0) -> Held:
    """One pass over prompts that may be padded; of the `last` positions when given. EditError as of `Debating.span`,
    NotFiniteError for NaN and infinity among the real tokens.
    """
    open_ = Perspectives(debating)
    found = logits(model, batch, open_.taps(spec), last=last, chain=spec.chain, rows=open_.rows)
    kept = found.shape[1]
    own, *others = found.chunk(open_.rows)
    read = batch.padding if batch.decoder_input_ids is None else None
    real = ... if read is None else read[:, -kept:].bool()
    if not all(bool(one[real].isfinite().all()) for one in (own, *others)):
        raise NotFiniteError(f"{str(debating)!r} leads to NaN or infinity.", "Give less strength, or load in float32.")
    return Held(own, torch.stack(others), open_.cosines[..., -last:], open_.shares[..., -last:])


@dataclass(frozen=True)
class Step:
    """One token that was written. Of n perspectives what each would have said, `apart[i][j]` KL(i ‖ j) in nats, the
    cosine of each pair and how much each counted, all at the last token read. Words are None without a tokenizer.
    """

    id: int
    word: str | None
    ids: tuple[int, ...]
    words: tuple[str | None, ...]
    apart: tuple[tuple[float, ...], ...]
    cosines: tuple[float, ...]
    shares: tuple[float, ...]

    @property
    def agreed(self) -> bool:
        """Whether all of them would have said what was written."""
        return set(self.ids) == {self.id}


@dataclass(frozen=True)
class Debated:
    """`blocks` is how many ran between parting and meeting."""

    debating: Debating
    blocks: int
    steps: tuple[Step, ...]

    @property
    def status(self) -> str:
        return self.debating.status(self.blocks)

    def __str__(self) -> str:
        agreed = sum(step.agreed for step in self.steps)
        return f"{self.debating.settings}: agreed in {agreed} of {len(self.steps)} steps ({self.status})"


def debated(lifted: Lifted, prompt: Prompt, debating: Debating, *, steps: int = 1) -> Debated:
    """The likeliest token of the reconciled stream is written and read again, `steps` times; an end token ends nothing.
    The whole text is run anew at every step, n + 1 times side by side. InputError for several prompts.
    """
    batch, blocks = prepare(prompt, lifted.model, lifted.tokenizer), debating.span(lifted.spec).blocks
    if batch.input_ids.shape[0] != 1 or batch.padding is not None:
        raise InputError("One prompt without padding was expected.", "Debate one text after the other.")
    if type(steps) is not int or steps < 1:
        raise InputError(f"{steps!r} steps cannot be taken.", "Ask for one or more.")
    with progress("debating", "step", steps) as bar:
        made = []
        for step in _stepped(lifted, batch, debating, steps):
            made.append(step)
            bar.update()
    return Debated(debating, blocks, tuple(made))


def _stepped(lifted: Lifted, batch: Batch, debating: Debating, steps: int) -> Iterator[Step]:
    for number in range(steps):
        step = _step(lifted, held(lifted.model, lifted.spec, batch, debating, last=1))
        yield step
        if number < steps - 1:
            batch = prepare(_with(batch, step.id).inputs(), lifted.model)


def _step(lifted: Lifted, found: Held) -> Step:
    chosen, *ids = [int(one[0, -1].argmax()) for one in (found.reconciled, *found.perspectives)]
    word, *words = [None if lifted.tokenizer is None else lifted.tokenizer.decode([one]) for one in (chosen, *ids)]
    apart = tuple(tuple(map(float, row)) for row in found.divergences[:, :, 0, -1])
    cosines, shares = (tuple(map(float, kept[:, 0, -1])) for kept in (found.cosines, found.shares))
    return Step(chosen, word, tuple(ids), tuple(words), apart, cosines, shares)


def _with(batch: Batch, token: int) -> Batch:
    """One token longer: in an encoder–decoder model what was written so far."""
    more = batch.input_ids.new_tensor([[token]])
    if batch.decoder_input_ids is not None:
        return replace(batch, decoder_input_ids=torch.cat([batch.decoder_input_ids, more], dim=1))
    ids, mask = torch.cat([batch.input_ids, more], dim=1), torch.cat([batch.attention_mask, torch.ones_like(more)], 1)
    return replace(batch, input_ids=ids, attention_mask=mask)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    share = a.exp()
    return torch.where(share > 0, share * (a - b), 0.0).sum(dim=-1)
