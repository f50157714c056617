"""Every answer on every surface, with hostile text wherever a text can stand: it shows as text, and all of it fits."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
import wcwidth
from matplotlib.text import Text

from garage_nb.errors import InputError
from garage_nb.extract.part import FreePart
from garage_nb.garage import Garage
from garage_nb.plain import one_line, visible
from garage_nb.view.figure import Plot
from garage_nb.view.shown import Drawn, Shown
from tests.hostile import HALF, TEXTS, answers, garage_named, unseen

KINDS = [
    "garage", "status", "spec", "parts", "report", "edits", "recipe", "capture", "snapshot", "plot",
    "generation", "generation plot", "plain generation", "steps", "steps plot", "trace", "trace plot",
    "comparison", "comparison plot", "two models", "compatibility", "sweep", "sweep plot", "each",
    "saved", "saved plot", "lens", "lens plot", "attention",
    "attention plot", "head plot", "patched", "patched plot", "pairs", "pairs plot",
    "ablated", "ablated plot", "noisy", "noisy plot",
    "scan", "scan plot", "flagged",
    "weights", "weights plot", "spectra plot", "heads", "heads plot", "similarity", "similarity plot",
    "resemblance", "resemblance plot", "neurons", "neurons plot", "shares", "shares plot",
    "thinned", "thinned plot", "routing", "routing plot", "calibration", "calibration plot",
    "pathways", "pathways plot", "together plot", "tradeoff", "tradeoff plot", "sliced", "judged", "judged plot",
    "tried", "tried plot", "runs", "trials", "claims",
    "checked", "hybrid", "proofs", "plan", "adapter", "stitched", "stitched plot", "slimmed",
    "blade", "bare blade", "places", "places plot", "specialised", "specialised plot",
    "diagnosed", "debated", "debated plot", "debates", "debates plot", "held", "fitted gate",
    "survey", "survey plot", "left out", "simulated", "estimate", "extracted", "part test", "evidence", "shelf",
    "verified", "registered",
    "help", "manual", "settings", "models", "stopped", "doctor",
]  # fmt: skip
SILENT = {
    "held",
    "simulated",
    "snapshot",
    "help",
    "manual",
    "sweep plot",
    "head plot",
    "patched plot",
    "pairs plot",
    "ablated plot",
    "noisy plot",
    "spectra plot",
    "settings",
    "models",
    "doctor",
}  # no text of the user's stands in these
PROMPTED = {
    "debated",
    "saved",
    "saved plot",
    "lens",
    "lens plot",
    "attention",
    "attention plot",
    "generation",
    "generation plot",
    "plain generation",
    "comparison",
    "comparison plot",
    "sweep",
    "each",
    "patched",
    "pairs",
    "ablated",
    "noisy",
    "heads",
    "similarity plot",
    "resemblance",
    "resemblance plot",
    "shares",
    "shares plot",
}
TAGS = {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "span", "img"}
ATTRIBUTES = {"class", "style", "scope", "title", "aria-hidden", "aria-label", "src", "alt", "width"}
LIKE_MARKUP = {"script", "address"}  # for signs that have to be escaped


def param(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow) if name in LIKE_MARKUP else name


@pytest.fixture(scope="module", params=map(param, [*TEXTS, "half"]))
def text(request: pytest.FixtureRequest) -> str:
    return TEXTS.get(request.param, HALF)


@pytest.fixture(scope="module")
def shown(text: str) -> dict[str, Shown]:
    """Pictures are painted once, for the page and for themselves, and small: they are most of what this costs."""
    made = answers(text, "The capital of France is" if text == HALF else text)
    for plot in made.values():
        if isinstance(plot, Plot):
            plot.figure.dpi = 25
            plot.png = cache(partial(painted, plot.png))  # type: ignore[method-assign]
    return made


def painted(png: Callable[[], bytes]) -> bytes:
    """matplotlib warns of every sign that no font has."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return png()


