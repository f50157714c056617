"""Every answer as text and as html: whatever a user types is shown as text, and never as markup."""

from __future__ import annotations

from typing import Any

import pytest

from garage_nb.garage import Garage
from garage_nb.view.shown import Shown

NASTY = '<script>alert(1)</script> & "quoted" it\'s {x} $\\alpha_1$ `code` %s ünïcödé 日本 🚗\nline two\t\x00end'


@pytest.fixture(scope="module")
def shop() -> Garage:
    return Garage("showroom")


def test_a_prompt_reaches_the_model_byte_for_byte(shop: Garage) -> None:
    generated, compared = shop.generate(NASTY, tokens=1), shop.compare(prompt=NASTY)

    assert generated.prompt == compared.prompt == NASTY
    assert shop.capture(NASTY).tokens == len(shop.tokenizer(NASTY)["input_ids"])


def answers(shop: Garage) -> list[Shown]:
    def nasty(hidden: Any) -> Any:
        return hidden

    nasty.__name__ = "<b>bold</b>"
    shop.through("layer_0", nasty)
    try:
        return [shop.generate(NASTY, tokens=1), shop.compare(prompt=NASTY), shop.status(), shop.scale("layer_1", 0.5)]
    finally:
        shop.reset()


def test_no_answer_lets_markup_through(shop: Garage) -> None:
    for answer in answers(shop):
        page = answer._repr_html_()

        assert "<script>" not in page
        assert "<b>" not in page
        assert "&lt;" in page


def test_a_line_break_in_an_answer_keeps_its_column(shop: Garage) -> None:
    shop.through("layer_0", lambda hidden: hidden)
    generated = type(shop.generate("a", tokens=1))("a", "one\ntwo", "three")
    shop.reset()

    assert repr(generated).split("\n")[1:3] == ["  tuned      one", "             two"]


@pytest.mark.parametrize("verb", ["status", "parts", "verify", "registry", "help", "reset"])
def test_text_fits_a_terminal_line_by_line(shop: Garage, verb: str) -> None:
    text = repr(getattr(shop, verb)())

    assert text.strip()
    assert all(line == line.rstrip() and len(line) <= 130 for line in text.split("\n"))
