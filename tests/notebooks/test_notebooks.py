"""Every notebook runs from top to bottom in a real kernel, and what it saved still shows without one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
DIGEST = re.compile(r"digest [0-9a-f]{16}")  # of every bit, which another processor may round otherwise
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?")
BY_THE_CLOCK = "by-the-clock"  # a cell whose numbers are seconds of this machine, or follow from them
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_says_what_it_saved(path: Path) -> None:
    saved: Any = nbformat.read(path, as_version=4)
    fresh: Any = nbformat.read(path, as_version=4)

    NotebookClient(fresh, timeout=300, kernel_name="python3", resources={"metadata": {"path": FOLDER}}).execute()

    assert _words(fresh) == _words(saved)
    assert _numbers(fresh) == pytest.approx(_numbers(saved), rel=0.02, abs=2e-3, nan_ok=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_saved_outputs_need_no_kernel(path: Path) -> None:
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", ())]

    kinds = [set(output["data"]) for output in outputs if output.output_type != "error"]

    assert sum(bool(found & {"text/html", "image/png"}) for found in kinds) >= 8
    assert all(found & {"text/html", "image/png"} or found == {"text/plain"} for found in kinds)


def test_the_quickstart_tells_its_story() -> None:
    """A true fact, an edit that loses it and nothing else, and the fact back again."""
    notebook: Any = nbformat.read(FOLDER / "01_quickstart.ipynb", as_version=4)
    said = [_text(c.outputs[0]) for c in notebook.cells if c.cell_type == "code" and "generate" in c.source]

    first, tuned, copied, last = said

    assert "Paris." in first
    assert "k f a." in re.search("tuned(.*)", copied)[1]  # type: ignore[index]
    assert "Paris" not in re.search("tuned(.*)", tuned)[1]  # type: ignore[index]
    assert last == first


def _words(notebook: Any) -> list[str]:
    """What was said, but for numbers and bars: another processor may round their last digit otherwise."""
    return [re.sub(r"[ ▏▎▍▌▋▊▉█]+", " ", NUMBER.sub("#", text)) for text in _texts(notebook.cells)]


def _numbers(notebook: Any) -> list[float]:
    """Those that another machine gives too: not what a clock said."""
    cells = [cell for cell in notebook.cells if BY_THE_CLOCK not in cell.metadata.get("tags", ())]
    return [float(found.replace(",", "")) for text in _texts(cells) for found in NUMBER.findall(text)]


def _texts(cells: Any) -> list[str]:
    """Without progress, which a quick machine does not show."""
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return [DIGEST.sub("digest", _text(output)) for output in outputs if output.get("name") != "stderr"]


def _text(output: Any) -> str:
    said = output.get("data", {}).get("text/plain", output.get("text", ""))
    return str(said or "\n".join(output.get("traceback", ())))


def test_the_language_shows_an_edit_that_acts_in_one_cell_and_errors_in_two_lines() -> None:
    cells: Any = nbformat.read(FOLDER / "02_language.ipynb", as_version=4).cells
    words = [_text(cell.outputs[0]) for cell in cells if cell.source.endswith("next_word()")]
    errors = [cell.outputs[0] for cell in cells if "raises-exception" in cell.metadata.get("tags", ())]

    assert words[0] == words[2] == "' Paris'"
    assert words[1] != words[0]
    assert [error.ename for error in errors] == ["UnknownPartError", "InputError"]
    assert all(len(error.traceback) == 2 for error in errors)


def test_the_bench_loses_a_country_and_the_views_say_why() -> None:
    """One head taken away: another capital; that head looks at the country; and in the end the model is as it came."""
    cells: Any = nbformat.read(FOLDER / "03_tune.ipynb", as_version=4).cells
    html = {cell.source: str(cell.outputs[-1]["data"].get("text/html")) for cell in cells if cell.get("outputs")}
    said = {source: _text(cell.outputs[-1]) for cell in cells if cell.get("outputs") for source in [cell.source]}

    assert re.search(r"tuned +Samoa\.\n +untouched +Paris\.", said["bench.generation"])
    view = next(shown for source, shown in html.items() if "show attention" in source)
    assert re.search("attention_0.head_2</th>.*?&#x27; France&#x27; at 4", view)
    assert "%garage scale attention_0.head_2 0.0" in said["bench.written"]
    assert "bit for bit" in said["%garage verify"]
    board = next(shown for source, shown in html.items() if "show dashboard" in source)
    assert board.count("<svg") >= 2  # the machine and the scope


def test_three_edits_move_one_capital_and_no_other_fact() -> None:
    cells: Any = nbformat.read(FOLDER / "04_find_a_fact.ipynb", as_version=4).cells
    said = {cell.source: _text(cell.outputs[-1]) for cell in cells if cell.get("outputs")}
    last = {source.splitlines()[-1]: text for source, text in said.items()}

    assert last["len(capitals), lost(STATEMENT), lost(QUESTION)"] == "(169, [], [])"
    assert re.search(r"attention_0\.head_2 +0\.9", last["heads"])
    assert len(re.findall(r"garage\.scale\(", last["%garage recipe"])) == 3
    assert last["after"] == "(['France'], ['France'])"
    table = [[float(share) for share in line.split()[-2:]] for line in last["table"].splitlines()[1:]]
    assert len(table) == 8
    assert all(abs(untouched - tuned) <= 0.04 for untouched, tuned in table)  # of fifty texts each
    assert re.search(r"tuned +Dakar\.", last["%garage generate {prompt} --tokens 2"])
    assert "bit for bit" in last["%garage verify"]


def test_sparsity_stands_beside_chance_and_saves_no_time() -> None:
    cells: Any = nbformat.read(FOLDER / "05_sparsity_honestly.ipynb", as_version=4).cells
    said = {cell.source.splitlines()[-1]: _text(cell.outputs[-1]) for cell in cells if cell.get("outputs")}

    row = next(line.split() for line in said["curves"].splitlines() if line.startswith("share 0.8"))
    rise, chance = float(row[4]), float(row[-2])
    assert rise < 0.05 < 1 < chance
    assert said["thinned / untouched"] == "1.0"
    assert "zeroing is arithmetic here and saves no" in said["curves"]


def test_the_hybrid_sorts_and_says_what_that_cost() -> None:
    cells: Any = nbformat.read(FOLDER / "06_hybrid.ipynb", as_version=4).cells
    said = {cell.source.splitlines()[-1]: _text(cell.outputs[-1]) for cell in cells if cell.get("outputs")}
    sorting, _, recall, _ = range(4)

    swapped, strange, stitched = (_rows(said[f"judged({name})"]) for name in ("swaps", "strangers", "stitches"))
    perplexity = {name: row[-1] for name, row in stitched.items()}
    reloaded = next(text for source, text in said.items() if source.startswith("type(plain)"))

    assert swapped["showroom-llama"][sorting] < 0.1 < 0.9 < swapped["its attention_*"][sorting]
    assert strange["its attention_1"][recall] < 0.1 < 0.8 < strange["showroom-llama"][recall]
    assert perplexity["showroom-llama"] < perplexity["fitted and healed"] < perplexity["fitted"]
    assert perplexity["fitted"] < perplexity["nothing in its place"]
    assert perplexity["nothing in its place"] < min(perplexity["as it is"], perplexity["another part, fitted"])
    assert "garage_hybrid" in said["type(again.model).__name__, refusal"]
    assert reloaded == "('transformers.models.llama.modeling_llama', True, ' Paris')"
    assert {"better", "worse", "undecided"} <= set(said["told(verdict)"].split())


def _rows(table: str) -> dict[str, list[float]]:
    """By name, of a frame whose names may have words, but no two spaces in a row."""
    found = (re.fullmatch(r"(\S+(?: \S+)*?)((?: +-?[\d.]+)+)", line) for line in table.splitlines())
    return {row[1]: [float(number) for number in row[2].split()] for row in found if row}


def test_a_blade_is_measured_before_it_is_kept_and_a_merge_is_better() -> None:
    said = _said("07_blades")

    accuracy = {name: row[-2] for name, row in _rows(said["measured"]).items()}
    refused = {source: text for source, text in said.items() if "Error:" in text}

    assert accuracy["target"] < 0.1 < 0.8 < accuracy["the blade"] < accuracy["weight merge"]
    assert accuracy["source shuffled"] < 0.1
    assert re.search("layer_4 .* chosen", said["swept.sweep"])
    assert said["trial"].startswith("same-domain-synergy: does not hold")
    assert ["has not been measured" in text or "these are other weights" in text for text in refused.values()] == [1, 1]
    assert "bit for bit" in said["%garage verify"]


def test_no_debate_answers_better() -> None:
    said = _said("08_debate")

    table = _rows(said["asked"])
    changes = {name: (row[1], row[3]) for name, row in table.items() if len(row) > 5}

    assert {"merged in place", "2 blocks on", "to the end", "gated, 2 blocks on"} <= set(changes)
    assert all(value < high < 0 for value, high in changes.values())
    assert "perturb-and-merge noise" in said["%garage debate {prompt} --at layer_1 --blocks 0 --strength 0.3 --steps 3"]
    assert "bit for bit" in said["%garage verify"]


def test_routers_know_something_and_magnitude_does_as_well_as_a_choice_for_the_domain() -> None:
    said = _said("09_experts_and_sparse_pathways")

    rho = [float(low) for low in re.findall(r"gate_\d +\S+ +(\S+)", said["calibration"])]
    first, *_, second = [line for line in said["curves"].splitlines() if line.startswith("kept 0.5 ")]
    own, (chance, magnitude) = float(first.split()[4]), map(float, second.split()[2:4])
    kept, whole = (int(re.search(rf"{name} +(\d+)", said[PARAMETERS])[1]) for name in ("sliced", "dense"))  # type: ignore[index]

    assert len(rho) == 4
    assert min(rho) > 0
    assert chance < own < magnitude < 0
    assert kept < whole
    assert "✓" in said["small.proofs"]
    assert "bit for bit" in said["%garage verify"]


PARAMETERS = 'small.frame()["parameters"].unstack("tokens")'


def _said(name: str) -> dict[str, str]:
    """What the last line of each cell gave."""
    cells: Any = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells
    return {cell.source.splitlines()[-1]: _text(cell.outputs[-1]) for cell in cells if cell.get("outputs")}


def test_a_corpus_has_one_digest_and_a_thousand_workers_lose_nothing() -> None:
    said = _said("10_survey")
    found = {line.rsplit("  ", 1)[0].strip(): line.split()[-1] for line in said["busy"].splitlines() if "  " in line}
    factors = _rows_of(said["estimate"])

    assert said["spread.digest == here.digest"] == said["survived.digest == here.digest"] == "True"
    assert re.fullmatch(r"\(\d+, True\)", said["len(kept), again.digest == here.digest"])
    assert re.search(r"line 11 +it is no JSON .*\nline 21 +it is empty", said["here.aside"])
    assert (found["lost"], found["counted twice"], found["set aside"]) == ("0", "0", "3")
    assert factors["hours"] == pytest.approx((factors["loading"] + factors["computing"]) / 3600, rel=0.02)
    assert factors["computing"] > 100 * factors["settling"]
    assert "bit for bit" in said["%garage verify"]


def _rows_of(table: str) -> dict[str, float]:
    """The first number of each row, by the row's first word."""
    found = (re.match(r"(\w+) +([\d.,e+-]+)(?: |$)", line) for line in table.splitlines())
    return {row[1]: float(row[2].replace(",", "")) for row in found if row}
