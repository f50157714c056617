"""Case: the model that is diagnosed, and by which texts, items and numbers of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ...analyze.judging.exercise import Exercise
from ...analyze.texts.domains import Domains, texts_by_domain
from ...core.batch import Batch, Prompt
from ...core.parts import ENCODER, parse
from ...core.seed import seeded
from ...core.sites import Write
from ...errors import InputError, UnsupportedModelError
from ...inject.recipe import Recipe
from ...plain import count
from ...registry.lift import Lifted
from ...registry.part_spec import PartType

RANDOM = "random ids"
DRAWN, LENGTH = 16, 24  # texts of random ids where there are no others, and tokens of each
Ids = Mapping[str, list[list[int]]]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many texts of a domain are read, and thinned; items of all; prompts that are run without each part; and what
    is drawn. None is all.
    """

    texts: int | None
    thinned: int
    items: int | None
    prompts: int
    relabellings: int
    shares: tuple[float, ...]
    control: str


QUICK = Sizes(
    texts=6, thinned=3, items=80, prompts=16, relabellings=50, shares=(0, 0.25, 0.5, 0.75, 0.9), control="random"
)
FULL = Sizes(
    texts=None,
    thinned=8,
    items=None,
    prompts=64,
    relabellings=200,
    shares=tuple(step / 10 for step in range(10)),
    control="all",
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """`texts` by domain are rows of one text each, as the model reads them. The recipe is in force in all but what is
    said of the weights.
    """

    lifted: Lifted
    recipe: Recipe
    texts: Mapping[str, Sequence[Batch]]
    exercises: tuple[Exercise, ...]
    sizes: Sizes
    seed: int

    @property
    def taps(self) -> Sequence[Write]:
        """Fresh ones: an edit may count its draws."""
        return self.recipe.taps(self.lifted.spec)

    @cached_property
    def domains(self) -> dict[str, Ids]:
        return {name: _together(batches) for name, batches in self.texts.items()}

    @cached_property
    def together(self) -> Ids:
        """All texts as one prompt of many rows."""
        return _together([batch for batches in self.texts.values() for batch in batches])

    @cached_property
    def thinned(self) -> dict[str, Ids]:
        """Fewer of each domain, for what runs them many times."""
        return {name: _together(batches[: self.sizes.thinned]) for name, batches in self.texts.items()}

    @cached_property
    def prompts(self) -> Prompt:
        """Some that lead to an answer, from every domain: those of the items where there are any, else whole texts."""
        if self.exercises and self.lifted.tokenizer is not None:
            return [one.ways[0][0] for one in _spread(self.exercises, self.sizes.prompts)]
        return _together(_spread([one for each in self.texts.values() for one in each], self.sizes.prompts))

    @property
    def prompt(self) -> Prompt:
        """The first of them."""
        if isinstance(self.prompts, list):
            return str(self.prompts[0])
        return {name: rows[:1] for name, rows in _trimmed(self.prompts).items()}

    def parts(self, *kinds: PartType) -> list[str]:
        """Those that can be read and changed, in the order of the model. UnsupportedModelError where there are none."""
        found = [name for kind in kinds for name in self.lifted.spec.available(kind)]
        if not found:
            said = " or ".join(kind.value.replace("_", " ") for kind in kinds)
            raise UnsupportedModelError(
                f"{self.lifted.spec.model_id} has no {said} that can be read.", "report says why."
            )
        rank = {name: place for place, name in enumerate(self.lifted.spec.parts)}
        return sorted(found, key=rank.__getitem__)

    def parts_written(self, kind: PartType) -> list[str]:
        """Of two stacks the decoder's, whose tokens are those that are counted."""
        names = self.parts(kind)
        own = [name for name in names if (address := parse(name)) is not None and address.stack != ENCODER]
        return own or names

    def demand_texts(self) -> None:
        """InputError where there are only random ids, which no model can foresee."""
        if set(self.texts) == {RANDOM}:
            raise InputError("There are no texts: random ids can be read, but not foreseen.", "Give --texts @texts.")

    @property
    def counted(self) -> str:
        """What it was read by, in words."""
        texts = sum(map(len, self.texts.values()))
        tokens = sum(batch.input_ids.numel() for batches in self.texts.values() for batch in batches)
        domains = f" in {len(self.texts)} domains" if len(self.texts) > 1 else f" of {next(iter(self.texts))}"
        items = f", {count(len(self.exercises), 'item')}" if self.exercises else ""
        return f"{count(texts, 'text')} of {count(tokens, 'token')}{domains}{items}"


def case(
    lifted: Lifted,
    recipe: Recipe,
    texts: Prompt | Domains | None,
    exercises: Sequence[Exercise],
    sizes: Sizes,
    seed: int,
) -> Case:
    """InputError for texts that the model cannot read. Ids are drawn where no texts are given."""
    given: Prompt | Domains = {RANDOM: _random(lifted, seed)} if texts is None else texts
    read = {name: batches[: sizes.texts] for name, batches in texts_by_domain(lifted, given).items()}
    chosen = tuple(_spread(list(exercises), sizes.items or len(exercises)))
    return Case(lifted=lifted, recipe=recipe, texts=read, exercises=chosen, sizes=sizes, seed=seed)


def _random(lifted: Lifted, seed: int) -> list[list[int]]:
    spec = lifted.spec
    length = min(LENGTH, spec.max_seq_len or LENGTH)
    found: list[list[int]] = torch.randint(spec.vocab_size, (DRAWN, length), generator=seeded(seed)).tolist()
    return found


def _spread(several: Sequence[Any], count: int) -> list[Any]:
    """So many, evenly from the first to the last."""
    few = min(count, len(several))
    return [several[place * len(several) // few] for place in range(few)]


def _together(batches: Sequence[Batch]) -> Ids:
    """As a tokenizer pads them, on the right."""
    ids = [batch.input_ids[0].tolist() for batch in batches]
    most = max(map(len, ids))
    found = {
        "input_ids": [row + [0] * (most - len(row)) for row in ids],
        "attention_mask": [[1] * len(row) + [0] * (most - len(row)) for row in ids],
    }
    written = [batch.decoder_input_ids for batch in batches if batch.decoder_input_ids is not None]
    return {**found, "decoder_input_ids": [row[0].tolist() for row in written]} if written else found


def _trimmed(prompts: Any) -> Ids:
    """Without the padding of its first row."""
    length = sum(prompts["attention_mask"][0])
    cut = {name: [rows[0][:length]] for name, rows in prompts.items() if name != "decoder_input_ids"}
    return {**cut, **{name: rows for name, rows in prompts.items() if name == "decoder_input_ids"}}
