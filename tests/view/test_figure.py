"""A plot shows itself as a page, as a picture and in words; a figure of pyplot's is left to pyplot."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from garage_nb.garage import Garage
from garage_nb.view.figure import Plot
from garage_nb.view.lettering import lettered
from garage_nb.view.pairs import pairs
from garage_nb.view.plots import grid, line
from garage_nb.view.written import written

HOSTILE = ["$\\frac{$", "$x$", "\u202egnp", "nul\x00", "\ud800", "日本", "two\nlines", "x" * 99, "<b>"]


class Image(HTMLParser):
    attributes: dict[str, str | None]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.attributes = dict(attrs)


def drawn(alt: str = "one point") -> Plot:
    return Plot(line(["a"], [1.0], label="x"), alt, lambda: pd.DataFrame({"x": [1.0]}))


def test_the_page_tells_a_screen_reader_what_is_drawn() -> None:
    alt = 'tokens "a" & <b> $x$'
    data, meta = drawn(alt)._repr_mimebundle_()
    image = Image()
    image.feed(data["text/html"])

    assert image.attributes["alt"] == meta["image/png"]["alt"] == data["text/plain"] == alt
    assert (image.attributes["src"] or "").startswith("data:image/png;base64,")
    assert data["text/html"].startswith('<div class="mathjax_ignore tex2jax_ignore">')


def test_a_figure_of_pyplots_is_shown_by_pyplot_alone() -> None:
    _, ax = pyplot.subplots()
    plot = Plot(line(["a"], [1.0], label="x", ax=ax), "one point", pd.DataFrame)

    data, meta = plot._repr_mimebundle_()

    assert data["text/plain"] == "one point"
    assert "<img" not in data["text/html"]
    assert "image/png" not in data
    assert meta == {}
    pyplot.close("all")


def test_no_answer_touches_pyplot() -> None:
    shop = Garage("showroom")
    shop.scale("layer_1", 0.5)

    for plot in (shop.compare(prompt="a b").plot(), shop.generate("a b", tokens=2).plot(), shop.capture("a b").plot()):
        assert plot.png()

    assert pyplot.get_fignums() == []


def test_answers_draw_on_axes_that_are_given() -> None:
    shop, mine = Garage("showroom"), Figure().subplots(1, 5)
    generated = shop.generate("a b", tokens=2, layers="0,1")
    assert generated.steps is not None

    given = [
        generated.plot(ax=mine[0]), generated.steps.plot(ax=mine[1]), shop.capture("a").plot(ax=mine[2]),
        shop.compare(prompt="a").plot(ax=mine[3]), shop.sweep("a b", parts="0").plot(ax=mine[4]),
    ]  # fmt: skip

    assert [plot.axes for plot in given] == list(mine)


def test_what_no_font_can_draw_is_written_out() -> None:
    assert lettered("日\u202e\n", 40) in (r"\u65e5\u202e\n", r"日\u202e\n")
    assert lettered("é ≤ ‖ – $x$") == "é ≤ ‖ – $x$"
    assert lettered("e\u0301\ufe0f") == "e\u0301\ufe0f"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_drawn_as_text_on_every_picture(text: str) -> None:
    names, shares = [text, "b"], [0.5, 0.0]
    pictures = [
        line(names, shares, label=text, across=text, name=text),
        grid(names, names, [shares, shares], text, across=text),
        pairs(names, (shares, shares), (text, text), ("red", "blue"), across=text),
        written({"tuned": (names, shares), "untouched": (names, shares)}, ["red", "blue"]),
    ]

    for axes in pictures:
        assert Plot(axes, text, pd.DataFrame).png().startswith(b"\x89PNG")
