"""Machine: accelerators, threads, and the folders that are written to."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch

from ..registry.store import default_folder
from .check import Check


def machine() -> list[Check]:
    from huggingface_hub.constants import HF_HUB_CACHE

    return [
        accelerator(),
        threads(),
        folder("catalogue", default_folder(), "GARAGE_NB_CACHE"),
        folder("model cache", Path(HF_HUB_CACHE), "HF_HUB_CACHE"),
        network(),
    ]


def accelerator() -> Check:
    """What models are put on when nothing is said."""
    if torch.cuda.is_available():
        return Check("accelerator", "ok", "; ".join(_cuda(number) for number in range(torch.cuda.device_count())))
    if torch.backends.mps.is_available():
        return Check("accelerator", "ok", "the GPU of this Mac (mps)")
    if shutil.which("nvidia-smi"):
        found = f"a driver is there, but torch {torch.__version__} finds no GPU"
        return Check("accelerator", "check", found, "Install a torch built for CUDA, then restart the kernel.")
    return Check("accelerator", "ok", "none, models run on the processor")


def threads() -> Check:
    have = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    used = torch.get_num_threads()
    found = f"{used} for {have} processors" if have > 1 else f"{used} for 1 processor"
    if used > have:
        return Check("threads", "check", found, f"More than there are slow a run down: torch.set_num_threads({have}).")
    return Check("threads", "ok", found)


def folder(name: str, path: Path, variable: str) -> Check:
    """Whether a file can be written there, or where the folder would be made; it is taken away again."""
    place = next(parent for parent in (path, *path.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        found = f"{path} cannot be written: {error.strerror}"
        return Check(name, "fix", found, f"Repair that, or name another folder with {variable}.")
    if place != path:
        return Check(name, "ok", f"{path}, not there yet")
    return Check(name, "ok", f"{path}, {_size(_bytes(path))}")


def network() -> Check:
    """Read off the settings; nothing is asked of the network."""
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        return Check("hub", "ok", "switched off (HF_HUB_OFFLINE): only models of this machine are loaded")
    return Check("hub", "ok", f"{ENDPOINT}; not asked, `load` will tell")


def _cuda(number: int) -> str:
    free, total = torch.cuda.mem_get_info(number)
    return f"cuda:{number} {torch.cuda.get_device_name(number)}, {_size(free)} of {_size(total)} free"


def _bytes(path: Path) -> int:
    """Of the files under it, each counted once: the hub's cache holds links to its own."""
    found = (Path(root, name) for root, _, names in os.walk(path) for name in names)
    return sum(file.lstat().st_size for file in found)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB" if count < 1000 else f"{count / 1000:.3g} TB"
