"""Probe: whether a label can be read off a text's last token by a linear map; fitted on one half of the texts, tried
on the other in a second pass.

Which half a text is in is decided by its ids alone, so equal texts are never on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ...core.files import put, reason
from ...core.regression import Linear, Sums
from ...core.sealed import canonical, digest
from ...errors import EngineError, InputError, LedgerError
from ..corpus.text import Text
from .kinds import Count, Moments, Tally
from .reading import Finish, Passage, Reading
from .record import Record

RIDGE = 1e-2  # of the mean variance of a dimension


@dataclass(frozen=True)
class Probe(Reading):
    """Of the half to fit on: `PLACE states`, Moments of the last token's state, and `PLACE states of LABEL`, Tally
    (dim,). Texts without a label are left out, and so are states that are not finite.
    """

    layers: tuple[str, ...]

    def begin(self, passage: Passage) -> Finish:
        held = Held(passage, [fits(text) for text in passage.texts])
        held.look(self.layers)
        return lambda: {name: kind for place in self.layers for name, kind in _states(place, held).items()}


@dataclass(frozen=True)
class Tried(Reading):
    """Of the other half: `PLACE named`, Count (labels, labels): texts of a label that were taken for each. `file` holds
    the maps that `fitted` made, `weights` is its sha256.
    """

    layers: tuple[str, ...]
    labels: tuple[str, ...]
    weights: str
    file: str = field(compare=False)

    def begin(self, passage: Passage) -> Finish:
        known = [tries(text) and text.label in self.labels for text in passage.texts]
        held = Held(passage, known)
        held.look(self.layers)
        return lambda: {f"{place} named": self._named(place, held) for place in self.layers}

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in super().to_json().items() if name != "file"}

    def _named(self, place: str, held: Held) -> Count:
        states, labels = held.told(place)
        maps = _maps(self.file, self.weights)
        answers = states @ maps[f"{place} weight"] + maps[f"{place} bias"]
        counts = np.zeros((len(self.labels), len(self.labels)), dtype=np.int64)
        true = [self.labels.index(label) for label in labels]
        np.add.at(counts, (true, answers.argmax(1).tolist()), 1)
        return Count(counts)


class Held:
    """The states of the last tokens of some texts of a passage, until its pass is over."""

    def __init__(self, passage: Passage, wanted: Sequence[bool]) -> None:
        self._passage, self._states = passage, dict[str, Tensor]()
        ends = torch.tensor(passage.lengths).cumsum(0) - 1
        self._rows = ends[torch.tensor(wanted, dtype=torch.bool)]
        self._labels = [text.label for text, is_wanted in zip(passage.texts, wanted, strict=True) if is_wanted]

    def look(self, places: Sequence[str]) -> None:
        for place in places:
            self._passage.each_token(place, partial(self._keep, place))

    def told(self, place: str) -> tuple[Float[Tensor, "texts dim"], list[str]]:
        """In double precision on the host, with their labels; of those that are finite."""
        states = self._states[place].cpu().double()
        fine = states.isfinite().all(1)
        return states[fine], [label for label, is_fine in zip(self._labels, fine.tolist(), strict=True) if is_fine]

    def _keep(self, place: str, rows: Tensor) -> None:
        self._states[place] = rows.detach().index_select(0, self._rows.to(rows.device))


def fits(text: Text) -> bool:
    """Whether the map is fitted on a text. One without a label is on neither side."""
    return bool(text.label) and not _odd(text)


def tries(text: Text) -> bool:
    """Whether the map is tried on a text."""
    return bool(text.label) and _odd(text)


def _odd(text: Text) -> bool:
    return int(digest(canonical(text.ids))[0], 16) % 2 == 1


def fitted(record: Record, layers: Sequence[str], folder: Path, ridge: float = RIDGE) -> Tried:
    """The maps that `Probe` found the sums for, in a file in `folder`: ridge regression of which label a text has.

    InputError for fewer than two labels, LedgerError where nothing can be written.
    """
    labels = tuple(sorted({name.split(" states of ", 1)[1] for name in record if " states of " in name}))
    if len(labels) < 2:
        raise InputError(f"A probe tells labels apart; these texts have {len(labels)}.", "Give texts of two or more.")
    maps = {place: _solved(record, place, labels, ridge) for place in layers}
    held = {f"{place} {name}": tensor for place, one in maps.items() for name, tensor in vars(one).items()}
    data = save({name: tensor.contiguous() for name, tensor in held.items()})
    file = folder.resolve() / f"probe-{digest(data)[:16]}.safetensors"
    try:
        put(file, data)
    except OSError as error:
        raise LedgerError(f"The probe cannot be written: {reason(error)}: {file}", "Name another folder.") from error
    return Tried(tuple(layers), labels, digest(data), str(file))


def _solved(record: Record, place: str, labels: Sequence[str], ridge: float) -> Linear:
    """From the moments alone: a label's share of the products is its number times how far its mean is off."""
    whole: Any = record[f"{place} states"]
    mean, n = torch.from_numpy(whole.mean), int(whole.n)
    each: list[Any] = [record[f"{place} states of {label}"] for label in labels]
    counts = torch.tensor([float(one.n.max()) for one in each], dtype=torch.float64)
    apart = torch.stack([torch.from_numpy(one.mean) - mean for one in each], dim=1)
    nothing = (torch.zeros_like(mean), torch.zeros_like(counts))
    shares = counts / n
    power = (counts * (1 - shares)).sum()
    sums = Sums((mean, shares), n, nothing, torch.from_numpy(whole.products), apart * counts, power)
    return sums.solved(ridge)


def _states(place: str, held: Held) -> Mapping[str, Moments | Tally]:
    states, labels = held.told(place)
    of = {label: [row for row, own in enumerate(labels) if own == label] for label in sorted(set(labels))}
    tallies = {f"{place} states of {label}": Tally.of(states[rows]) for label, rows in of.items()}
    return {f"{place} states": Moments.of(states), **tallies} if labels else {}


@lru_cache(maxsize=2)
def _maps(file: str, weights: str) -> dict[str, Tensor]:
    try:
        data = Path(file).read_bytes()
        if digest(data) == weights:
            return load(data)
    except (OSError, SafetensorError) as error:
        raise EngineError(f"A worker cannot read {file}: {error}", "Every worker has to see that folder.") from None
    raise EngineError(f"{file} is damaged.", "Take it away and ask again.")
