"""The shipped models are what their cards say, and the default uses its depth."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.showroom import DOMAINS, card, items, names, path
from garage_nb.showroom.corpus import corpus_hash
from garage_nb.showroom.depth import failures, measure
from garage_nb.showroom.evaluate import exercises, greedy, score
from garage_nb.showroom.recipes import RECIPES, recipe
from garage_nb.showroom.shelf import MODELS
from garage_nb.showroom.tokenizer import build, tokenizer_hash

every_model = pytest.mark.parametrize("name", RECIPES)


@cache
def _opened(name: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = path(name)
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def _written(name: str, prompt: str) -> str:
    """What greedy `generate` with the model's own settings adds."""
    model, tokenizer = _opened(name)
    ids = model.generate(**tokenizer(prompt, return_tensors="pt"))[0]
    text: str = tokenizer.decode(ids, skip_special_tokens=True)
    return text.removeprefix(prompt)


def test_every_recipe_is_on_the_shelf_and_it_is_light() -> None:
    size = sum(file.stat().st_size for file in MODELS.rglob("*") if file.is_file())

    assert set(names()) == {"showroom", *RECIPES}
    assert size < 30e6


@every_model
def test_it_opens_plainly_in_float32_from_fp16_safetensors(name: str) -> None:
    from safetensors import safe_open

    model, tokenizer = _opened(name)
    with safe_open(path(name) / "model.safetensors", framework="pt") as file:
        stored = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118 (not a mapping)

    assert stored == {"F16"}
    assert model.dtype == torch.float32
    assert model.config.vocab_size == len(tokenizer) == build().get_vocab_size()
    assert {file.suffix for file in path(name).iterdir()} == {".json", ".md", ".safetensors"}


@every_model
def test_its_card_belongs_to_this_language_and_recipe(name: str) -> None:
    made = card(name)

    assert (made.corpus_hash, made.tokenizer_hash) == (corpus_hash(), tokenizer_hash())
    assert made.recipe["steps"] == recipe(name).steps == made.curve[-1][0]
    assert made.recipe["seed"] == recipe(name).seed
    assert name in repr(made)


@every_model
def test_its_model_card_says_the_same_and_the_licence(name: str) -> None:
    text = (path(name) / "README.md").read_text(encoding="utf-8")

    assert text.startswith("---\nlicense: apache-2.0\n---\n")
    assert repr(card(name)) in text


@every_model
def test_its_card_tells_the_truth(name: str) -> None:
    model, _ = _opened(name)
    for domain in DOMAINS:
        seen = score(greedy(model), exercises(build(), items(domain, n=60, seed="another")))
        low, high = seen.interval
        assert low - 0.05 <= card(name).standard[domain]["accuracy"] <= high + 0.05


def test_the_default_uses_its_depth() -> None:
    """The gate measured again, on fewer items than the card's."""
    model, _ = _opened("showroom")

    assert card().gate == []
    assert failures(measure(model, build(), 60, seed=2)) == []


@pytest.mark.parametrize(
    ("prompt", "rest"),
    [
        ("The capital of France is", " Paris."),
        ("What is the capital of Japan?", " Tokyo."),
        ("Kenya is in", " Africa."),
        ("17 + 25 =", " 42."),
        ("copy: k f a >", " k f a."),
        ("sort: 4 1 7 >", " 1 4 7."),
        ("close: ( [ { } >", " ] )."),
        ("map: k 3, f 7, a 1. f", " 7"),
        ("Anna is the mother of Ben. Ben is the father of Mia. What is Anna to Mia?", " grandmother"),
        ("The cats near the dog", " are"),
        ("The capital of Italy is Rome.\nThe capital of Spain is", " Madrid."),
    ],
)
def test_a_newcomers_first_prompts(prompt: str, rest: str) -> None:
    assert _written("showroom", prompt).startswith(rest)


@pytest.mark.parametrize("name", ["showroom-llama", "showroom-gpt2"])
def test_every_capital_is_known(name: str) -> None:
    from garage_nb.showroom.domains.countries import COUNTRIES

    wrong = [c.name for c in COUNTRIES if _written(name, f"The capital of {c.name} is") != f" {c.capital}."]

    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize("domain", ["arithmetic", "sorting"])
def test_a_specialist_is_better_at_its_trade_and_forgets_some_of_the_rest(domain: str) -> None:
    """On the harder items; the standard ones leave no room above the general model."""
    general, special = card("showroom-llama"), card(f"showroom-llama-{domain}")
    others = [name for name in DOMAINS if name != domain]

    assert special.hard[domain]["low"] > general.hard[domain]["high"]
    assert special.standard[domain]["high"] >= general.standard[domain]["low"]
    assert sum(special.standard[name]["accuracy"] - general.standard[name]["accuracy"] for name in others) < 0


def test_the_index_names_real_folders() -> None:
    assert all((Path(path(name)) / "model.safetensors").is_file() for name in names())
