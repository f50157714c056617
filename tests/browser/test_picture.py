"""The static picture in a real browser, where text has a width."""

from __future__ import annotations

import pytest

from garage_nb.drawing.marks import Marks
from garage_nb.drawing.picture import picture

from ..widgets.unlike import UNLIKE, opened
from .labpage import Alone

# Half a pixel is what two neighbours may share.
TEXTS_OUTSIDE = """() => [...document.querySelectorAll('g')].filter(part => {
  const [text, box] = [part.querySelector('text'), part.querySelector('rect')].map(n => n?.getBoundingClientRect());
  return text && (text.left < box.left + 0.5 || text.right > box.right - 0.5); }).map(part => part.textContent)"""
OVERLAPS = """() => { const nodes = [...document.querySelectorAll('rect, svg > text')];
  const boxes = nodes.map(node => node.getBoundingClientRect());
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
    a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5)).length }"""


@pytest.mark.parametrize("name", UNLIKE)
def test_every_text_fits_its_box_and_nothing_overlaps(alone: Alone, name: str) -> None:
    alone.page.set_content(picture(opened(name), Marks()))

    assert alone.page.locator("rect").count() > 8
    assert alone.page.evaluate(TEXTS_OUTSIDE) == []
    assert alone.page.evaluate(OVERLAPS) == 0
