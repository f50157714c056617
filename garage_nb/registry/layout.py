"""Layout: where one family keeps its parts, as paths from the decoder, and the catalogue read off a model with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from ..core.batch import positions_of
from ..core.family import family_of
from ..core.sites import module_at
from ..errors import UnsupportedModelError
from .specs import ModelSpec, PartSpec, PartType


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Paths from the decoder (`layers`, `embedding`, …) and from a block (`attention`, `norms`, …).

    `norms` maps a role to a child of the block, in the order they run. A `contribution` is the child whose output is
    added to the residual stream, where that is not the half block itself (Gemma 2 and 3 normalise it first).
    """

    layers: str
    embedding: str
    final_norm: str
    attention: str
    attention_projection: str
    ffn: str
    ffn_projection: str | None
    norms: dict[str, str]
    position_embedding: str | None = None
    rotary: str | None = None
    gate: str | None = None
    attention_contribution: str | None = None
    ffn_contribution: str | None = None


def catalogue(model: Any, model_id: str, layout: Layout) -> ModelSpec:
    """Every part of `model` that the layout names. A path that is not there is an UnsupportedModelError."""
    if model.get_output_embeddings() is None:
        raise UnsupportedModelError(
            f"{type(model).__name__} has no output head.", "Load it with AutoModelForCausalLM, which adds one."
        )
    return _Reader(model, layout).spec(model_id)


class _Reader:
    """One model read through one layout."""

    def __init__(self, model: Any, layout: Layout) -> None:
        self.model, self.layout = model, layout
        self.config = model.config.get_text_config()
        self.paths = {id(module): path for path, module in model.named_modules()}
        self.root = self.paths[id(model.get_decoder())]
        self.width = int(self.config.hidden_size)

    def spec(self, model_id: str) -> ModelSpec:
        count = sum(1 for _ in self.module(f"{self.root}.{self.layout.layers}").children())
        parts = self.below()
        for layer in range(count):
            parts.update(self.block(layer))
        parts.update(self.above())
        return ModelSpec(
            model_id=model_id,
            family=family_of(self.config),
            hidden_dim=self.width,
            num_layers=count,
            num_heads=self.config.num_attention_heads,
            vocab_size=self.model.get_input_embeddings().weight.shape[0],
            max_seq_len=positions_of(self.config),
            parts=parts,
            module_paths=tuple(path for path in self.paths.values() if path),
            extra_info=self.facts(),
        )

    def below(self) -> dict[str, PartSpec]:
        embedding = self.model.get_input_embeddings()
        parts = {"embedding": self.part(PartType.EMBEDDING, self.layout.embedding, input_dim=embedding.weight.shape[0])}
        if self.layout.position_embedding:
            path = self.layout.position_embedding
            rows = self.module(f"{self.root}.{path}").get_parameter("weight").shape[0]
            parts["position_embedding"] = self.part(PartType.POSITION_EMBEDDING, path, input_dim=rows)
        if self.layout.rotary:
            width = _turned(self.module(f"{self.root}.{self.layout.rotary}"))
            parts["rotary_emb"] = self.part(PartType.ROTARY_EMB, self.layout.rotary, input_dim=width, output_dim=width)
        return parts

    def block(self, layer: int) -> dict[str, PartSpec]:
        layout, at = self.layout, f"{self.layout.layers}.{layer}"
        parts = {
            f"layer_norm_{layer}_{role}": self.part(PartType.LAYER_NORM, f"{at}.{path}", layer)
            for role, path in layout.norms.items()
        }
        parts[f"attention_{layer}"] = self.attention(layer, at)
        parts[f"ffn_{layer}"] = self.ffn(layer, at)
        if layout.gate:
            experts = self.config.num_local_experts
            parts[f"gate_{layer}"] = self.part(PartType.GATE, f"{at}.{layout.gate}", layer, output_dim=experts)
        parts[f"layer_{layer}"] = self.part(PartType.FULL_LAYER, at, layer)
        return parts

    def attention(self, layer: int, at: str) -> PartSpec:
        info = self.info(at, self.layout.attention_projection, self.layout.attention_contribution)
        kv_heads = getattr(self.config, "num_key_value_heads", None) or self.config.num_attention_heads
        return self.part(
            PartType.ATTENTION, f"{at}.{self.layout.attention}", layer, num_heads=self.config.num_attention_heads,
            head_dim=self.head_dim(layer), extra_info={**info, "num_kv_heads": kv_heads},
        )  # fmt: skip

    def ffn(self, layer: int, at: str) -> PartSpec:
        info = self.info(at, self.layout.ffn_projection, self.layout.ffn_contribution)
        neurons = _width_in(self.module(info["projection"])) if "projection" in info else None
        path = f"{at}.{self.layout.ffn}"
        return self.part(PartType.FFN, path, layer, intermediate_dim=neurons, extra_info=info)

    def above(self) -> dict[str, PartSpec]:
        head = self.model.get_output_embeddings()
        spec = PartSpec(
            part_type=PartType.OUTPUT_HEAD, layer_idx=None, module_path=self.paths[id(head)],
            input_dim=self.width, output_dim=head.weight.shape[0],
        )  # fmt: skip
        return {"layer_norm_final": self.part(PartType.LAYER_NORM, self.layout.final_norm), "output_head": spec}

    def part(self, kind: PartType, path: str, layer: int | None = None, **known: Any) -> PartSpec:
        full = f"{self.root}.{path}"
        self.module(full)
        dims = {"input_dim": self.width, "output_dim": self.width, **known}
        return PartSpec(part_type=kind, layer_idx=layer, module_path=full, **dims)

    def info(self, at: str, projection: str | None, contribution: str | None) -> dict[str, Any]:
        named = {"projection": projection, "contribution": contribution}
        return {key: f"{self.root}.{at}.{path}" for key, path in named.items() if path}

    def head_dim(self, layer: int) -> int:
        module = self.module(f"{self.root}.{self.layout.layers}.{layer}.{self.layout.attention}")
        own = getattr(module, "head_dim", None)
        return int(own or self.width // self.config.num_attention_heads)

    def facts(self) -> dict[str, Any]:
        """What `compare` needs to know beyond shapes."""
        rope = getattr(self.config, "rope_parameters", None)
        return {
            "model_type": self.config.model_type,
            "rope": _plain(rope),
            "activation": str(
                getattr(self.config, "hidden_act", None) or getattr(self.config, "activation_function", "")
            ),
            "tied_head": bool(getattr(self.config, "tie_word_embeddings", False)),
        }

    def module(self, path: str) -> nn.Module:
        try:
            return module_at(self.model, path)
        except LookupError:
            raise UnsupportedModelError(
                f"{type(self.model).__name__} has no {path}, where its family keeps it.",
                "Teach it with a ModelDecomposer.",
            ) from None


def _turned(rotary: nn.Module) -> int:
    """Columns of a head that are turned, two a frequency. Gemma 3 has one set of frequencies for each kind of layer."""
    frequencies = (buffer for name, buffer in rotary.named_buffers() if name.endswith("inv_freq"))
    return 2 * next(frequencies).shape[0]


def _width_in(projection: nn.Module) -> int:
    """Inputs of a Linear, or of GPT-2's Conv1D, whose weight is (in, out)."""
    features = getattr(projection, "in_features", None)
    return projection.get_parameter("weight").shape[0] if features is None else int(features)


def _plain(value: Any) -> Any:
    """What JSON gives back equal: keys are text, tuples are lists."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
