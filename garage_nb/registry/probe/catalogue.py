"""From a live model to its spec: one short forward on tape, then every part it shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ...core.batch import positions_of
from ...core.batch import probe as prompt
from ...core.family import family_of, text_config
from ...core.parts import ENCODER, Part
from ...core.run import watched
from ...core.vocabulary import vocab_size
from ...errors import GarageError, UnsupportedModelError
from ..facts import with_facts
from ..part_spec import PartSpec, PartType, Proof
from ..specs import ModelSpec
from .edges import Edges, edges
from .experts import experts_of
from .flow import Flow
from .halves import Block, Half
from .heads import heads_of
from .norms import norms_of
from .points import points_of_attention, points_of_block, points_of_gate
from .projection import last_projection
from .proofs import prove
from .stacks import Stack, numbered, stacks
from .tape import Call, Tape

IDLE = "it did not run on token ids alone"

Parts = dict[str, PartSpec]


def probe(model: Any, model_id: str) -> ModelSpec:
    """The catalogue of a model never seen before. UnsupportedModelError says why one cannot be opened."""
    flow = Flow(_taped(model))
    found = stacks(model, flow)
    if not found or (found[0].votes < 2 and text_config(model) is not None):
        raise UnsupportedModelError(
            f"No chain of blocks ran in this {type(model).__name__}.",
            "Keep the blocks in an nn.ModuleList, or teach it with a ModelDecomposer.",
        )
    main, encoder = _main_and_encoder(model, found)
    return with_facts(_Catalogue(model, flow, main, encoder).spec(model_id), model)


def _taped(model: nn.Module) -> Tape:
    tape = Tape()
    try:
        with torch.inference_mode(False):  # inside it operations reach the tape whole, and nothing could be traced
            watched(model, prompt(model), tape.watches(model), tape)
    except GarageError:
        raise
    except Exception as error:  # whatever a stranger's forward raises is the reason why it cannot be opened
        line = str(error).strip().splitlines()
        raise UnsupportedModelError(
            f"{type(model).__name__} did not run on a few token ids: {type(error).__name__}: {line[0] if line else ''}",
            "Open the part of it that reads text, or teach it with a ModelDecomposer.",
        ) from error
    return tape


def _main_and_encoder(model: Any, found: list[Stack]) -> tuple[Stack, Stack | None]:
    """In an encoder–decoder model the stack that runs first is the encoder's."""
    best = [stack for stack in found if stack.votes >= found[0].votes - 1]
    if not getattr(getattr(model, "config", None), "is_encoder_decoder", False) or len(best) < 2:
        return found[0], None
    encoder, decoder = sorted(best[:2], key=lambda stack: stack.calls[0].began)
    return decoder, encoder


