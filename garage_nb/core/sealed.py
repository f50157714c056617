"""Sealed: a JSON file with its kind, version and checksum, and the tensors that it names in safetensors beside it.

The tensors' file has its checksum in its name and is written first, so that the JSON, which takes its place in one
step, never names tensors of another. Reading changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from .files import put

_PIECE = 1 << 24  # bytes read at a time
_OURS = r"{}-[0-9a-f]{{16}}\.safetensors"


class Broken(ValueError):
    """What is there is not whole, or not what its checksum says. Holds the path."""


class OtherVersion(ValueError):
    """Written by another version. Holds which."""


@dataclass(frozen=True)
class Seal:
    """`kind` is what a file says it is, `key` the name of its body."""

    kind: str
    version: int
    key: str

    def write(self, place: Path, body: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """The body as JSON at `place`, with `tensors` telling file and checksum of those beside it, None without any.

        OSError and SafetensorError leave what was there as it was.
        """
        before = self._tensors_before(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        named = None
        if tensors:
            data = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
            named = {"file": f"{place.stem}-{digest(data)[:16]}.safetensors", "sha256": digest(data)}
            put(place.with_name(named["file"]), data)
        put(place, self._closed({**body, "tensors": named}))
        if before is not None and (named is None or before.name != named["file"]):
            with suppress(OSError):
                before.unlink()

    def read(self, place: Path) -> dict[str, Any]:
        """The body. Broken and OtherVersion say what is wrong; an OSError that it cannot be read."""
        raw = place.read_bytes()
        try:
            record = json.loads(raw)
            known = record["format"] == self.kind
            version = record["version"] if known else None
            body = record[self.key]
            whole = known and record["sha256"] == digest(canonical(body))
        except (ValueError, LookupError, TypeError, RecursionError):
            raise Broken(str(place)) from None
        if known and version != self.version:
            raise OtherVersion(str(version)[:20])
        if not whole or not isinstance(body, dict):
            raise Broken(str(place))
        return body

    def tensors(self, body: Mapping[str, Any], place: Path) -> dict[str, Tensor]:
        """Those beside the JSON at `place`. Broken where they are not what it says."""
        named = body["tensors"]
        if named is None:
            return {}
        try:
            beside = place.with_name(named["file"])  # which takes no path out of the folder
        except (LookupError, TypeError, ValueError):
            raise Broken(str(place)) from None
        try:
            raw = beside.read_bytes()
            if digest(raw) == named["sha256"]:
                return load(raw)
        except (SafetensorError, LookupError, TypeError, ValueError):
            raise Broken(str(place)) from None
        raise Broken(str(beside))

    def _tensors_before(self, place: Path) -> Path | None:
        """The tensors of what is there now, if it is one of ours and so are they by their name."""
        with suppress(Broken, OtherVersion, OSError, TypeError, LookupError):
            named = self.read(place)["tensors"]["file"]
            return place.with_name(named) if re.fullmatch(_OURS.format(re.escape(place.stem)), named) else None
        return None

    def _closed(self, body: Mapping[str, Any]) -> bytes:
        record = {"format": self.kind, "version": self.version, "sha256": digest(canonical(body)), self.key: body}
        return json.dumps(record, indent=1).encode()


def canonical(body: Any) -> bytes:
    """The one spelling of a JSON value that checksums are of."""
    return json.dumps(body, sort_keys=True).encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def digest_of(file: Path) -> str:
    """Of what a file holds, read piece by piece: it may be larger than the memory."""
    found = hashlib.sha256()
    with open(file, "rb") as opened:
        while piece := opened.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
