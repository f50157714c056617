"""`python -m tests.bench.building`: a hybrid of 24 layers from two of 12, built here and by mergekit's command line.

In turn, from the same folders: in a kernel that holds the donors, every proof included; by our command, from disk to
disk, which also loads what it saved; and by mergekit's. Then every tensor is compared.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from shutil import rmtree
from statistics import median
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file

ROUNDS = 5
_RECIPE = """merge_method: passthrough
dtype: float32
slices:
  - sources: [{{model: {a}, layer_range: [0, 12]}}]
  - sources: [{{model: {b}, layer_range: [0, 12]}}]
"""


def main() -> None:
    with TemporaryDirectory() as folder:
        place = Path(folder)
        donors = {name: _donor(place / name, seed) for seed, name in enumerate(("a", "b"))}
        recipe = place / "recipe.yml"
        recipe.write_text(_RECIPE.format(**donors), encoding="utf-8")
        ours, theirs = place / "ours", place / "theirs"
        taken: dict[str, list[float]] = {"build in a kernel": [], "garage build": [], "mergekit-yaml": []}
        grown = 0.0
        for _ in range(ROUNDS):
            seconds, grown = _in_a_kernel(recipe)
            taken["build in a kernel"].append(seconds)
            taken["garage build"].append(_whole(["garage", "build", str(recipe), "--to", str(ours)], ours))
            taken["mergekit-yaml"].append(_whole(["mergekit-yaml", str(recipe), str(theirs)], theirs))
        for name, runs in taken.items():
            ratios = sorted(theirs / mine for theirs, mine in zip(taken["mergekit-yaml"], runs, strict=True))
            print(
                f"{name}: {median(runs):.1f} s ({min(runs):.1f}–{max(runs):.1f}), {median(ratios):.1f} × as quick as "
                f"mergekit-yaml ({ratios[0]:.1f}–{ratios[-1]:.1f})"
            )
        print(
            f"in a kernel it took {grown:.0f} MB more than its donors at its peak; its weights are {_size(ours):.0f} MB"
        )
        print(_compared(ours, theirs))


def kernel(recipe: str) -> None:
    """In a process of its own: seconds and MB of one build, from donors that are loaded and were built from before."""
    from garage_nb.compose.sheet_files import open_sheet
    from garage_nb.registry.lift import lift

    sheet = open_sheet(recipe)
    live = type(sheet)(sheet.base, {name: lift(str(source)) for name, source in sheet.donors.items()}, sheet.grafts)
    live.build()
    before, begun = _peak(), time.perf_counter()
    live.build()
    print(json.dumps([time.perf_counter() - begun, _peak() - before]))


def _in_a_kernel(recipe: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "tests.bench.building", str(recipe)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, grown = json.loads(out.splitlines()[-1])
    return seconds, grown


def _peak() -> float:
    """MB of resident memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _whole(command: list[str], to: Path) -> float:
    rmtree(to, ignore_errors=True)
    tool = os.fspath(Path(sys.executable).with_name(command[0]))
    begun = time.perf_counter()
    subprocess.run([tool, *command[1:]], check=True, capture_output=True)
    return time.perf_counter() - begun


def _donor(folder: Path, seed: int) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=768, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=12, vocab_size=32000
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _size(folder: Path) -> float:
    return sum(tensor.nbytes for tensor in _tensors(folder).values()) / 2**20


def _compared(ours: Path, theirs: Path) -> str:
    mine, other = (_tensors(folder) for folder in (ours, theirs))
    unlike = [name for name in {**mine, **other} if name not in mine or name not in other]
    unlike += [name for name in mine.keys() & other.keys() if not torch.equal(mine[name], other[name])]
    return f"{len(mine)} tensors, all the same" if not unlike else f"{len(unlike)} tensors differ: {unlike[:3]}"


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


if __name__ == "__main__":
    kernel(sys.argv[1]) if len(sys.argv) > 1 else main()
