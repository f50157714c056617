"""Record: what was read of some texts, by name. Records of a corpus's chunks are merged in the order of the chunks."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...core.sealed import Broken
from .kinds import KINDS, NAME_OF, Kind

Record = Mapping[str, Kind]


def merged(a: Record, b: Record) -> Record:
    """What both have met. A name that one of them lacks counts as nothing there."""
    both: dict[str, Any] = {**a, **b}
    return {name: a[name].merged(both[name]) if name in a and name in b else both[name] for name in both}


def digest(record: Record) -> str:
    """sha256, equal for equal names, kinds, shapes and bits, whatever the order of the names."""
    found = hashlib.sha256()
    for name, array in sorted(_arrays(record)):
        found.update(f"{name} {array.dtype} {list(array.shape)}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def to_bytes(record: Record) -> bytes:
    """safetensors, packed; the same bytes for equal records."""
    return zlib.compress(save(dict(sorted(_arrays(record)))), level=1)


def from_bytes(data: bytes) -> Record:
    """What `to_bytes` was given. Broken for anything else."""
    try:
        return _opened(load(zlib.decompress(data)))
    except (zlib.error, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise Broken(f"This is no record: {error}") from None


def _arrays(record: Record) -> Iterator[tuple[str, Any]]:
    """`kind field name` -> array: the names say it all, for safetensors keeps other notes in no order."""
    for name, held in record.items():
        for item in fields(held):
            yield f"{NAME_OF[type(held)]} {item.name} {name}", np.asarray(getattr(held, item.name), order="C")


def _opened(arrays: Mapping[str, Any]) -> dict[str, Kind]:
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for said, array in arrays.items():
        kind, part, name = said.split(" ", 2)
        found.setdefault(name, (kind, {}))[1][part] = array
    return {name: KINDS[kind](**parts) for name, (kind, parts) in sorted(found.items())}
