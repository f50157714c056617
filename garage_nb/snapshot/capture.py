"""SnapshotCapture: one pass over a prompt, every asked part in numbers, the tensors only where wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..core.batch import Batch, Prompt, prepare
from ..core.room import KEPT, demand_room
from ..core.run import read
from ..core.sites import Read, Site, Tap, tokens_first
from ..core.stats import TAU, Statistics, asked, demand_threshold, real_tokens, reduce, rows_of
from ..errors import NotFiniteError
from ..registry.decompose import spec_of
from ..registry.room import bytes_of
from .snapshots import Snapshot, Snapshots


class SnapshotCapture:
    """Captures from one model, as it is or under a recipe's taps."""

    def __init__(self, model: nn.Module, tokenizer: Any = None) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.spec = spec_of(model)

    def run(
        self,
        prompt: Prompt,
        layers: str | int | Iterable[str | int] = "all",
        *,
        under: Iterable[Tap] = (),
        keep: bool = False,
        tau: float = TAU,
        statistics: str | Iterable[str] | None = None,
    ) -> Snapshots:
        """Name -> Snapshot for every part that `layers` selects, under the names it was asked by.

        Statistics are reduced on the model's device while the pass runs and cross to the host once; of `statistics`,
        where given, only those, the others are NaN. `keep` keeps the hidden states, (batch, seq, dim) each; InputError
        where they would take more than KEPT bytes, told before the model runs. NotFiniteError names the first part that
        holds NaN or infinity.
        """
        demand_threshold(tau)
        names, wanted = asked(statistics), self._labelled(layers)
        batch = prepare(prompt, self.model, self.tokenizer)
        tokens = _Tokens(batch)
        sites = {label: self.spec.site(name) for label, name in wanted.items()}
        kept = self._room_for(list(wanted.values()), batch) if keep else 0
        shots = {label: _Shot(site, tokens, keep, tau, names) for label, site in sites.items()}
        taps: list[Tap] = [Read(site, shots[label]) for label, site in sites.items()]
        edits = list(under)
        read(self.model, batch, [*edits, *taps], chain=self.spec.chain)
        snapshots = _developed(shots, names)
        edited = {tap.site for tap in edits}
        return Snapshots(
            snapshots,
            model_id=self.spec.model_id,
            tau=tau,
            tokens=tokens.count,
            changed=frozenset(label for label, site in sites.items() if site in edited),
            kept=kept,
        )

    def _room_for(self, names: Sequence[str], batch: Batch) -> int:
        """Bytes of all hidden states at these places, before any of them is there."""
        need = bytes_of(self.spec, names, batch, next(self.model.parameters()).element_size())
        what = f"The hidden states of {len(names):,} parts over {batch.input_ids.numel():,} tokens"
        demand_room(what, need, KEPT, "Name fewer parts, give fewer or shorter prompts, or leave keep out.")
        return need

    def _labelled(self, layers: str | int | Iterable[str | int]) -> dict[str, str]:
        """Label -> catalogue name. A list of names keeps the user's own spelling; a selector gets catalogue names."""
        if isinstance(layers, str) or not isinstance(layers, Iterable):
            return {name: name for name in self.spec.usable(layers)}
        return {
            label: name
            for item in list(layers) or [""]  # `select` says what is wrong with nothing
            for name in self.spec.usable(item)
            for label in [str(item) if str(item) in self.spec.module_paths else name]
        }


class _Tokens:
    """The real tokens of a batch. Where they stand among padding is asked once, not at every place."""

    def __init__(self, batch: Batch) -> None:
        self.padding = batch.padding
        self.real = None if self.padding is None else real_tokens(self.padding)
        self.count = batch.input_ids.numel() if self.real is None else len(self.real)


class _Shot:
    """One place during one pass."""

    def __init__(self, site: Site, tokens: _Tokens, keep: bool, tau: float, names: Sequence[str]) -> None:
        self.site, self.tokens, self.keep, self.tau, self.names = site, tokens, keep, tau, names
        self.hidden: Tensor | None = None

    def __call__(self, hidden: Tensor) -> None:
        rows = rows_of(tokens_first(self.site, hidden), self.tokens.padding, self.tokens.real)
        self.row = reduce(rows, self.tau, self.names)
        self.shape, self.dtype = tuple(hidden.shape), hidden.dtype
        if self.keep:
            self.hidden = hidden.detach().clone()  # some blocks write into their output afterwards

    def snapshot(self, name: str, statistics: Statistics) -> Snapshot:
        return Snapshot(name, statistics, self.shape, str(self.dtype).removeprefix("torch."), self.hidden)


def _developed(shots: dict[str, _Shot], names: Sequence[str]) -> dict[str, Snapshot]:
    rows = torch.stack([shot.row for shot in shots.values()]).tolist()  # the one transfer to the host
    pairs = zip(shots.items(), rows, strict=True)
    snapshots = {label: shot.snapshot(label, Statistics.from_row(row, names)) for (label, shot), row in pairs}
    _demand_finite(snapshots)
    return snapshots


def _demand_finite(snapshots: dict[str, Snapshot]) -> None:
    for name, snapshot in snapshots.items():
        if snapshot.statistics.non_finite:
            raise NotFiniteError(
                f"{snapshot.statistics.non_finite} values at {name} are NaN or infinite, the first such place.",
                "Undo the last edit, or load the model in float32.",
            )
