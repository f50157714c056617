"""Split: by what a text says and nothing else."""

from __future__ import annotations

import pytest

from garage_nb.analyze.judging.paper import paper
from garage_nb.errors import InputError
from garage_nb.pipelines.slim.split import PARTS, Some, Split, split
from garage_nb.showroom import items
from tests.analyze.judging.models import showroom

TEXTS = {domain: [item.text for item in items(domain, n=40)] for domain in ("sorting", "copy")}


def parts_of(found: Split) -> list[Some]:
    return [getattr(found, name) for name in PARTS]


def texts_of(some: Some) -> set[tuple[int, ...]]:
    return set(paper(showroom(), some).read)


def test_every_text_is_in_one_part() -> None:
    found = [texts_of(part) for part in parts_of(split(showroom(), TEXTS, 0))]

    different = {text for several in TEXTS.values() for text in several}
    assert sum(map(len, found)) == len(set.union(*found)) == len(different)
    assert min(map(len, found)) > len(different) / 5


def test_a_text_stays_where_it_is_whatever_stands_beside_it() -> None:
    turned = {domain: [*reversed(texts), *texts] for domain, texts in TEXTS.items()}
    fewer = {"sorting": TEXTS["sorting"]}

    whole, again, some = (parts_of(split(showroom(), texts, 3)) for texts in (TEXTS, turned, fewer))

    for mine, theirs, alone in zip(whole, again, some, strict=True):
        assert texts_of(mine) == texts_of(theirs)
        assert texts_of(alone) == texts_of({"sorting": mine["sorting"]})
    assert texts_of(whole[0]) != texts_of(split(showroom(), TEXTS, 4).choosing)


def test_domains_and_tokens_stay() -> None:
    found = split(showroom(), TEXTS, 0)

    tokens = {tuple(showroom().tokenizer(text)["input_ids"]) for text in TEXTS["copy"]}
    for part in parts_of(found):
        assert set(part) <= set(TEXTS)
        assert texts_of({"copy": part["copy"]}) <= tokens


def test_too_few_are_refused() -> None:
    with pytest.raises(InputError, match=r"4 texts are too few: . for choosing, . for validation, . for test"):
        split(showroom(), TEXTS["copy"][:4], 0)
