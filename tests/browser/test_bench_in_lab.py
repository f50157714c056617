"""The tuning bench in a real JupyterLab with a real kernel, in both ways in which a notebook delivers messages."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Locator, expect

from .labpage import Notebook

SETUP = """
import gc, threading, time, torch
from garage_nb import Garage
from garage_nb.answers.comparison import tuned_and_untouched
from garage_nb.core.asked import Asked
from garage_nb.widgets import TuningBench
from tests.families import tiny
from tests.restored import hooks_on
garage = Garage("showroom")
ids = garage.tokenizer("The capital of France is", return_tensors="pt")
bare = garage.model(**ids).logits
asked, most, ask = [], 0, Asked.ask
def counted(self, work):
    global most
    ask(self, work)
    asked.append(self._future)
    most = max(most, sum(not future.done() for future in asked))
Asked.ask = counted
"""
SHOW = """
bench = TuningBench(garage, "The capital of France is", "layer_2", tokens=0)
bench
"""
BUSY = """
changed = forwards = 0
end = time.monotonic() + 4
while time.monotonic() < end:
    forwards += 1
    changed += not torch.equal(garage.model(**ids).logits, bare)
"""
LONG = """
large = tiny("gpt2", 12, n_embd=512, n_head=8, n_positions=1024, vocab_size=len(garage.tokenizer), eos_token_id=None)
slow = Garage(large, tokenizer=garage.tokenizer)
long = TuningBench(slow, "The capital of France is", "layer_2", tokens=500)
long
"""
CELLS = [SETUP, SHOW, BUSY, LONG]
COMMS = ["perCommTarget", "disabled"]
FRESH = "tuned_and_untouched(garage.lifted, bench.prompt, bench.recipe).divergence"
BENCHES = "[one for one in gc.get_objects() if type(one).__name__ == 'TuningBench' and one.comm is not None]"
THREADS = "[one for one in threading.enumerate() if one.name.startswith('garage_nb')]"

# From one move of a hand to the picture that follows from it.
NUDGE = """async factor => {
  const shown = () => document.querySelector('.gnb-tokens').textContent;
  const slide = document.querySelector('.gnb-slide'), before = shown(), start = performance.now();
  slide.value = factor;
  for (const type of ['input', 'keyup']) slide.dispatchEvent(new Event(type, { bubbles: true }));
  while (shown() === before) await new Promise(done => requestAnimationFrame(done));
  return performance.now() - start; }"""
CANCEL = """async () => {
  const panel = [...document.querySelectorAll('.gnb-tuning')].pop(), start = performance.now();
  panel.querySelector('.gnb-engine .gnb-button').click();
  while (panel.querySelector('.gnb-progress').textContent !== 'Stopped.') {
    if (performance.now() - start > 8000) return null;
    await new Promise(done => requestAnimationFrame(done)); }
  return performance.now() - start; }"""
FIGURES = "number => Number(number).toPrecision(3)"

Open = Callable[..., AbstractContextManager[Notebook]]


@pytest.fixture(scope="module", params=COMMS)
def comms(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shared(comms: str, open_notebook: Open) -> Iterator[Notebook]:
    with open_notebook(f"bench-{comms}", CELLS, comms) as notebook:
        run(notebook, 0)
        yield notebook


@pytest.fixture
def notebook(shared: Notebook) -> Notebook:
    run(shared, 1)
    expect(slider(shared)).to_be_visible()
    return shared


def run(notebook: Notebook, cell: int, *, ended: bool = True) -> None:
    notebook.cell(cell).locator(".jp-InputArea-editor").click()
    notebook.page.keyboard.press("Control+Enter")
    busy = expect(notebook.cell(cell).locator(".jp-InputPrompt"))
    if ended:
        notebook.ready()
        busy.not_to_have_text("[*]:", timeout=60_000)
    else:
        busy.to_have_text("[*]:")


def slider(notebook: Notebook) -> Locator:
    return notebook.cell(1).get_by_role("slider", name="Factor of layer_2")


def drag(notebook: Notebook, seconds: float) -> float:
    """Sixty moves a second, back and forth. Where the slider stands in the end."""
    slider(notebook).scroll_into_view_if_needed()
    box = slider(notebook).bounding_box()
    assert box is not None
    y, left, width = box["y"] + box["height"] / 2, box["x"] + 8, box["width"] - 16
    page, frames = notebook.page, int(60 * seconds)
    page.mouse.move(left + width / 2, y)
    page.mouse.down()
    start = page.evaluate("performance.now()")
    for frame in range(frames):
        share = abs((frame * 7 % 200) - 100) / 100 if frame < frames - 1 else 0.25
        page.mouse.move(left + width * share, y)
        page.wait_for_timeout(max(0.0, start + 1000 * (frame + 1) / 60 - page.evaluate("performance.now()")))
    page.mouse.up()
    return float(slider(notebook).input_value())


def test_a_drag_never_queues_more_than_one_run_and_the_last_value_is_what_is_shown(notebook: Notebook) -> None:
    notebook.python("asked.clear(); most = 0")

    value = drag(notebook, 3)

    assert value == pytest.approx(0.5, abs=0.02)  # where the hand let go, whatever the kernel was at
    notebook.python_until("bench.wait(5); print(bench.factors['layer_2'])", str(value))
    factor, divergence, steps = notebook.python(
        f"print(bench.factors['layer_2'], {FRESH}, len(bench.desk.history.past))"
    ).split()
    assert float(factor) == pytest.approx(value)
    figures = notebook.page.evaluate(FIGURES, divergence)
    expect(notebook.cell(1).locator(".gnb-verdict")).to_contain_text(f"KL {figures} nats")
    moves, most = map(int, notebook.python("print(len(asked), most)").split())
    assert moves > 3
    assert most <= 2  # one under way, one waiting
    assert steps == "1"  # one gesture is one step for undo


def test_every_move_has_its_picture_and_how_long_that_takes(notebook: Notebook, comms: str) -> None:
    took = [notebook.page.evaluate(NUDGE, 0.1 + 0.04 * step) for step in range(21)]

    print(f"\nslider to picture, {comms}: {statistics.median(took):.0f} ms ({min(took):.0f}–{max(took):.0f})")
    notebook.python_until("bench.wait(5); print(bench.factors['layer_2'])", "0.9")
    assert notebook.python(f"print(bench.comparison.divergence == {FRESH})") == "True"


def test_a_forward_in_a_cell_is_never_touched_by_a_drag(notebook: Notebook) -> None:
    run(notebook, 2, ended=False)
    drag(notebook, 2)
    notebook.ready()

    assert notebook.python("bench.wait(5); print(changed, forwards > 50)") == "0 True"
    assert notebook.python("print(bench.factors['layer_2'] != 1, hooks_on(garage.model))") == "True {}"


def test_cancel_stops_a_long_run(notebook: Notebook, comms: str) -> None:
    """With a busy cell where the notebook delivers messages to a busy kernel; elsewhere nothing could reach it."""
    run(notebook, 3)
    cancel = notebook.cell(3).get_by_role("button", name="Stop the run under way")
    expect(cancel).to_be_visible()
    if comms == "perCommTarget":
        run(notebook, 2, ended=False)
    took = notebook.page.evaluate(CANCEL)
    notebook.ready()

    print(f"\ncancel, {comms}: {took} ms")
    assert took is not None
    expect(cancel).to_be_hidden()
    assert notebook.python("print(long.wait(0), long.generation, hooks_on(large))") == "True None {}"


@pytest.mark.parametrize("times", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_cell_run_again_and_again_leaves_one_bench_no_hook_and_no_thread(notebook: Notebook, times: int) -> None:
    for _ in range(times):
        run(notebook, 1)

    assert notebook.python(f"bench.wait(5); gc.collect(); print(len({BENCHES}) - ('long' in globals()))") == "1"
    assert notebook.python(f"print(hooks_on(garage.model), {THREADS})") == "{} []"


def test_a_kernel_that_is_gone_greys_it_and_says_what_to_do(shared: Notebook) -> None:
    run(shared, 1)
    shared.restart()

    panel = shared.cell(1).locator(".gnb")
    expect(panel).to_contain_text("The kernel is gone. Run this cell again.")
    expect(panel.locator(".gnb-body")).to_have_attribute("inert", "")
    run(shared, 0)
    run(shared, 1)
    expect(slider(shared)).to_be_visible()
    expect(shared.cell(1).locator(".gnb-gone")).to_have_count(0)
