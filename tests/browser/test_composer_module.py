"""The composer's own module in Chromium, without Jupyter: drag, keyboard, words and looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from garage_nb import Garage
from garage_nb.widgets import Composer

from ..hostile import TEXTS
from .crowded import TROUBLE
from .labpage import Alone
from .pickerpage import spot

OFFERS = {
    "donor": "b",
    "part": "attention_2",
    "places": {
        "attention_0": ["fits", "fits"],
        "attention_1": ["fits with an adapter", "fits with an adapter: linear maps between 128 and 96, untrained"],
        "attention_2": [
            "refused",
            "refused: attention_2 of b does not fit in the place of attention_2 of base: heads.",
        ],
        "attention_3": ["fits", "fits"],
        "attention_4": ["fits", "fits"],
    },
}
PLACES = [f"{kind}_{i}" for kind in ("layer", "gap") for i in range(5)]
LAYER = {"donor": "b", "part": "layer_3", "places": {place: ["fits", "fits"] for place in PLACES}}
FOCUSED = "document.activeElement.getAttribute('aria-label')"


@pytest.fixture(scope="module")
def composer() -> Iterator[Composer]:
    garage = Garage("showroom-llama")
    composer = Composer(garage, {"b": "showroom-llama-seed1"})
    composer.place("b", "attention_2", "attention_1")
    assert composer.wait(60)
    composer.make()
    assert composer.wait(60)
    yield composer
    composer.close()


@pytest.fixture
def panel(alone: Alone, composer: Composer) -> Locator:
    return alone.show(composer, width=900)


def cell(panel: Locator, column: int, name: str) -> Locator:
    return panel.locator(".gnb-c-column").nth(column).locator(f'.gnb-c-cell[aria-label^="{name}:"]')


def sent(alone: Alone) -> list[Any]:
    return [one for one in alone.get("sent") if one["kind"] != "ping"]


def answer(alone: Alone, offers: dict[str, Any]) -> None:
    """What the kernel says of the places."""
    alone.page.evaluate("offers => T.model.set('_offers', offers)", offers)


def drag(alone: Alone, start: Locator, end: Locator, offers: dict[str, Any] | None = None) -> None:
    alone.page.mouse.move(*spot(start))
    alone.page.mouse.down()
    x, y = spot(start)
    alone.page.mouse.move(x - 20, y + 3)
    if offers:
        answer(alone, offers)
    alone.page.mouse.move(*spot(end), steps=4)
    alone.page.mouse.up()


def test_every_part_of_it_has_a_name(panel: Locator) -> None:
    expect(panel).to_match_aria_snapshot("""
      - region "Composer on showroom-llama":
        - 'combobox "Donor: a model known by name, or a folder"'
        - textbox "Name of the donor on the sheet; empty for the next free letter"
        - button "Put this model beside the base"
        - grid "Result, output on top"
        - button "Take donor b off the bench"
        - grid "Donor b, showroom-llama-seed1"
        - 'combobox "Adapter of swap attention_1 b[attention_2]"':
          - option "no adapter" [selected]
          - option "adapter fitted on the showroom's texts"
          - option "adapter untrained"
        - 'button "Take out: swap attention_1 b[attention_2]"'
        - status: It can be built.
        - button "Take the last change back"
        - button "Bring back what undo took away" [disabled]
        - button "Build the sheet, and prove what was built"
        - textbox "Folder to save it to": hybrid
        - button "Save it as a plain folder of transformers"
        - 'button "Copy as Python: the build sheet"'
        - list "What was proved":
          - listitem: /✓ finite/
    """)


def test_what_the_user_put_in_is_amber_and_said(panel: Locator) -> None:
    changed = panel.locator(".gnb-c-changed")

    assert changed.count() == 1
    assert str(changed.first.get_attribute("aria-label")).endswith("; now attention_2 of b")


def test_a_drag_asks_what_fits_and_drops_where_it_is_let_go(alone: Alone, panel: Locator) -> None:
    drag(alone, cell(panel, 1, "attention_2"), cell(panel, 0, "attention_0"), OFFERS)

    assert sent(alone) == [
        {"kind": "hold", "donor": "b", "part": "attention_2"},
        {"kind": "place", "donor": "b", "part": "attention_2", "at": "attention_0"},
    ]
    expect(panel.locator(".gnb-c-held, .gnb-c-fits, .gnb-c-ghost")).to_have_count(0)


def test_before_it_is_dropped_every_place_says_how_it_fits(alone: Alone, panel: Locator) -> None:
    cell(panel, 1, "attention_2").click()
    answer(alone, OFFERS)

    assert [cell(panel, 0, f"attention_{i}").locator(".gnb-c-tag").inner_text() for i in range(3)] == [
        "fits", "adapt", "no",
    ]  # fmt: skip
    expect(panel.locator(".gnb-c-said")).to_contain_text("Holding attention_2 of b: 4 of 5 places take it.")
    cell(panel, 0, "attention_2").hover()
    expect(panel.locator(".gnb-words")).to_have_text(
        "attention_2: refused: attention_2 of b does not fit in the place of attention_2 of base: heads."
    )
    alone.picture(panel, "composer-holding-light")
    alone.dark()
    alone.picture(panel, "composer-holding-dark")


def test_a_drag_to_nowhere_lets_go(alone: Alone, panel: Locator) -> None:
    drag(alone, cell(panel, 1, "attention_2"), panel.locator(".gnb-title"), OFFERS)

    assert [one["kind"] for one in sent(alone)] == ["hold"]
    expect(panel.locator(".gnb-c-held")).to_have_count(0)


def test_the_keyboard_alone_picks_up_chooses_and_drops(alone: Alone, panel: Locator) -> None:
    press = alone.page.keyboard.press
    cell(panel, 0, "attention_3").focus()
    for _ in range(3):
        press("ArrowRight")
    assert alone.page.evaluate(FOCUSED).startswith("attention_3:")
    press("ArrowDown")
    press("Enter")
    answer(alone, OFFERS)
    assert alone.page.evaluate(FOCUSED) == "attention_4: fits"  # the first, for the same place refuses it
    for _ in range(3):
        press("ArrowDown")
    assert alone.page.evaluate(FOCUSED) == (
        "attention_1: fits with an adapter: linear maps between 128 and 96, untrained"
    )
    press("ArrowUp")
    press("Enter")  # refused: it stays in the hand
    expect(panel.locator(".gnb-c-held")).to_have_count(1)
    press("End")
    press("Enter")

    assert [one.get("at") for one in sent(alone)] == [None, "attention_2", "attention_0"]
    expect(panel.locator(".gnb-c-held")).to_have_count(0)


def test_escape_lets_go_and_then_leaves(alone: Alone, panel: Locator) -> None:
    cell(panel, 1, "attention_2").focus()
    alone.page.keyboard.press("Enter")
    answer(alone, OFFERS)
    alone.page.keyboard.press("Escape")

    expect(panel.locator(".gnb-c-held, .gnb-c-fits")).to_have_count(0)
    assert alone.page.evaluate(FOCUSED).startswith("attention_2:")
    alone.page.keyboard.press("Escape")
    assert alone.page.evaluate("document.activeElement === document.body")


def test_a_layer_goes_between_layers_and_those_of_the_result_repeat_and_go(alone: Alone, panel: Locator) -> None:
    expect(panel.locator(".gnb-c-gap").first).to_be_hidden()
    cell(panel, 1, "layer_3").click()
    answer(alone, LAYER)
    panel.locator(".gnb-c-gap").nth(1).click()
    cell(panel, 0, "layer_2").focus()
    alone.page.keyboard.press("Enter")
    answer(alone, {"donor": "", "part": "layer_2", "places": {"gap_5": ["fits", "fits"]}})
    alone.page.keyboard.press("Enter")
    cell(panel, 0, "layer_2").click()
    panel.get_by_role("button", name="Take this layer out of the result").click()
    cell(panel, 0, "layer_4").focus()
    alone.page.keyboard.press("Delete")

    assert [one for one in sent(alone) if one["kind"] != "hold"] == [
        {"kind": "place", "donor": "b", "part": "layer_3", "at": "gap_4"},
        {"kind": "place", "donor": "", "part": "layer_2", "at": "gap_5"},
        {"kind": "remove", "layer": 2},
        {"kind": "remove", "layer": 4},
    ]


def test_parts_of_the_result_stay_where_they_are(alone: Alone, panel: Locator) -> None:
    cell(panel, 0, "attention_2").click()

    assert sent(alone) == []


def test_there_is_one_tab_stop_in_all_columns(panel: Locator) -> None:
    for column, name in ((1, "ffn_2"), (0, "embedding")):
        cell(panel, column, name).focus()
        assert panel.locator('.gnb-c-cell[tabindex="0"]').count() == 1


def test_buttons_ask_the_kernel(alone: Alone, panel: Locator) -> None:
    for name in ("Take the last change back", "Take out: swap", "Build the sheet", "Hold it against", "Save it as"):
        panel.get_by_role("button", name=name).click()
    panel.get_by_role("combobox", name="Donor").fill("showroom-gpt2")
    panel.get_by_role("combobox", name="Donor").press("Enter")

    assert sent(alone) == [
        {"kind": "undo"},
        {"kind": "take_out", "graft": 0},
        {"kind": "make"},
        {"kind": "judge"},
        {"kind": "keep", "folder": "hybrid"},
        {"kind": "bring", "source": "showroom-gpt2", "name": ""},
    ]


def test_a_donor_is_sent_away_by_mouse_and_by_keyboard(alone: Alone, panel: Locator, composer: Composer) -> None:
    away = panel.get_by_role("button", name="Take donor b off the bench")
    away.click()
    away.press("Enter")

    assert sent(alone) == [{"kind": "dismiss", "donor": "b"}] * 2
    alone.page.evaluate("T.model.set('_beside', [])")
    expect(away).to_have_count(0)
    assert alone.page.evaluate(FOCUSED) == "Donor: a model known by name, or a folder"


def test_an_adapter_is_chosen_on_a_chip_and_says_what_it_is_fitted_on(alone: Alone, panel: Locator) -> None:
    choice, field = panel.get_by_role("combobox", name="Adapter of swap"), panel.get_by_role("textbox", name="Fit on")
    expect(field).to_be_hidden()
    choice.select_option("fit")
    assert sent(alone) == [{"kind": "join", "graft": 0, "adapter": "fit"}]

    choice.focus()
    alone.page.evaluate(
        "T.model.set('_sheet', {...T.model.get('_sheet'), joints: [['fit', ['none', 'fit', 'untrained'], '']]});"
        "T.model.set('_on', '3 texts of yours')"
    )
    expect(choice.locator("option:checked")).to_have_text("adapter fitted on 3 texts of yours")
    expect(choice).to_be_focused()
    field.fill("one\ntwo\nthree")
    field.blur()
    assert alone.get("saved.at(-1).fitting") == "one\ntwo\nthree"

    only = [["untrained", ["untrained"], "b and base do not read the same tokens."]]
    alone.page.evaluate("only => T.model.set('_sheet', {...T.model.get('_sheet'), joints: only})", only)
    expect(choice).to_have_count(0)
    expect(panel.get_by_text("adapter untrained")).to_have_attribute("title", only[0][2])


def test_an_edit_in_force_is_a_chip_that_is_not_taken_out_here(
    alone: Alone, panel: Locator, composer: Composer
) -> None:
    sheet = {**composer._sheet, "grafts": [], "joints": [], "edits": [["scale layer_0 0.9", "folds into weights", ""]]}
    alone.page.evaluate("sheet => T.model.set('_sheet', sheet)", sheet)

    expect(panel.locator(".gnb-c-chip")).to_have_text(["scale layer_0 0.9edit in force"])
    expect(panel.get_by_role("button", name="Take out: scale")).to_have_count(0)
    expect(panel.get_by_role("button", name="Build the sheet")).to_be_enabled()


def test_what_goes_leaves_the_focus_to_what_is_in_its_place(alone: Alone, panel: Locator) -> None:
    def told(**changes: Any) -> None:
        alone.page.evaluate("more => T.model.set('_sheet', {...T.model.get('_sheet'), ...more})", changes)

    told(grafts=[["swap a", "fits", ""], ["swap b", "fits", ""]], joints=[[], []])
    panel.get_by_role("button", name="Take out: swap a").focus()
    told(grafts=[["swap b", "fits", ""]], joints=[[]])
    assert alone.page.evaluate(FOCUSED) == "Take out: swap b"
    told(grafts=[], joints=[])
    assert alone.page.evaluate(FOCUSED) == "Take the last change back"
    told(undo=False, redo=True)
    assert alone.page.evaluate(FOCUSED) == "Bring back what undo took away"


def test_the_code_is_folded_away(panel: Locator, composer: Composer) -> None:
    code = panel.locator(".gnb-c-code")
    expect(code).to_be_hidden()
    panel.locator(".gnb-c-fold").focus()
    panel.locator(".gnb-c-fold").press("Enter")

    expect(code).to_have_text(composer._python)


def test_the_sheet_is_copied_as_python(alone: Alone, panel: Locator, composer: Composer) -> None:
    alone.page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', { value: { writeText: async text => { T.copied = text; } } })"
    )
    panel.get_by_role("button", name="Copy as Python").click()

    expect(panel.get_by_role("button", name="Copy as Python")).to_have_text("Copied")
    assert alone.get("copied") == composer._python


def test_a_new_result_keeps_the_focus_and_what_is_held(alone: Alone, panel: Locator, composer: Composer) -> None:
    cell(panel, 1, "attention_2").focus()
    alone.page.keyboard.press("Enter")
    answer(alone, OFFERS)
    alone.page.evaluate("T.model.set('_result', structuredClone(T.model.get('_result')))")

    assert alone.page.evaluate(FOCUSED) == "attention_4: fits"
    expect(panel.locator(".gnb-c-held")).to_have_count(1)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_text_makes_no_nodes(alone: Alone, composer: Composer, text: str) -> None:
    plain = alone.show(composer).locator("*").count()
    state = composer.get_state()
    result = {**state["_result"], "title": text}
    result["rows"] = [
        {**row, "cells": [{**one, "label": text, "words": text, "from": text} for one in row["cells"]]}
        for row in result["rows"]
    ]
    sheet = {**state["_sheet"], "grafts": [[text, "refused", text]], "facts": [[text, text]] * 4}
    proofs = [[text] * 3 for _ in state["_proofs"]]
    judged = {"heads": [text], "names": [text], "cells": [[text]], "caption": text}

    panel = alone.show(
        composer, _result=result, _sheet=sheet, _proofs=proofs, _judged=judged, _told=text, _python=text, _title=text
    )

    assert panel.locator("*").count() <= plain + 20
    assert panel.locator("script, img, svg, iframe, a, b, i, style").count() == 0


def test_without_donors_it_says_what_to_do(alone: Alone) -> None:
    empty = Composer(Garage("showroom"))
    assert empty.wait(30)
    panel = alone.show(empty)

    expect(panel).to_contain_text("No donors yet: name a model above.")
    expect(panel).to_contain_text("No grafts yet: the result is the base.")
    expect(panel.get_by_role("button", name="Build the sheet")).to_be_disabled()
    expect(panel.get_by_role("button", name="Save it as")).to_be_disabled()
    empty.close()


@pytest.mark.parametrize("width", [280, 520, 1000])
def test_no_button_is_cut_and_nothing_is_wider_than_the_panel(alone: Alone, composer: Composer, width: int) -> None:
    panel = alone.show(composer, width=width)

    assert panel.evaluate("node => node.scrollWidth <= node.clientWidth")
    cut = "node => [...node.querySelectorAll('button')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
    assert panel.evaluate(cut) == 0
    alone.picture(panel, f"composer-{width}")


@pytest.mark.parametrize("width", [280, 420, 700, 1200])
@pytest.mark.parametrize("part", ["attention_2", "layer_2"])
def test_while_a_part_is_held_every_text_has_a_place(alone: Alone, composer: Composer, part: str, width: int) -> None:
    panel = alone.show(composer, width=width)
    kinds = ["attention"] if part.startswith("attention") else ["layer", "gap"]
    verdicts = ["fits", "fits with an adapter", "refused"]
    places = {f"{kind}_{i}": [verdicts[i % 3], verdicts[i % 3]] for kind in kinds for i in range(6)}

    cell(panel, 1, part).click()
    answer(alone, {"donor": "b", "part": part, "places": places})

    assert panel.evaluate(TROUBLE)["found"] == []
    alone.picture(panel, f"composer-holding-{part}-{width}")