@dataclass
class _Catalogue:
    """One model's parts, bottom to top."""

    model: Any
    flow: Flow
    main: Stack
    encoder: Stack | None

    def spec(self, model_id: str) -> ModelSpec:
        parts: Parts = {}
        proofs: list[Proof] = []
        if self.encoder is not None:
            self._add(self.encoder, ENCODER, edges(self.model, self.flow, self.encoder), parts, proofs)
        since = self.encoder.calls[-1].ended if self.encoder is not None else 0
        around = edges(self.model, self.flow, self.main, since)
        self._add(self.main, None, around, parts, proofs)
        parts.update(self._head(around))
        config = text_config(self.model)
        heads = [part.num_heads for part in parts.values() if part.num_heads]
        return ModelSpec(
            model_id=model_id,
            family=family_of(config),
            hidden_dim=self._width(self.main.calls[0]),
            num_layers=len(numbered(self.main, self.model)),
            num_heads=max(heads, default=0),
            vocab_size=vocab_size(self.model),
            max_seq_len=positions_of(config),
            parts=parts,
            module_paths=tuple(path for path, _ in self.model.named_modules() if path),
            proofs=tuple(proofs),
        )

    def _add(self, stack: Stack, of: str | None, around: Edges, parts: Parts, proofs: list[Proof]) -> None:
        """One stack's parts, bottom to top."""
        parts.update(self._below(around, of))
        for layer, (path, call) in enumerate(numbered(stack, self.model)):
            block, proof = self._idle(path, layer, of) if call is None else self._block(call, layer, of)
            parts.update(block)
            proofs.append(proof)
        parts.update(self._norm_after(around, of))

    def _below(self, found: Edges, of: str | None) -> Parts:
        parts: Parts = {}
        if found.embedding is not None:
            rows = getattr(found.embedding.module, "num_embeddings", None) or vocab_size(self.model)
            parts[str(Part("embedding", stack=of))] = self._part(PartType.EMBEDDING, found.embedding, input_dim=rows)
        if found.position is not None:
            rows = next((p.shape[0] for p in found.position.module.parameters()), self._width(found.position))
            position = self._part(PartType.POSITION_EMBEDDING, found.position, input_dim=rows)
            parts[str(Part("position_embedding", stack=of))] = position
        if found.rotary is not None:
            width = self._width(found.rotary)
            rotary = self._part(PartType.ROTARY_EMB, found.rotary, input_dim=width)
            rotary = replace(rotary, extra_info={})  # Gemma 3 calls it once for each kind of layer
            parts[str(Part("rotary_emb", stack=of))] = rotary
        for count, norm in enumerate(found.norms):
            role = "embedding" if not count else f"embedding_{count + 1}"
            name = str(Part("layer_norm", None, role, stack=of))
            parts[name] = self._part(PartType.LAYER_NORM, norm, place="stream")
        return parts

    def _idle(self, path: str, layer: int, of: str | None) -> tuple[Parts, Proof]:
        """A block that keeps its number although the pass left it out, as Mllama does without an image."""
        whole, width = str(Part("layer", layer, stack=of)), self._width(self.main.calls[0])
        part = PartSpec(
            part_type=PartType.FULL_LAYER, layer_idx=layer, module_path=path,
            input_dim=width, output_dim=width, unavailable=IDLE,
        )  # fmt: skip
        return {whole: part}, Proof(layer=whole, claim="", error=None, tolerance=None, reason=IDLE)

    def _block(self, call: Call, layer: int, of: str | None) -> tuple[Parts, Proof]:
        block = Block(self.flow, call)
        whole = str(Part("layer", layer, stack=of))
        proof = prove(self.flow, block, whole)
        parts: Parts = {}
        for norm in norms_of(self.flow, block):
            name = str(Part("layer_norm", layer, norm.role, stack=of))
            parts[name] = self._part(PartType.LAYER_NORM, norm.call, layer, place=norm.place)
        for half in block.halves:
            parts.update(self._half(block, half, layer, of, proof.reason, parts))
        points = points_of_block(self.flow, block)
        parts[whole] = self._part(PartType.FULL_LAYER, call, layer, parallel=block.is_parallel, points=points)
        return parts, proof

    def _half(self, block: Block, half: Half, layer: int, of: str | None, reason: str, known: Parts) -> Parts:
        owner = half.module or half.site or block.call
        role = owner.role if str(Part(half.kind, layer, stack=of)) in known else None
        info: dict[str, Any] = {}
        if half.site is not None and half.site is not owner:
            info |= {"contribution": half.site.path} | self._turn(half.site)
        if half.times != 1:
            info["times"] = half.times
        if half.module is None and half.site is not None:
            info["spread"] = sorted(
                {call.path for call in block.inside if call.left in half.upstream and call.parent is block.call}
            )
        if half.site is not None and self.flow.tape.overwritten(half.value, block.call.ended):
            info["overwritten"] = True
        if half.site is None:
            reason = reason or "what it adds leaves no module in the form in which it is added"
        part = self._part(PartType(half.kind), owner, layer, unavailable=reason, **info)
        if half.kind in ("attention", "cross_attention"):
            points = points_of_attention(self.flow, block, half)
            part = self._with_heads(block, half, replace(part, extra_info={**part.extra_info, "points": points}))
        elif half.kind == "ffn":
            part, gate = self._with_neurons(block, half, part)
            if gate is not None:
                known = {**known, str(Part("gate", layer, role, stack=of)): gate}
        gates = {name: gate for name, gate in known.items() if gate.part_type is PartType.GATE}
        return {**gates, str(Part(half.kind, layer, role, stack=of)): part}

    def _with_heads(self, block: Block, half: Half, part: PartSpec) -> PartSpec:
        heads = heads_of(self.model, self.flow, block, half)
        if isinstance(heads, str):
            return replace(part, extra_info={**part.extra_info, "heads": f"n/a: {heads}"})
        info: dict[str, Any] = {"projection": heads.projection.path, **self._turn(heads.projection, "projection_turn")}
        if heads.layout is not None:
            info["qkv"] = {"kind": heads.layout.kind, "from": [call.path for call in heads.layout.calls]}
        if heads.layout is not None and heads.layout.kv_count is not None:
            info["num_kv_heads"] = heads.layout.kv_count
        return replace(part, num_heads=heads.count, head_dim=heads.dim, extra_info={**part.extra_info, **info})

    def _with_neurons(self, block: Block, half: Half, part: PartSpec) -> tuple[PartSpec, PartSpec | None]:
        experts = experts_of(self.model, self.flow, block, half)
        if experts is not None:
            info: dict[str, Any] = {"num_experts": experts.count}
            if experts.per_token is not None:
                info["experts_per_token"] = experts.per_token
            if experts.together is not None and not experts.reason:
                info["experts"] = experts.together.path
                info |= {"experts_times": experts.times} if experts.times != 1 else {}
            router = experts.router
            points = points_of_gate(self.flow, router) if router is not None else {}
            gate = None if router is None else self._part(PartType.GATE, router, part.layer_idx, points=points)
            return replace(part, extra_info={**part.extra_info, **info}), gate
        projection = last_projection(self.flow, block, half)
        if projection is None or projection.entered is None:
            return part, None
        info = {"projection": projection.path, **self._turn(projection, "projection_turn")}
        width = self.flow.tape.tensor(projection.entered).shape[-1]
        return replace(part, intermediate_dim=width, extra_info={**part.extra_info, **info}), None

    def _norm_after(self, found: Edges, of: str | None) -> Parts:
        if found.final_norm is None:
            return {}
        name = str(Part("layer_norm", None, "final", stack=of))
        return {name: self._part(PartType.LAYER_NORM, found.final_norm, place="stream")}

    def _head(self, found: Edges) -> Parts:
        return {} if found.head is None else {"output_head": self._part(PartType.OUTPUT_HEAD, found.head)}

    def _part(
        self, kind: PartType, call: Call, layer: int | None = None, *, unavailable: str = "", **known: Any
    ) -> PartSpec:
        dims = {"input_dim": self._width(call, "entered"), "output_dim": self._width(call)}
        dims |= {key: known.pop(key) for key in ("input_dim", "output_dim") if key in known}
        info = {**self._turn(call), **known}
        return PartSpec(
            part_type=kind, layer_idx=layer, module_path=call.path, unavailable=unavailable, extra_info=info, **dims
        )

    def _turn(self, call: Call, key: str = "turn") -> dict[str, int]:
        """Nothing for a module that runs once a pass."""
        return {key: call.turn} if self.flow.tape.runs(call.module) > 1 else {}

    def _width(self, call: Call, side: str = "left") -> int:
        value = getattr(call, side)
        return 0 if value is None else self.flow.tape.tensor(value).shape[-1]
