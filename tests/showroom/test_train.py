"""The trainer in miniature: it learns, it goes on where it was, and a seed is a model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from garage_nb.errors import InputError
from garage_nb.showroom import checkpoint, floor, items
from garage_nb.showroom.evaluate import exercises, greedy, score
from garage_nb.showroom.recipes import Recipe, Share, recipe
from garage_nb.showroom.rows import batch
from garage_nb.showroom.tokenizer import build
from garage_nb.showroom.train import export, train

LLAMA = recipe("showroom-llama")
TINY = replace(LLAMA, layers=2, steps=6, batch_tokens=256)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads add in another order, and fight with whatever else runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _weights(recipe: Recipe, work: Path) -> list[torch.Tensor]:
    return [weight.detach() for weight in train(recipe, work=work).model.parameters()]


def _same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["showroom-llama", "showroom-gpt2", "showroom-moe"])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(name: str, tmp_path: Path) -> None:
    tiny = replace(recipe(name), layers=2, steps=6, batch_tokens=256)
    whole = _weights(tiny, tmp_path / "whole")

    train(tiny, work=tmp_path / "parts", until=3)
    assert _same(whole, _weights(tiny, tmp_path / "parts"))


def test_a_seed_is_a_model(tmp_path: Path) -> None:
    first = _weights(TINY, tmp_path / "first")

    assert _same(first, _weights(TINY, tmp_path / "again"))
    assert not _same(first, _weights(replace(TINY, seed=1), tmp_path / "other"))


def test_a_checkpoint_is_one_safe_file(tmp_path: Path) -> None:
    train(TINY, work=tmp_path)

    assert [file.name for file in (tmp_path / TINY.name).iterdir()] == [checkpoint.FILE]


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train(TINY, work=tmp_path, until=1)

    with pytest.raises(InputError, match="left by another recipe"):
        train(replace(TINY, rate=1e-4), work=tmp_path)


def test_a_specialist_starts_from_its_general_model(tmp_path: Path) -> None:
    general = train(TINY, work=tmp_path)
    export(general, tmp_path / "models" / TINY.name)

    fork = replace(TINY, name="fork", forked_from=TINY.name, steps=0)
    forked = train(fork, work=tmp_path, models=tmp_path / "models")
    assert _same([weight.half().float() for weight in general.model.parameters()], [*forked.model.parameters()])


def test_rows_are_full_and_weigh_answers() -> None:
    tokenizer = build()
    drawn = batch(tokenizer, (Share("sorting", 1.0),), tokens=1024, seed=0, step=0)
    text = tokenizer.decode(drawn.ids[0].tolist(), skip_special_tokens=False)

    assert drawn.ids.size == 1024
    assert text.startswith("<|bos|>sort: ")
    assert (drawn.weights[drawn.answers] == 1).all()
    assert drawn.weights[~drawn.answers].max() == 0.25
    assert 0 < (drawn.weights[~drawn.answers] > 0).mean() < 0.4


def test_the_miniature_learns(tmp_path: Path) -> None:
    """A minute of the real trainer: two layers, three domains."""
    shares = (Share("sorting", 1.0), Share("brackets", 1.0), Share("stories", 1.0))
    run = train(replace(LLAMA, layers=2, steps=300, shares=shares), work=tmp_path)
    learned = score(greedy(run.model), exercises(build(), items("sorting", n=200)))

    assert [step for step, _ in run.curve] == [100, 200, 300]
    assert run.curve[-1][1] < 0.5 * run.curve[0][1]
    assert learned.interval[0] > floor("sorting") + 0.15
