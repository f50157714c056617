"""GGUF control vectors: one direction a block, in the format llama.cpp reads. Nothing else of GGUF.

A file is a header, metadata, what tensors there are, and their numbers, each at a multiple of the alignment. Every
length in it is checked against what is there before it is used.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import RecipeFileError
from .files import bytes_of

MAGIC, VERSIONS, ALIGNMENT = b"GGUF", (2, 3), 32
KIND = "controlvector"
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_U32, _STRING, _FLOAT32 = 4, 8, 0
_MOST = 1 << 16  # entries, and characters of a name
_NAME = re.compile(r"direction\.(0|[1-9][0-9]{0,4})")


@dataclass
class _Reader:
    raw: bytes
    path: Path
    at: int = 0

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.raw) - self.at:
            raise damaged(self.path, "is cut short")
        self.at += count
        return self.raw[self.at - count : self.at]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def count(self, form: str) -> int:
        found = int(self.number(form))
        if found > _MOST:
            raise damaged(self.path, f"counts {found:,}")
        return found

    def text(self) -> str:
        try:
            return self.take(self.count("<Q")).decode()
        except UnicodeDecodeError:
            raise damaged(self.path, "holds a name that is no text") from None

    def value(self) -> Any:
        kind = self.number("<I")
        if kind == _STRING:
            return self.text()
        if kind not in _SCALARS:
            raise damaged(self.path, f"holds a value of kind {kind}")
        return self.number(_SCALARS[kind])


def directions_in_gguf(path: Path) -> dict[int, Tensor]:
    """Block -> direction (dim,), float32. RecipeFileError for any other file."""
    reader = _Reader(bytes_of(path), path)
    if reader.take(4) != MAGIC or reader.number("<I") not in VERSIONS:
        raise damaged(path, f"is not GGUF of version {' or '.join(map(str, VERSIONS))}")
    tensors, entries = reader.count("<Q"), reader.count("<Q")
    known = {reader.text(): reader.value() for _ in range(entries)}
    if (kind := known.get("general.architecture")) != KIND:
        raise RecipeFileError(f"{path} is GGUF of {str(kind)[:40]!r}, not of a {KIND}.", "Only those are read here.")
    spans = [_span(reader) for _ in range(tensors)]
    alignment = known.get("general.alignment", ALIGNMENT)
    if not isinstance(alignment, int) or alignment not in (8, 16, 32, 64, 128, 256):
        raise damaged(path, f"is aligned to {str(alignment)[:20]}")
    start = reader.at + -reader.at % alignment
    found = {block: _numbers(reader, start + offset, count) for block, count, offset in spans}
    if len(found) != len(spans) or not found:
        raise damaged(path, "holds no directions, or two of one block")
    return found


def gguf_of(directions: Mapping[int, Tensor], model: str) -> bytes:
    """A whole file. `model` is a hint for whoever reads it."""
    numbers = {block: direction.detach().float().cpu().numpy().tobytes() for block, direction in directions.items()}
    known = [_entry("general.architecture", KIND), _entry(f"{KIND}.model_hint", model),
             _entry(f"{KIND}.layer_count", len(numbers))]  # fmt: skip
    head = b"".join([MAGIC, struct.pack("<IQQ", VERSIONS[-1], len(numbers), len(known)), *known, *_infos(numbers)])
    return b"".join(_padded(piece) for piece in [head, *numbers.values()])


def damaged(path: Path, how: str) -> RecipeFileError:
    return RecipeFileError(f"{path} {how}: it is no whole control vector.", "Fetch the file again.")


def _span(reader: _Reader) -> tuple[int, int, int]:
    """Block, how many numbers, and where."""
    name, dims = reader.text(), reader.number("<I")
    match = _NAME.fullmatch(name)
    if match is None or dims != 1:
        raise damaged(reader.path, f"holds {name[:40]!r} of {dims} dimensions")
    count, kind, offset = reader.number("<Q"), reader.number("<I"), reader.number("<Q")
    if kind != _FLOAT32 or not count:
        raise damaged(reader.path, f"holds {name!r} of kind {kind} with {count:,} numbers")
    return int(match[1]), count, offset


def _numbers(reader: _Reader, start: int, count: int) -> Tensor:
    reader.at = min(start, len(reader.raw))
    return torch.frombuffer(bytearray(reader.take(4 * count)), dtype=torch.float32)


def _entry(name: str, value: str | int) -> bytes:
    if isinstance(value, str):
        return _string(name) + struct.pack("<I", _STRING) + _string(value)
    return _string(name) + struct.pack("<II", _U32, value)


def _infos(numbers: Mapping[int, bytes]) -> Iterator[bytes]:
    offset = 0
    for block, raw in numbers.items():
        yield _string(f"direction.{block}") + struct.pack("<IQIQ", 1, len(raw) // 4, _FLOAT32, offset)
        offset += math.ceil(len(raw) / ALIGNMENT) * ALIGNMENT


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % ALIGNMENT)
