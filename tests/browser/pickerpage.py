"""What the picker's tests ask of its page."""

from __future__ import annotations

import re

from playwright.sync_api import Locator

OVERLAPS = """() => [...document.querySelectorAll('.gnb-row')].flatMap(row => {
  const boxes = [...row.querySelectorAll('.gnb-part')].map(part => part.getBoundingClientRect());
  boxes.sort((a, b) => a.left - b.left);
  return boxes.slice(1).filter((box, i) => box.left < boxes[i].right - 0.5); }).length"""
OUTSIDE = """() => { const edge = document.querySelector('.gnb').getBoundingClientRect();
  return [...document.querySelectorAll('.gnb *')].filter(node => { const box = node.getBoundingClientRect();
    return box.width && (box.left < edge.left - 0.5 || box.right > edge.right + 0.5); }).length }"""


def part(panel: Locator, start: str) -> Locator:
    """The part whose words start so: `ffn_1:`."""
    return panel.get_by_role("gridcell", name=re.compile(f"^{start}"))


def middle(locator: Locator) -> float:
    return float(locator.evaluate("node => node.getBoundingClientRect().left + node.getBoundingClientRect().width / 2"))


def colour(locator: Locator, what: str) -> str:
    return str(locator.evaluate(f"node => getComputedStyle(node).{what}"))


def opener(panel: Locator, last: str) -> Locator:
    """What opens the row in which that part stands: `layer_3`."""
    return panel.get_by_role("rowheader", name=re.compile(f"^inside {last}\\b"))


def spot(locator: Locator) -> tuple[float, float]:
    """The middle of a node, in pixels of the page."""
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
