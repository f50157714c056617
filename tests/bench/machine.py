"""What the numbers were taken on: they belong to this machine and these versions."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch
import transformers


def machine() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory GiB": _memory(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch threads": torch.get_num_threads(),
        "load before": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _cpu() -> str:
    return _proc("cpuinfo", "model name") or platform.processor()


def _memory() -> float | None:
    size = _proc("meminfo", "MemTotal").split()  # kB
    return round(int(size[0]) / 2**20, 1) if size else None


def _proc(file: str, name: str) -> str:
    """The first value of that name in one of Linux's tables; empty elsewhere."""
    path = Path("/proc") / file
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
