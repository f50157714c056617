"""Sealed folder: how a thing that was fitted is kept: a sealed JSON file in a folder of its own, tensors beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from ..core.files import reason
from ..core.folders import demand_folder
from ..core.sealed import Broken, OtherVersion, Seal
from ..errors import GarageError


@dataclass(frozen=True)
class SealedFolder:
    """Of one kind of thing: `error` is what is raised of its files."""

    seal: Seal
    error: type[GarageError]

    @property
    def file(self) -> str:
        return f"{self.seal.key}.json"

    def ready(self, folder: str | Path) -> Path:
        """Where `write` would, asked before the work. The kind's error where it could not."""
        place = Path(folder).expanduser()
        try:
            demand_folder(place)
        except OSError as error:
            raise self._unwritten(place, error) from None
        return place

    def write(self, folder: str | Path, body: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
        """Returns the JSON file. The kind's error where nothing can be written; then all is as it was."""
        place = Path(folder).expanduser() / self.file
        try:
            self.seal.write(place, body, tensors)
        except OSError as error:
            raise self._unwritten(place, error) from None
        except (SafetensorError, KeyError) as error:
            said = f"A tensor of the {self.seal.key} cannot be saved: {error}."
            raise self.error(said, "Give it another dtype.") from None
        return place

    def read(self, path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Body and tensors, from the folder or the file in it. The kind's error for what is not there, damaged, or of
        another version.
        """
        place, what = Path(path).expanduser(), self.seal.key
        place = place if place.suffix == ".json" else place / self.file
        try:
            body = self.seal.read(place)
            if "tensors" not in body:
                raise Broken(str(place))
            return body, self.seal.tensors(body, place)
        except OSError as error:
            said = f"{error.filename or place} cannot be read: {reason(error)}."
            raise self.error(said, "Name the folder that it was saved in.") from None
        except OtherVersion as error:
            said = f"{place} is a {what} of version {error}; this one reads {self.seal.version}."
            raise self.error(said, f"Fit the {what} again, or open it with the garage_nb that wrote it.") from None
        except Broken as error:
            raise self.broken(error) from None

    def broken(self, where: object) -> GarageError:
        return self.error(f"This is no whole {self.seal.key}: {where}", f"Save the {self.seal.key} again.")

    def _unwritten(self, place: Path, error: OSError) -> GarageError:
        said = f"The {self.seal.key} cannot be written: {reason(error)}: {place}"
        return self.error(said, "Name another folder.")
