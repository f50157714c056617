"""`python -m tests.bench`: what the engine costs beside the bare model. Prints a table, writes build/bench.json.

A benchmark, not a test: it asserts nothing and its numbers belong to the machine they were taken on.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers

from garage_nb.core.attach import Attached
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.core.sites import Read
from garage_nb.inject.layer import LayerInjector
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture

from .side_by_side import HEAD, Ratio, compare

LAYERS, WIDTH, HEADS, TOKENS, TARGET = 12, 768, 12, 128, 1.15
OUT = Path("build") / "bench.json"


def models() -> Iterator[tuple[str, Any]]:
    """GPT-2 small, and a Llama of the same depth and width with GPT-2's vocabulary size."""
    torch.manual_seed(0)
    gpt2 = transformers.GPT2Config(n_layer=LAYERS, n_embd=WIDTH, n_head=HEADS)
    yield "gpt2", transformers.GPT2LMHeadModel(gpt2).eval()
    llama = transformers.LlamaConfig(
        num_hidden_layers=LAYERS, hidden_size=WIDTH, num_attention_heads=HEADS, num_key_value_heads=HEADS,
        intermediate_size=2048, vocab_size=gpt2.vocab_size, max_position_embeddings=1024,
    )  # fmt: skip
    yield "llama", transformers.LlamaForCausalLM(llama).eval()


def measured(name: str, model: Any) -> Iterator[Ratio]:
    ids = torch.randint(0, model.config.vocab_size, (1, TOKENS), generator=torch.Generator().manual_seed(0))
    camera, spec = SnapshotCapture(model), spec_of(model)

    @torch.no_grad()
    def bare() -> Any:
        return model(ids, use_cache=False).logits

    @torch.no_grad()
    def without_head() -> Any:
        return model.base_model(ids, use_cache=False)

    def capture() -> Any:
        return camera.run(ids)

    sites = [spec.site(layer) for layer in spec.select("all")]

    def read_nothing() -> Any:
        with Attached(model, [Read(site, lambda hidden: None) for site in sites]):
            return bare()

    def idle_injector() -> Any:
        with LayerInjector(model):
            return bare()

    yield compare(f"{name}: statistics of all layers / bare forward", bare, capture, pairs=24, target=TARGET)
    yield compare(f"{name}: the same / forward without the head", without_head, capture, pairs=24)
    yield compare(f"{name}: {LAYERS} empty readers / bare forward", bare, read_nothing, pairs=12)
    Fingerprint.of(model)
    yield compare(f"{name}: idle LayerInjector, after verify / bare", bare, idle_injector, pairs=12)

    def set_and_remove() -> None:
        with Attached(model, [Read(site, lambda hidden: None) for site in sites]):
            pass

    yield compare(f"{name}: {LAYERS} hooks set and removed / bare forward", bare, set_and_remove, pairs=12)


def machine() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "load before": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    about = {**machine(), "layers": LAYERS, "width": WIDTH, "tokens": TOKENS}
    print(", ".join(f"{key}: {value}" for key, value in about.items()), HEAD, sep="\n", flush=True)
    rows = []
    for name, model in models():
        for row in measured(name, model):
            print(row.row(), flush=True)
            rows.append(row.as_dict())
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"machine": about, "rows": rows}, indent=1), encoding="utf-8")
    print(f"Written to {OUT}")


if __name__ == "__main__":
    main()
