"""Training a showroom model from nothing: `python -m garage_nb.showroom.train showroom-llama`.

Two CPU cores are enough. Interrupt it when you like: the same command goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer
from tqdm.auto import tqdm

from ..errors import InputError
from . import checkpoint, report, rows
from .corpus import corpus_hash
from .recipes import EXPERTS, EXPERTS_PER_TOKEN, RECIPES, Recipe, new_model, recipe
from .shelf import MODELS, write_index
from .tokenizer import build, for_transformers

WARM_UP = 50
LAST_RATE = 0.03  # of the full rate, where the cosine ends
SMOOTH = 100  # steps per point of the loss curve
CHECKPOINT_EVERY = 500


@dataclass(kw_only=True)
class Run:
    """One training under way. `curve` holds (step, mean answer loss of the last 100 steps)."""

    recipe: Recipe
    model: Any
    optimizers: list[Optimizer]
    step: int = 0
    seconds: float = 0.0
    curve: list[tuple[int, float]] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)

    def notes(self) -> dict[str, Any]:
        progress = {"step": self.step, "seconds": self.seconds, "curve": self.curve, "recent": self.recent}
        return {"origin": _origin(self.recipe), "progress": progress}


def train(recipe: Recipe, *, work: Path, models: Path = MODELS, until: int | None = None) -> Run:
    """Runs to the end of the recipe, or to step `until`; leaves a checkpoint in `work` / name."""
    torch.manual_seed(recipe.seed)
    tokenizer = build()
    run = _start(recipe, tokenizer.get_vocab_size(), models)
    _resume(run, work / recipe.name)
    last = recipe.steps if until is None else until
    for step in tqdm(range(run.step, last), initial=run.step, total=last, desc=recipe.name, mininterval=1):
        began = time.process_time()
        batch = rows.batch(tokenizer, recipe.shares, tokens=recipe.batch_tokens, seed=recipe.seed, step=step)
        run.recent.append(_learn(run, batch))
        run.step = step + 1
        run.seconds += time.process_time() - began
        _record(run, work / recipe.name, last)
    return run


def export(run: Run, folder: Path) -> None:
    """The model directory: fp16 weights, configuration, tokenizer. It opens in float32, as it was measured."""
    run.model.generation_config.update(do_sample=False, max_new_tokens=32)
    run.model.half().save_pretrained(folder)
    run.model.float().config.dtype = torch.float32
    run.model.config.save_pretrained(folder)
    for_transformers().save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes for the owner's eyes only, and a wheel keeps the mode


def _start(recipe: Recipe, vocabulary: int, models: Path) -> Run:
    model = new_model(recipe, vocabulary)
    if recipe.forked_from is not None:
        model = _opened(models / recipe.forked_from)
    matrices = [weight for name, weight in model.named_parameters() if _is_matrix(name, weight)]
    others = [weight for name, weight in model.named_parameters() if not _is_matrix(name, weight)]
    # Muon makes every gradient matrix a step of even size in all directions. A step takes a third longer, but
    # after 200 seconds side by side the answer loss was 0.62 where AdamW alone had 1.26.
    muon = Muon(matrices, lr=recipe.matrix_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    adam = AdamW(others, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    for group in (*muon.param_groups, *adam.param_groups):
        group["full_rate"] = group["lr"]
    return Run(recipe=recipe, model=model.train(), optimizers=[muon, adam])


def _resume(run: Run, folder: Path) -> None:
    """Goes on from a checkpoint, if there is one. InputError when it was left by another recipe or corpus."""
    notes = checkpoint.load(folder, run.model, run.optimizers)
    if notes is None:
        return
    if notes["origin"] != _origin(run.recipe):
        raise InputError(
            f"{folder / checkpoint.FILE} was left by another recipe or another corpus.", "Delete it to start anew."
        )
    for name, value in notes["progress"].items():
        setattr(run, name, value)


def _origin(recipe: Recipe) -> str:
    return json.dumps([asdict(recipe), corpus_hash()])


def _opened(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False)


def _is_matrix(name: str, weight: Tensor) -> bool:
    return weight.ndim == 2 and (".layers." in name or ".h." in name)


def _learn(run: Run, batch: rows.Batch) -> float:
    """One step; the mean answer loss before it."""
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["full_rate"] * _rate(run.step, run.recipe.steps)
    ids = torch.from_numpy(batch.ids)
    weights, answers = (torch.from_numpy(of[:, 1:]) for of in (batch.weights, batch.answers))
    counted = weights > 0
    hidden, extra = _forward(run, ids)
    logits = run.model.get_output_embeddings()(hidden[:, :-1][counted])
    losses = F.cross_entropy(logits, ids[:, 1:][counted], reduction="none")
    loss = (losses * weights[counted]).sum() / weights.sum() + extra
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    for optimizer in run.optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(losses.detach()[answers[counted]].mean())


def _forward(run: Run, ids: Tensor) -> tuple[Tensor, Tensor | float]:
    """Hidden states (batch, seq, dim) for the head, and what the experts' imbalance costs."""
    if not run.recipe.balance:
        return run.model.base_model(ids, use_cache=False).last_hidden_state, 0.0
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    out = run.model.base_model(ids, use_cache=False, output_router_logits=True)
    imbalance = load_balancing_loss_func(out.router_logits, EXPERTS, EXPERTS_PER_TOKEN)
    return out.last_hidden_state, run.recipe.balance * imbalance


def _rate(step: int, steps: int) -> float:
    """Share of the full rate: a short warm-up, full for the first third, then half a cosine."""
    falling = max(0.0, (step / steps - 1 / 3) / (2 / 3))
    return min(1.0, (step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * falling)) / 2)


def _record(run: Run, folder: Path, last: int) -> None:
    if run.step % SMOOTH == 0:
        run.curve.append((run.step, round(sum(run.recent) / len(run.recent), 4)))
        run.recent.clear()
    if run.step % CHECKPOINT_EVERY == 0 or run.step == last:
        checkpoint.save(folder, run.model, run.optimizers, run.notes())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m garage_nb.showroom.train", description=__doc__)
    parser.add_argument("name", choices=list(RECIPES))
    parser.add_argument("--work", type=Path, default=Path("build/showroom"), help="folder for checkpoints")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder the finished model goes to")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    run = train(recipe(asked.name), work=asked.work, models=asked.models)
    export(run, asked.models / asked.name)
    print(report.write(run.recipe, asked.models / asked.name, seconds=run.seconds, curve=run.curve))
    write_index(asked.models)


if __name__ == "__main__":
    main()
