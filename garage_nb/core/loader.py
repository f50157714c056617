"""Put a model on the lift: an embedded one, a folder, a hub id, or the one already in the notebook.

Only safetensors are read and code that comes with a model is never run. Embedded models are data files of this package,
listed in `showroom/models/index.json`; they work with no network.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from safetensors import SafetensorError
from torch import nn

from ..errors import GarageError, InputError, ModelNotFoundError, nearest
from .auto import auto_class
from .family import family_of, text_config
from .quiet import quiet_when_small
from .spreading import places_of, spread

MODELS = Path(__file__).parent.parent / "showroom" / "models"
_TOKENIZER_FILES = ("tokenizer*", "vocab*", "*.model")
Loaded = tuple[Any, Any, dict[str, Any]]


class ModelLoader:
    """Loads models onto one device in one dtype.

    `device`: "cpu", "cuda", "cuda:1", "mps" …; the first accelerator when None. `dtype`: a torch dtype or its name;
    as stored when None, except that float16 becomes float32 on a CPU. `device_map`: as accelerate takes it, instead of
    `device`. `offload_folder`: where weights go that it sends to the disk; a temporary one, gone with the model, when
    None. `processes`: how many run it together, of which this is one, each with a share of its weights.
    """

    def __init__(
        self,
        device: str | None = None,
        dtype: str | torch.dtype | None = None,
        device_map: Any = None,
        offload_folder: str | Path | None = None,
        processes: int = 1,
    ) -> None:
        self.device = _device(device)
        self.dtype = _dtype(dtype)
        self.device_map = device_map
        self.offload_folder = offload_folder
        self.processes = processes

    def load(self, source: str | Path | nn.Module, *, tokenizer: Any = None, revision: str | None = None) -> Loaded:
        """(model, tokenizer, info). `source` is an embedded name, a folder, a hub id, or a live model.

        A live model is taken as it is, neither moved nor cast. `info` holds model_id, family, total_params, num_layers,
        hidden_dim, device, dtype and revision; of one that was loaded `loaded_from`, the name it was asked for by.
        """
        _demand_tokenizer(tokenizer)
        if isinstance(source, nn.Module):
            config: Any = getattr(source, "config", None)
            return source, tokenizer, describe(source, getattr(config, "name_or_path", "") or "live model")
        if not isinstance(source, str | Path):
            raise InputError(
                f"A model was expected, not {type(source).__name__}.", "Give a name, a folder, or a live model."
            )
        name = str(source)
        place = locate(name)
        model = self._model(name, place, revision)
        found = tokenizer or tokenizer_at(name, place, revision)
        return model, found, {**describe(model, name, revision), "loaded_from": name}

    def _model(self, name: str, place: str, revision: str | None) -> Any:
        from transformers import AutoConfig

        options = _from_hub(place, revision)
        with _refusing(name), quiet_when_small(_stored_bytes(place)):
            config = AutoConfig.from_pretrained(place, trust_remote_code=False, **options)
            load = partial(
                auto_class(config).from_pretrained,
                place,
                dtype=self.dtype or "auto",
                use_safetensors=True,
                trust_remote_code=False,
                **options,
            )
            if self.processes > 1:
                return _shared(load, self.processes)
            if self.device_map is not None:
                return spread(load, self.device_map, self.offload_folder)
            model = load()
        if self.dtype is None and self.device.type == "cpu" and model.dtype == torch.float16:
            model = model.float()
        return model.to(self.device)


def quick_load(source: str | Path | nn.Module, **options: Any) -> Loaded:
    """`ModelLoader(device, dtype, device_map).load(source, tokenizer, revision)` in one call."""
    at_load = {key: options.pop(key) for key in ("tokenizer", "revision") if key in options}
    return ModelLoader(**options).load(source, **at_load)


def best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@cache
def embedded() -> dict[str, dict[str, str]]:
    """Name -> {"path": folder under `showroom/models`, "about": one line}."""
    index = MODELS / "index.json"
    return json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}


def locate(name: str) -> str:
    """The folder an embedded or local name stands for; any other name is left to the hub."""
    if name in embedded():
        return str(MODELS / embedded()[name]["path"])
    folder = Path(name).expanduser()
    if name.strip() and os.path.isdir(folder):  # unlike Path.is_dir, False for a name no file system takes
        if not (folder / "config.json").exists():
            raise ModelNotFoundError(
                f"The folder {name} holds no config.json.", "Give the folder that save_pretrained wrote."
            )
        return str(folder)
    if name.startswith(("/", ".", "~")) or name.count("/") > 1 or not name.strip():
        raise ModelNotFoundError(f"There is no folder {name!r}.", _what_works(name))
    return name


def describe(model: Any, name: str, revision: str | None = None) -> dict[str, Any]:
    config = text_config(model)
    return {
        "model_id": name,
        "family": family_of(config).value,
        "model_type": getattr(config, "model_type", ""),
        "total_params": sum(parameter.numel() for parameter in model.parameters()),
        "num_layers": getattr(config, "num_hidden_layers", None),
        "hidden_dim": getattr(config, "hidden_size", None),
        "device": ", ".join(places_of(model)),
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "revision": revision or getattr(config, "_commit_hash", None),
    }


def tokenizer_at(name: str, place: str, revision: str | None = None) -> Any:
    """None for a folder that holds none."""
    from transformers import AutoTokenizer

    if os.path.isdir(place) and not [file for name in _TOKENIZER_FILES for file in Path(place).glob(name)]:
        return None  # transformers would make an empty one up, which answers every text with no ids
    with _refusing(name):
        return AutoTokenizer.from_pretrained(place, trust_remote_code=False, **_from_hub(place, revision))


def _from_hub(place: str, revision: str | None) -> dict[str, Any]:
    """Only what is on this machine when the hub is out of reach: its client would try for half a minute."""
    if os.path.isdir(place):
        return {"local_files_only": True}
    return {"local_files_only": not _hub_in_reach(), **({"revision": revision} if revision else {})}


def _hub_in_reach() -> bool:
    """Whether the hub's host answers; behind a proxy only the client itself can tell."""
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        return False
    if getproxies():
        return True
    try:
        with socket.create_connection((urlsplit(ENDPOINT).hostname or "", 443), timeout=3):
            return True
    except OSError:
        return False


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """transformers answers a missing model with a page of text; the garage with two lines."""
    from huggingface_hub.errors import StrictDataclassError

    try:
        yield
    except GarageError:
        raise
    except OSError as error:
        raise ModelNotFoundError(f"{name!r} could not be loaded: {_reason(error)}", _what_works(name)) from error
    except (SafetensorError, RuntimeError) as error:
        raise InputError(
            f"The weights of {name!r} are damaged or do not fit its config: {_reason(error)}",
            "Save or download the model again.",
        ) from error
    except (ValueError, StrictDataclassError) as error:
        raise InputError(
            f"{name!r} cannot be opened as a causal language model: {_reason(error)}", _what_works(name)
        ) from error


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:160]


