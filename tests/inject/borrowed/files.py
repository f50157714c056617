"""Files of other libraries, written byte by byte as those write them, and their arithmetic in double precision."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

DIM, FEATURES, K = 32, 48, 5
ARCHITECTURES = ("standard", "topk", "jumprelu", "gated")
_VECTORS = {
    "standard": {"b_enc"}, "topk": {"b_enc"}, "jumprelu": {"b_enc", "threshold"}, "gated": {"b_gate", "r_mag", "b_mag"}
}  # fmt: skip


def weights(architecture: str, dim: int = DIM, features: int = FEATURES) -> dict[str, Tensor]:
    drawn = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> Tensor:
        return 0.3 * torch.randn(shape, generator=drawn)

    found = {"W_enc": draw(dim, features), "W_dec": draw(features, dim), "b_dec": draw(dim)}
    found |= {name: draw(features) for name in sorted(_VECTORS[architecture])}
    if architecture == "jumprelu":
        found["threshold"] = found["threshold"].abs()
    return found


def said(architecture: str, /, **changes: Any) -> dict[str, Any]:
    """A cfg.json of SAELens 6."""
    own = {"k": K, "rescale_acts_by_decoder_norm": False} if architecture == "topk" else {}
    metadata = {"sae_lens_version": "6.18.0", "model_name": "tiny", "hook_name": "blocks.1.hook_resid_post"}
    cfg = {
        "architecture": architecture, "d_in": DIM, "d_sae": FEATURES, "dtype": "float32", "device": "cuda",
        "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
        "metadata": {**metadata, "hook_head_index": None, "context_size": 128, "prepend_bos": True},
    }  # fmt: skip
    return {**cfg, **own, **changes}


def sae_folder(folder: Path, architecture: str, tensors: dict[str, Tensor] | None = None, /, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(said(architecture, **changes)))
    save_file(tensors or weights(architecture), folder / "sae_weights.safetensors")
    return folder


def _sorted_k(before: np.ndarray, k: int) -> np.ndarray:
    kept = np.zeros_like(before)
    for row, out in zip(before.reshape(-1, before.shape[-1]), kept.reshape(-1, before.shape[-1]), strict=True):
        for index in np.argsort(row)[-k:]:
            out[index] = max(row[index], 0)
    return kept


def numpy_sae(
    architecture: str, w: dict[str, Tensor], hidden: Tensor, factors: dict[int, float], *, norm: str = "none",
    centres: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Features, the reconstruction with some of them turned, and the one with none turned."""
    own = {name: tensor.double().numpy() for name, tensor in w.items()}
    x = hidden.double().numpy()
    scale, mean = np.ones(()), np.zeros(())
    read = x
    if norm == "constant_norm_rescale":
        scale = np.sqrt((x * x).sum(-1, keepdims=True)) / np.sqrt(x.shape[-1])
        read = x / scale
    elif norm == "layer_norm":
        mean = x.mean(-1, keepdims=True)
        scale = np.sqrt(((x - mean) ** 2).sum(-1, keepdims=True) / (x.shape[-1] - 1))
        read = (x - mean) / (scale + 1e-5)
    elif norm == "mean_off":
        mean = x.mean(-1, keepdims=True)
        read = x - mean
    drive = (read - own["b_dec"] * centres) @ own["W_enc"]
    if architecture == "gated":
        active = np.maximum(drive * np.exp(own["r_mag"]) + own["b_mag"], 0) * (drive + own["b_gate"] > 0)
    else:
        before = drive + own["b_enc"]
        active = _sorted_k(before, K) if architecture == "topk" else np.maximum(before, 0)
        active = active * (before > own["threshold"]) if architecture == "jumprelu" else active
    turned = active.copy()
    for feature, factor in factors.items():
        turned[..., feature] *= factor
    rebuilt = [(some @ own["W_dec"] + own["b_dec"]) * scale + mean for some in (turned, active)]
    return active, rebuilt[0], rebuilt[1]


def gguf(directions: dict[str, np.ndarray], kind: str = "controlvector", dtype: int = 0, version: int = 3) -> bytes:
    """A control vector, laid out by the letter of the format."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    entries = [
        text("general.architecture") + struct.pack("<I", 8) + text(kind),
        text(f"{kind}.model_hint") + struct.pack("<I", 8) + text("llama"),
        text(f"{kind}.layer_count") + struct.pack("<II", 4, len(directions)),
        text("general.quantised") + struct.pack("<I?", 7, False),
    ]
    infos, data = [], b""
    for name, numbers in directions.items():
        infos.append(text(name) + struct.pack("<IQIQ", 1, numbers.size, dtype, len(data)))
        data += numbers.astype("<f4").tobytes()
        data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", version, len(directions), len(entries)) + b"".join([*entries, *infos])
    return head + bytes(-len(head) % 32) + data
