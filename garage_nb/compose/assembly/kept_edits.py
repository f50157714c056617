"""Kept edits: those of a hybrid's sheet in a sealed file beside its weights, tensors and all.

Weights cannot say what acts while a model runs, and config.json holds no tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from os.path import isfile
from pathlib import Path

from safetensors import SafetensorError
from torch import Tensor

from ...core.files import reason
from ...core.sealed import Broken, OtherVersion, Seal
from ...errors import BuildError, GarageError
from ...inject.edit import Edit
from ...inject.kinds import edit_from

FILE = "garage_edits.json"
_SEAL = Seal("garage_nb edits of a hybrid", 1, "edits")
_AGAIN = "Build the hybrid again from its sheet, or copy its whole folder."


@dataclass(frozen=True)
class KeptEdits:
    """In their order: `folded` are in the weights, `stays` must be in force wherever the model runs."""

    folded: tuple[Edit, ...] = ()
    stays: tuple[Edit, ...] = ()

    def write(self, folder: Path) -> None:
        """Nothing where config.json says all there is to say. Errors as of `Seal.write`."""
        said = [edit.to_json() for edit in (*self.folded, *self.stays)]
        if self.stays or self.tensors:
            _SEAL.write(folder / FILE, {"edits": said, "folded": len(self.folded)}, self.tensors)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """By the names that the sheet gives them."""
        return {name: tensor for edit in (*self.folded, *self.stays) for name, tensor in edit.tensors().items()}

    @classmethod
    def read(cls, folder: Path) -> KeptEdits:
        """Empty where there is no file of them. BuildError for one that is damaged, or of another version."""
        if not isfile(folder / FILE):  # unlike Path.is_file, False for a name no file system takes
            return cls()
        try:
            body = _SEAL.read(folder / FILE)
            tensors, folded = _SEAL.tensors(body, folder / FILE), body["folded"]
            edits = tuple(edit_from(edit, tensors) for edit in body["edits"])
        except OSError as error:
            raise BuildError(f"{folder / FILE} cannot be read: {reason(error)}.", _AGAIN) from None
        except OtherVersion as error:
            raise BuildError(f"{folder / FILE} is of version {error}; 1 is read here.", "Update garage_nb.") from None
        except (Broken, GarageError, SafetensorError, LookupError, TypeError, ValueError):
            raise BuildError(f"{folder / FILE} is not as it was written.", _AGAIN) from None
        if type(folded) is not int or not 0 <= folded <= len(edits):
            raise BuildError(f"{folder / FILE} is not as it was written.", _AGAIN)
        return cls(edits[:folded], edits[folded:])
