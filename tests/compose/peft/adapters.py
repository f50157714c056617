"""Folders as PEFT itself saves them, with random numbers in every tensor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tests.families import tiny


def trained(family: str, config: Any, folder: Path, **changes: Any) -> Path:
    """An adapter for `tiny(family)`."""
    from peft import get_peft_model

    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = get_peft_model(tiny(family, **changes), config)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.add_(0.05 * torch.randn_like(weight))
    model.save_pretrained(str(folder))
    return folder


def lora(**said: Any) -> Any:
    from peft import LoraConfig

    return LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "down_proj"], **said})


def ia3(**said: Any) -> Any:
    from peft import IA3Config

    return IA3Config(
        **{"target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"], **said}
    )


def resaid(folder: Path, **changes: Any) -> None:
    """Other words in the config; None takes one out."""
    file = folder / "adapter_config.json"
    said = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps(said))


def rewritten(folder: Path, **changes: torch.Tensor | None) -> None:
    """Other tensors in the file, by their whole names; None takes one out."""
    from safetensors.torch import load_file, save_file

    file = str(folder / "adapter_model.safetensors")
    kept = {name: tensor.clone() for name, tensor in {**load_file(file), **changes}.items() if tensor is not None}
    save_file(kept, file)
