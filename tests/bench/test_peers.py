"""The match itself, with a real process around a tiny model: what is asked is answered, and what fails is said."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch
import transformers

from tests.bench.peers import Cell, Dash, Line, Match
from tests.bench.players.bare import Bare
from tests.bench.players.garage_nb import GarageNB
from tests.bench.players.hooks import Hooks
from tests.bench.server import Table
from tests.bench.shapes import Shape, load, twin

TINY = Shape("tiny", lambda: transformers.GPT2Config(n_layer=12, n_embd=16, n_head=2, vocab_size=100))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tiny")
    TINY.save(place)
    return place


@pytest.fixture(scope="module")
def match(folder: Path) -> Match:
    return Match(TINY, folder, 2, {"bare": Path(sys.executable), "nobody": Path(shutil.which("false") or "")})


@pytest.fixture(scope="module")
def lines(match: Match) -> dict[str, Line]:
    return {row.name: line for row, line in match.played()}


@pytest.fixture
def hooks(folder: Path) -> Table:
    model = load(folder, "cpu", "float32")
    return Table(Hooks(twin(model)), Bare(model), "cpu")


def test_the_bare_player_equals_itself_and_says_what_it_runs_on(match: Match, lines: dict[str, Line]) -> None:
    cell = lines["idle"]["bare"]

    assert isinstance(cell, Cell)
    assert (cell.off, cell.equal, cell.ratio.pairs) == (0.0, True, 2)
    assert min(cell.ratio.theirs, cell.ratio.ours) > 0
    assert match.hellos["bare"]["versions"]["torch"] == torch.__version__


def test_what_a_player_cannot_do_is_a_dash_in_its_words_and_it_plays_on(lines: dict[str, Line]) -> None:
    assert lines["slider 8"]["bare"] == Dash("transformers has no edits")
    assert isinstance(lines["patterns"]["bare"], Cell)


def test_a_process_that_dies_is_a_dash_in_every_row(lines: dict[str, Line]) -> None:
    assert {name: line["nobody"] for name, line in lines.items()} == dict.fromkeys(
        lines, Dash("its process ended: without a word")
    )


def test_what_breaks_is_an_answer(hooks: Table) -> None:
    assert hooks.answer({"row": "nonsense"}) == {"cannot": "failed: KeyError: 'nonsense'"}


@torch.no_grad()
def test_plain_hooks_that_keep_no_layer_need_less_than_one_more(hooks: Table) -> None:
    answer = hooks.answer({"row": "memory"})

    assert 0 <= answer["ours"] - answer["theirs"] < 128 * 16 * 4


@torch.no_grad()
def test_thirty_two_forwards_stand_beside_a_sweep(hooks: Table) -> None:
    once, sweep = hooks.answer({"row": "idle"}), hooks.answer({"row": "sweep"})

    assert sweep["theirs"] > 4 * once["theirs"]
    assert sweep["equal"]


@torch.no_grad()
def test_a_patch_grid_is_that_of_one_forward_a_cell(folder: Path) -> None:
    model = load(folder, "cpu", "float32")

    answer = Table(GarageNB(twin(model)), Bare(model), "cpu").answer({"row": "patch grid, one word apart"})

    assert answer["off"] <= 1e-5
