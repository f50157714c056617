"""Wrapper files: a hybrid with guests as a folder. Plain transformers refuses it by its `model_type`.

==================== ============================================================================
config.json          `model_type` garage_hybrid, the guests and how each answers, the build sheet, and checksums
host/                config and tokenizer of the model around the guests, as transformers writes them
host.safetensors     its weights
guests/0.json …      each guest as a part file, see `extract.shelf`
adapters.safetensors the maps around them
==================== ============================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from ...core.auto import class_named
from ...core.sealed import canonical, digest, digest_of
from ...core.skeleton import skeleton
from ...core.stored import stored
from ...errors import BuildError
from ...extract.shelf.building import ATTENTION
from ...extract.shelf.loading import load_part
from ...extract.shelf.saving import save_part
from ..stitching.maps import Maps
from ..stitching.stitched import Manner, Stitched, guests
from .provenance import KEY

KIND, HOST = "garage_hybrid", "host"
_MAPS = ("into", "shift", "out")
_HOST, _ADAPTERS, _CONFIG, _SUMS = "host.safetensors", "adapters.safetensors", "config.json", "sha256"


def write_wrapper(model: Any, folder: Path) -> None:
    """Errors as of `save_part`."""
    found = guests(model)
    model.config.save_pretrained(folder / HOST)
    save_file(dict(_own(model)), folder / _HOST)
    adapters = [pair for path, guest in found.items() for pair in _maps(path, guest)]
    save_file(dict(adapters), folder / _ADAPTERS)
    (folder / "guests").mkdir()
    for number, guest in enumerate(found.values()):
        save_part(guest.part, folder / "guests" / f"{number}.json")
    said = {path: vars(guest.manner) for path, guest in found.items()}
    kernel = model.config._attn_implementation
    about = {
        "model_type": KIND,
        "class": type(model).__name__,
        "attention": kernel if kernel in ATTENTION else "sdpa",
        "guests": said,
        KEY: getattr(model.config, KEY),
    }
    sums = {name: digest_of(folder / name) for name in _sealed(folder)}
    sealed = {**about, _SUMS: {**sums, _CONFIG: digest(canonical(about))}}
    (folder / _CONFIG).write_text(json.dumps(sealed, indent=1), encoding="utf-8")
    if getattr(model, "generation_config", None) is not None:
        model.generation_config.save_pretrained(folder)


def is_wrapper(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / _CONFIG).read_bytes()).get("model_type") == KIND)
    except (OSError, ValueError, AttributeError):
        return False


def read_wrapper(folder: Path) -> Any:
    """The model, in evaluation mode. BuildError for a folder that says something else than was written."""
    try:
        return _read(folder)
    except Exception as error:  # whatever transformers makes of a config that was changed by hand
        raise BuildError(f"{folder} holds no whole hybrid: {error}", "Build it again from its sheet.") from error


def _read(folder: Path) -> Any:
    from transformers import AutoConfig, GenerationConfig

    about = _about(folder)
    config = AutoConfig.from_pretrained(folder / HOST, local_files_only=True, trust_remote_code=False)
    config._attn_implementation = {kernel: kernel for kernel in ATTENTION}[about["attention"]]
    weights = load_file(folder / _HOST)
    like = next(iter(weights.values()))
    model = skeleton(class_named(about["class"], config.model_type), config, like.dtype)
    model.load_state_dict(weights, strict=False, assign=True)
    model.tie_weights()
    adapters = load_file(folder / _ADAPTERS)
    for number, (path, manner) in enumerate(about["guests"].items()):
        part = load_part(folder / "guests" / f"{number}.json")
        maps = Maps(**{name: adapters[f"{path}.{name}"] for name in _MAPS}, said="")
        model.set_submodule(path, Stitched(part, maps, Manner(**manner), like))
    if absent := [name for name, tensor in stored(model) if tensor.is_meta]:
        raise ValueError(f"{absent[0]} is missing")
    model.config._name_or_path = str(folder)
    setattr(model.config, KEY, about[KEY])
    model.generation_config = GenerationConfig.from_dict(json.loads((folder / "generation_config.json").read_bytes()))
    return model.eval()


def _about(folder: Path) -> Any:
    """What config.json says. ValueError where a file is another than was written."""
    about = json.loads((folder / _CONFIG).read_bytes())
    sums = about.pop(_SUMS)
    found = {name: digest_of(folder / name) for name in _sealed(folder)}
    found[_CONFIG] = digest(canonical(about))
    if unlike := [name for name in {**sums, **found} if sums.get(name) != found.get(name)]:
        raise ValueError(f"{unlike[0]} is not as it was written")
    return about


def _sealed(folder: Path) -> list[str]:
    files = [folder / HOST / _CONFIG, folder / _HOST, folder / _ADAPTERS, *sorted((folder / "guests").iterdir())]
    return [path.relative_to(folder).as_posix() for path in files]


def _own(model: Any) -> Iterator[tuple[str, Tensor]]:
    """The weights of the model around the guests; tied ones once."""
    paths, seen = [f"{path}." for path in guests(model)], set()
    for name, tensor in stored(model):
        if id(tensor) not in seen and not name.startswith(tuple(paths)):
            seen.add(id(tensor))
            yield name, tensor.detach().cpu().contiguous()


def _maps(path: str, guest: Stitched) -> Iterator[tuple[str, Tensor]]:
    maps = guest.maps("")
    for name in _MAPS:
        yield f"{path}.{name}", getattr(maps, name).to(guest.into.weight.dtype).contiguous()