def _what_works(name: str) -> str:
    known = embedded()
    if not known:
        return "Check the name, or the folder."
    return f"Check the name and the network. These work offline: {nearest(name, known, count=len(known))}."


def _shared(load: Callable[..., Any], processes: int) -> Any:
    from transformers.distributed.configuration_utils import DistributedConfig

    return load(distributed_config=DistributedConfig(tp_size=processes))


def _stored_bytes(place: str) -> int:
    """Of the weights in a folder; 0 for what is elsewhere."""
    return sum(file.stat().st_size for file in Path(place).glob("*.safetensors"))


def _demand_tokenizer(tokenizer: Any) -> None:
    if tokenizer is not None and not callable(tokenizer):
        raise InputError(
            f"A tokenizer was expected, not {type(tokenizer).__name__}.",
            "Give what AutoTokenizer.from_pretrained returned.",
        )


def _device(name: str | None) -> torch.device:
    try:
        return torch.empty(0, device=name or best_device()).device
    except (RuntimeError, AssertionError):
        raise InputError(f"{name!r} is no device of this machine.", f"Use {best_device()}.") from None


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    if dtype is None or isinstance(dtype, torch.dtype):
        return dtype
    found = getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype):
        raise InputError(f"{dtype!r} is no dtype.", "Use float32, bfloat16 or float16.")
    return found
