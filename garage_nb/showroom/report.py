"""Measuring a finished model directory and writing its card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import corpus, depth
from .card import REPRODUCES_WITHIN, Card
from .depth import Depth
from .domains import DOMAINS
from .evaluate import exercises, greedy, score
from .recipes import Recipe
from .tokenizer import build, tokenizer_hash

STANDARD_N, HARD_N, DEPTH_N = 400, 200, 150


def write(recipe: Recipe, folder: Path, *, seconds: float, curve: list[tuple[int, float]]) -> Card:
    """Opens the directory as a user would, so that the fp16 weights are what is measured."""
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)
    used = depth.measure(model, build(), DEPTH_N)
    card = Card(
        name=recipe.name,
        about=recipe.about,
        recipe=asdict(recipe),
        parameters=sum(weight.numel() for weight in model.parameters()),
        tokens=recipe.steps * recipe.batch_tokens,
        seconds=round(seconds, 1),
        made_with={"torch": torch.__version__, "threads": str(torch.get_num_threads())},
        corpus_hash=corpus.corpus_hash(),
        tokenizer_hash=tokenizer_hash(),
        reproduces_within=REPRODUCES_WITHIN,
        curve=[list(point) for point in curve],
        standard=_scores(model, "standard", STANDARD_N),
        hard=_scores(model, "hard", HARD_N),
        depth=_table(used),
        gate=depth.failures(used),
    )
    card.save(folder)
    return card


def _scores(model: nn.Module, level: str, n: int) -> dict[str, dict[str, Any]]:
    tokenizer = build()
    return {
        domain: score(greedy(model), exercises(tokenizer, corpus.items(domain, n=n, level=level))).to_json()
        | {"floor": round(corpus.floor(domain, level), 4)}
        for domain in DOMAINS
    }


def _table(used: Depth) -> dict[str, Any]:
    blocks = range(used.blocks)
    return {
        "n": used.n,
        "drops": {domain: [round(used.drop(domain, block), 3) for block in blocks] for domain in used.whole},
        "lens": {domain: [round(share, 3) for share in used.lens[domain]] for domain in used.whole},
        "peaks": {domain: used.peak(domain) for domain in used.whole},
    }
