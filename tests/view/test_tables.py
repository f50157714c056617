"""Tables, cards and plots: the numbers stand where they belong and text stays text."""

from __future__ import annotations

import math
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from garage_nb.plain import one_line, shorten, visible
from garage_nb.view.bars import Column, Table, number
from garage_nb.view.cards import Card
from garage_nb.view.figure import Plot
from garage_nb.view.palette import AMBER
from garage_nb.view.plots import PLACES, axes, legend, line

HOSTILE = ['<img src=x onerror="alert(1)">', "</script><script>", "a&b", '"quoted"', "$\\frac{$", "\u202egnp", "{x}"]


class Cells(HTMLParser):
    """Reads a page back as a browser would: the tags it opens and the text it shows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (3.0, "3"), (-2.0, "-2"), (12345.0, "12,345"), (0.5, "0.500"), (123.456, "123.456"),
        (0.00012, "0.00012"), (1e9, "1e+09"), (1234.5, "1.23e+03"), (math.nan, "–"), (math.inf, "+inf"),
        (-math.inf, "-inf"), ("word", "word"),
    ],
)  # fmt: skip
def test_numbers_as_text(value: float | str, text: str) -> None:
    assert number(value) == text


def test_a_table_lines_up() -> None:
    table = Table(
        ["layer_0", "layer_10"], [Column("mean", [1.5, 20.25]), Column("kind", ["a", "b"])], caption="showroom"
    )

    assert table.text().split("\n") == [
        "showroom",
        "            mean  kind",
        "layer_0    1.500  a",
        "layer_10  20.250  b",
    ]


def test_bars_are_shares_of_the_largest() -> None:
    assert Column("x", [1.0, -4.0, math.nan, math.inf]).shares() == [0.25, 1, 0, 0]
    assert Column("x", [1.0, 2.0], top=4).shares() == [0.25, 0.5]
    assert Column("x", [0.0, 0.0]).shares() == [0, 0]
    rows = Table(["a", "b"], [Column("x", [2.0, 4.0], bar=True)]).text().split("\n")
    assert (rows[1].count("█"), rows[2].count("█")) == (4, 8)


def test_changed_rows_are_amber_and_no_others() -> None:
    page = Table(["a", "b"], [Column("x", [1.0, 2.0])], changed=frozenset({"b"})).html()

    assert page.count('<tr class="gnb-changed">') == 1
    assert AMBER in page


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text_in_tables_and_cards(text: str) -> None:
    table = Cells(Table([text], [Column(text, [text])], caption=text).html())
    card = Cells(Card(text, {text: text}, note=text).html())

    assert table.texts.count(one_line(text)) == 4
    assert card.texts.count(visible(text)) == 4
    assert table.tags == {"style", "div", "span", "table", "thead", "tbody", "tr", "th", "td"}
    assert card.tags == {"style", "div", "dl", "dt", "dd"}


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text_in_plots(text: str) -> None:
    drawn = Plot(line([text, "b"], [1, 2], label=text, name=text), text, pd.DataFrame)
    legend(drawn.axes)

    assert drawn.png().startswith(b"\x89PNG")
    assert drawn.axes.get_ylabel() == one_line(text)


def test_pages_fetch_nothing() -> None:
    page = Table(["a"], [Column("x", [1.0], bar=True)]).html() + Card("a", {"b": "c"}).html()

    assert "http" not in page
    assert "url(" not in page
    assert "src=" not in page


def test_an_empty_table_and_card_can_be_shown() -> None:
    assert Table([], [Column("x", [])]).text() == "  x"
    assert Card("nothing yet").text() == "nothing yet"
    assert "<dl>" not in Card("nothing yet").html()


def test_axes_are_the_callers_when_given() -> None:
    mine: Axes = Figure().add_subplot()

    assert line(["a"], [1.0], label="x", ax=mine) is mine
    assert axes().get_figure() is not axes().get_figure()


def test_many_places_stay_readable() -> None:
    names = [f"transformer.h.{i}.attn.c_proj" for i in range(100)]

    drawn = line(names, list(range(100)), label="x")

    assert len(drawn.get_xticks()) <= PLACES + 1
    assert all(len(tick.get_text()) <= 18 for tick in drawn.get_xticklabels())


def test_names_shorten_in_the_middle() -> None:
    assert shorten("layer_6", 18) == "layer_6"
    assert shorten("transformer.h.11.attn.c_proj", 18) == "transform…n.c_proj"


def test_a_plot_is_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    plot = Plot(line(["a"], [1.0], label="x"), "one point", pd.DataFrame)

    assert plot.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="nonsense"):
        plot.save(tmp_path / "a.nonsense")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_plot_has_words_for_those_who_cannot_see_it() -> None:
    data, meta = Plot(line(["a"], [1.0], label="x"), "one point", pd.DataFrame)._repr_mimebundle_()

    assert data["text/plain"] == meta["image/png"]["alt"] == "one point"
