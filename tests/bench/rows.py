"""The benchmark's rows: what is asked, beside what, and what it may cost at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .player import Player, Work
from .players.bare import Bare

LONG, SHORT, GRID, NEW = 128, 24, 16, 32  # tokens read, where the question is short, of a patch grid, written
SCALES = tuple(round(0.05 * step, 2) for step in range(1, 33))
HALF, SLIGHT = 0.5, 0.9


@dataclass(frozen=True, kw_only=True)
class Row:
    """`base` is the bare model's work, `work` the player's; `peak` compares bytes where others compare seconds.

    The player is held against `times` the base, for a base of many passes that are all alike. `rounds` is at most how
    often a long one is asked for.
    """

    name: str
    title: str
    question: str
    tokens: int
    base: Callable[[Bare, Tensor], Work]
    work: Callable[[Player, Tensor], Work]
    target: float | None = None
    peak: bool = False
    times: int = 1
    rounds: int = 99

    def ids(self, vocab: int, device: str) -> Tensor:
        made = torch.randint(0, vocab, (1, self.tokens), generator=torch.Generator().manual_seed(0))
        return made.to(device)


def rows(layers: int) -> dict[str, Row]:
    """By name, for a model of so many layers."""
    made = [
        *_captures(layers),
        *_moves(layers),
        _sweep(layers),
        *_grids(layers),
        _generation(layers),
        _patterns(),
        *_memory(),
    ]
    return {row.name: row for row in made}


def _at(layers: int, twelfth: int) -> int:
    return twelfth * layers // 12


def _captures(layers: int) -> list[Row]:
    third = _at(layers, 3)
    return [
        Row(
            name="statistics", title="statistics of all layers, no logits", question="statistics", tokens=LONG,
            base=Bare.forward, work=lambda player, ids: player.statistics(ids), target=0.85,
        ),
        Row(
            name="statistics and logits", title="statistics of all layers, all logits",
            question="statistics_and_logits", tokens=LONG,
            base=Bare.forward, work=lambda player, ids: player.statistics_and_logits(ids), target=1.05,
        ),
        Row(
            name="layer", title=f"layer {third} of {layers} and stop", question="layer", tokens=LONG,
            base=Bare.forward, work=lambda player, ids: player.layer(ids, third), target=0.29,
        ),
        Row(
            name="idle", title="idle (= : bit-equal logits)", question="idle", tokens=LONG,
            base=Bare.forward, work=lambda player, ids: player.idle(ids), target=1.00,
        ),
    ]  # fmt: skip


def _moves(layers: int) -> list[Row]:
    return [_move(layers, _at(layers, twelfth)) for twelfth in (0, 4, 8, 11)]


def _move(layers: int, index: int) -> Row:
    return Row(
        name=f"slider {index}", title=f"slider move at layer {index}", question="slider", tokens=LONG,
        base=Bare.forward, work=lambda player, ids: player.slider(ids, index, HALF),
        target=0.80 * (layers - index) / layers + 0.06,
    )  # fmt: skip


def _sweep(layers: int) -> Row:
    middle = _at(layers, 6)
    return Row(
        name="sweep", title=f"{len(SCALES)} scales at layer {middle} / {len(SCALES)} forwards", question="sweep",
        tokens=SHORT, base=lambda bare, ids: bare.forwards(ids, len(SCALES)),
        work=lambda player, ids: player.sweep(ids, middle, torch.tensor(SCALES, device=ids.device)), target=0.30,
    )  # fmt: skip


def _grids(layers: int) -> list[Row]:
    """A pair of one template, where one word a quarter in is another, and a pair without a word in common: what is the
    same in both prompts need not be run.
    """
    return [_grid(layers, "one word apart", _one_other), _grid(layers, "no word alike", _all_other)]


def _grid(layers: int, apart: str, clean: Callable[[Tensor], Tensor]) -> Row:
    return Row(
        name=f"patch grid, {apart}", title=f"{layers} x {GRID} patches, {apart}",
        question="patch_grid", tokens=GRID, base=lambda bare, ids: bare.forwards(ids, layers), times=GRID,
        work=lambda player, ids: player.patch_grid(clean(ids), ids), target=0.25, rounds=3,
    )  # fmt: skip


def _one_other(ids: Tensor) -> Tensor:
    other = ids.clone()
    other[:, GRID // 4] = ids[:, -1]
    return other


def _all_other(ids: Tensor) -> Tensor:
    return ids.roll(1, dims=1)


def _generation(layers: int) -> Row:
    edited = tuple(_at(layers, twelfth) for twelfth in (2, 6, 10))
    return Row(
        name="generation", title=f"{NEW} tokens under three edits / generate", question="generate", tokens=SHORT,
        base=lambda bare, ids: bare.generation(ids, NEW),
        work=lambda player, ids: player.generate(ids, edited, SLIGHT, NEW), target=1.05,
    )  # fmt: skip


def _patterns() -> Row:
    return Row(
        name="patterns", title="attention patterns of all layers", question="patterns", tokens=LONG,
        base=Bare.forward, work=lambda player, ids: player.patterns(ids),
    )  # fmt: skip


def _memory() -> list[Row]:
    """In activations of one layer. A forward beside its like: the vocabulary's share would hide everything else."""
    return [
        Row(
            name="memory", title="peak memory of row 1 - headless forward", question="statistics", tokens=LONG,
            base=Bare.body, work=lambda player, ids: player.statistics(ids), target=1.0, peak=True,
        ),
        Row(
            name="memory and logits", title="peak memory of row 2 - bare forward", question="statistics_and_logits",
            tokens=LONG, base=Bare.forward, work=lambda player, ids: player.statistics_and_logits(ids), target=1.0,
            peak=True,
        ),
    ]  # fmt: skip