class Page(HTMLParser):
    """As a browser would read it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._in_style else data

    @property
    def words(self) -> str:
        """Also those on hover and of pictures."""
        return " ".join([self.text, *(value or "" for _, attrs in self.tags for value in attrs.values())])


def is_said(kind: str, text: str) -> bool:
    return kind not in SILENT and not (text == HALF and kind in PROMPTED)


def says(said: str, text: str) -> bool:
    """Whether all of a text is there, but for how it is broken into lines."""
    forms = (visible(text), one_line(text), repr(text)[1:-1], one_line(repr(text)[1:-1]))
    return any(squeezed(form) in squeezed(said) for form in forms)


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_every_kind_is_tried(shown: dict[str, Shown]) -> None:
    assert list(shown) == KINDS
    assert {type(answer) for answer in shown.values()} == {*concrete(Shown)} - {FreePart}  # drawn as ContextPart is


def concrete(kind: type) -> Iterator[type]:
    """All that the package makes of a kind, and that is no mere part of a Garage."""
    for below in kind.__subclasses__():
        yield from concrete(below)
        if (
            not inspect.isabstract(below)
            and below.__module__.startswith("garage_nb.")
            and not issubclass(Garage, below)
        ):
            yield below
    if kind is Shown:
        yield Garage


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_terminal(shown: dict[str, Shown], text: str, kind: str) -> None:
    said = repr(shown[kind])

    assert said.strip()
    assert unseen(said) == []
    for line in said.split("\n"):
        assert wcwidth.width(line) <= 100
        assert line == line.rstrip()
    assert "gnb-" not in said
    assert said.encode("utf-8")
    if is_said(kind, text) and len(text) < 60 and "plot" not in kind:
        assert says(said, text)


@pytest.mark.parametrize("kind", KINDS)
def test_as_a_page(shown: dict[str, Shown], text: str, kind: str) -> None:
    page = Page(shown[kind]._repr_html_())

    assert {tag for tag, _ in page.tags} <= TAGS
    assert {name for _, attrs in page.tags for name in attrs} <= ATTRIBUTES
    assert all((attrs.get("src") or "data:image/png;").startswith("data:image/png;") for _, attrs in page.tags)
    assert page.tags[0] == ("div", {"class": "mathjax_ignore tex2jax_ignore"})
    assert unseen(page.words) == []
    if is_said(kind, text):
        assert says(page.words, text)


@pytest.mark.parametrize("kind", KINDS)
def test_as_a_frame(shown: dict[str, Shown], kind: str) -> None:
    frame = shown[kind].frame()

    assert isinstance(frame, pd.DataFrame)
    assert len(frame)
    assert all(frame.index.names)
    assert frame.columns.is_unique
    assert frame.to_csv().encode("utf-8")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "plot" in kind])
def test_as_a_picture(shown: dict[str, Shown], kind: str) -> None:
    plot = shown[kind]
    assert isinstance(plot, Plot)

    assert plot.png().startswith(b"\x89PNG")

    words = [
        item for item in plot.figure.findobj(Text) if isinstance(item, Text) and "$\\mathdefault" not in item.get_text()
    ]
    assert all(unseen(item.get_text()) == [] for item in words)
    assert not any(item.get_parse_math() for item in words if "$" in item.get_text())
    assert unseen(plot.alt + "\n") == []


@pytest.mark.parametrize("text", ["markup"], indirect=True)
def test_what_can_be_drawn_says_what_its_axes_measure(shown: dict[str, Shown]) -> None:
    drawn = [answer for answer in shown.values() if isinstance(answer, Drawn)]

    assert len(drawn) > 6
    for answer in drawn:
        plot = answer.plot()
        labels = [label for axes in plot.figure.axes for label in (axes.get_xlabel(), axes.get_ylabel())]
        assert any(labels)
        assert plot.frame().equals(answer.frame())


@pytest.fixture(scope="module")
def opened() -> Iterator[list[str]]:
    """Every file that Python opens while `.append` is asked for."""
    import sys

    seen: list[str] = []
    listening = [True]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if listening[0] and event in ("open", "os.listdir", "os.scandir"):
            seen.append(str(arguments[0]))

    sys.addaudithook(hear)  # for as long as Python runs; it cannot be taken off
    yield seen
    listening[0] = False


@pytest.mark.parametrize("prompt", [TEXTS["file"], "/etc/hostname", TEXTS["address"]])
def test_a_prompt_is_never_opened(opened: list[str], prompt: str) -> None:
    garage = garage_named("showroom")
    opened.clear()

    texts = [garage.generate(prompt, tokens=1), garage.compare(prompt=prompt), garage.sweep(prompt, parts="0")]
    garage.ablate("layer_0", "mean", reference=prompt)
    garage.patch("layer_2", prompt, positions="-1", tokens="-1")
    garage.capture([prompt, "a"])
    garage.plot(prompt)

    assert [answer.prompt for answer in texts] == [prompt] * 3
    assert garage.capture(prompt).tokens == len(garage.tokenizer(prompt)["input_ids"])
    assert prompt not in opened


def test_half_a_character_is_refused_in_a_prompt() -> None:
    with pytest.raises(InputError, match=r"U\+D800"):
        garage_named("showroom").generate(HALF)
