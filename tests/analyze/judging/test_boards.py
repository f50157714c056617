"""Three models or more below each other: on a line of a terminal, whatever they and their domains are called."""

from __future__ import annotations

import pytest
import wcwidth

from garage_nb.analyze.judging.evaluation import Evaluation
from garage_nb.analyze.judging.judge import judge
from garage_nb.inject.recipe import Recipe
from garage_nb.view.bars import Table
from tests.analyze.judging.models import showroom

LONG = "an-unusually-long-name/of a model, 0:2 & 2:5 of <another>"
FORK, SEED = "showroom-llama-sorting", "showroom-llama-seed1"
TEXTS = {f"domain {n}": [f"The capital of France is Paris. {n}", f"sort: 3 1 {n} >"] for n in range(8)}
ITEMS = [{"prompt": "sort: 2 1 >", "answer": "1 2", "domain": name} for name in [*TEXTS, "a domain of a longer name"]]


@pytest.fixture(scope="module")
def found() -> Evaluation:
    others = {LONG: showroom(FORK), "seed": showroom(SEED), **{f"again {n}": showroom(SEED) for n in range(3)}}
    return judge(showroom(), others, Recipe(), texts=TEXTS, exercises=ITEMS, averaged=[LONG, "seed"])


def test_nothing_is_wider_than_a_line_and_every_row_is_one(found: Evaluation) -> None:
    lines = repr(found).split("\n")

    assert max(map(wcwidth.wcswidth, lines)) <= 100
    boards = repr(found).split("\n\n")[1:]
    rows = [board.split("\n") for board in boards]
    names = ["showroom-llama", "an-unusually…of <another>", "seed", "again 0", "again 1", "again 2", "ensemble"]
    for row in rows:
        assert [line.split("  ")[0] for line in row[-13:]] == [*names, *(line.split("  ")[0] for line in row[-6:])]
        assert [line[:4] for line in row[-6:]] == ["than"] * 6
        assert all("…" not in line for line in row[:-13])
    titles = [row[0] for row in rows]
    assert [title for title in titles if "continued" not in title] == ["perplexity", "accuracy", "as a whole"]


def test_every_number_is_that_of_the_frame(found: Evaluation) -> None:
    frame, text = found.frame(), repr(found)

    for domain in ("all", *TEXTS):
        assert f"{frame.loc[('perplexity', 'seed', domain), 'value']:.3f}" in text
        for name in found.names[1:]:
            one = found.of("perplexity", name, domain)
            assert (one.verdict if one.verdict == "undecided" else f"{one.verdict} × {one.change.value:.3f}") in text
    assert "worse ×" in text


def test_a_page_shows_names_whole_and_escaped(found: Evaluation) -> None:
    page = found._repr_html_()

    assert "an-unusually-long-name/of a model, 0:2 &amp; 2:5 of &lt;another&gt;" in page
    assert "<another>" not in page
    assert page.count("<table") >= 3


def test_two_models_stand_side_by_side() -> None:
    found = judge(showroom(), {FORK: showroom(FORK)}, Recipe(), texts=TEXTS)

    picture = found.picture()

    assert isinstance(picture, Table)
    assert [column.head for column in picture.columns] == ["showroom-llama", FORK, f"against {FORK}"]
    assert "perplexity, domain 3" in picture.names
    assert not any("passes" in name for name in picture.names)
