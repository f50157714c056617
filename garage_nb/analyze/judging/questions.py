"""Questions: what models are judged by, texts and exercises, as each of them reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.batch import Batch, Prompt, prepare
from ...core.next_token import demand_predicts
from ...errors import InputError
from ..texts.domains import Domains, prompts_by_domain, texts_by_domain
from ..texts.prompt import read_ids
from ..texts.token_loss import Item, items
from .exercise import ALL, Exercise, exercises_of
from .exercise_file import read_exercises
from .lineup import Lineup, apart
from .on_items import rows_for
from .sheets import Row

Given = Sequence[Any] | str | Path


@dataclass(frozen=True, eq=False, kw_only=True)
class Questions:
    """`domains` are those of the texts. `texts` and `rows`, of the exercises, are one list a model, in their order."""

    domains: Sequence[str]
    texts: Sequence[Sequence[Item]]
    exercises: Sequence[Exercise]
    rows: Sequence[Sequence[Row]]

    def apart(self, line: Lineup) -> list[list[str]]:
        """Why two models do not read the same tokens, for each pair; empty where they do."""
        lifted = list(line.lifted.values())
        tokens = [[read_ids(item.batch).tolist() for item in mine] for mine in self.texts]
        seen = list(zip(tokens, map(list, self.rows), strict=True))
        return [
            [
                apart(one, other) or ("" if mine == theirs else "their tokenizers cut texts differently")
                for other, theirs in zip(lifted, seen, strict=True)
            ]
            for one, mine in zip(lifted, seen, strict=True)
        ]

    def timed(self, line: Lineup) -> list[Batch]:
        """The text, or else the exercise, of middling length to the judged model."""
        if self.domains:
            middle = _middle([len(item.counted) for item in self.texts[0]])
            return [mine[middle].batch for mine in self.texts]
        middle = _middle([len(row.tokens) for row in self.rows[0]])
        pairs = zip(self.rows, line.lifted.values(), strict=True)
        return [prepare([*mine[middle].tokens], one.model) for mine, one in pairs]


def questions(line: Lineup, texts: Prompt | Domains | None, exercises: Given | None) -> Questions:
    """Equal ones once. InputError where there are none, and for ids that mean other tokens to one of the models;
    UnsupportedModelError for one that predicts no next token.
    """
    for one in line.lifted.values():
        demand_predicts(one.model)
    if texts is None and exercises is None:
        raise InputError("There is nothing to judge by.", "Give texts, or items with a prompt and an answer, or both.")
    asked = [] if exercises is None else _exercises(exercises)
    domains, read = ([], [[] for _ in line.lifted]) if texts is None else _read(line, texts)
    rows = [rows_for(one, asked) if asked else [] for one in line.lifted.values()]
    return Questions(domains=domains, texts=read, exercises=asked, rows=rows)


def _exercises(given: Given) -> list[Exercise]:
    return read_exercises(given) if isinstance(given, str | Path) else exercises_of(given)


def _read(line: Lineup, texts: Prompt | Domains) -> tuple[list[str], list[list[Item]]]:
    given, lifted = prompts_by_domain(texts), list(line.lifted.values())
    if ALL in given and len(given) > 1:
        raise InputError(f"A domain is called {ALL!r}.", "So all domains together are called; name it otherwise.")
    if not all(map(_is_text, given.values())):
        _demand_one_vocabulary(line)
    each = [texts_by_domain(one, given) for one in lifted]
    told = [(domain, batch) for domain, batches in each[0].items() for batch in batches]
    kept = sorted({_key(*told[place]): place for place in reversed(range(len(told)))}.values())  # the first of equals
    batches = [[batch for several in mine.values() for batch in several] for mine in each]
    read = [items(one, [mine[place] for place in kept]) for one, mine in zip(lifted, batches, strict=True)]
    return [told[place][0] for place in kept], read


def _demand_one_vocabulary(line: Lineup) -> None:
    first, *others = line.lifted.values()
    for name, one in zip(list(line.lifted)[1:], others, strict=True):
        if said := apart(first, one):
            raise InputError(f"Token ids mean something else to {name}: {said}.", "Give texts.")


def _key(domain: str, batch: Batch) -> tuple[object, ...]:
    """What two texts are one by."""
    return domain, tuple(batch.input_ids[0].tolist()), tuple(read_ids(batch).tolist())


def _is_text(prompts: Any) -> bool:
    several = isinstance(prompts, Sequence) and all(isinstance(text, str) for text in prompts)
    return isinstance(prompts, str) or several


def _middle(lengths: Sequence[int]) -> int:
    return sorted(range(len(lengths)), key=lengths.__getitem__)[len(lengths) // 2]
