"""TransformerLens: its bridge over the same model; hooks at named points, and no vocabulary where it can be left out.

`logits_to_keep=1` is its cheapest way to leave logits out: `stop_at_layer` at the model's depth computes them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.patching import get_act_patch_resid_pre

from ..numbers import numbers, table
from ..player import Answer, Player, Remarks, Work, across, greedy, host, margin, rows

Hook = Callable[[Tensor, Any], Tensor | None]


class TransformerLens(Player):
    packages = ("transformer-lens",)
    remarks: ClassVar[Remarks] = {
        "statistics": "run_with_hooks; logits of one token",
        "slider": "runs every layer, with start_at_layer too",
        "sweep": "the scales as rows of one batch; runs every layer",
        "patch_grid": "get_act_patch_resid_pre: one forward a cell",
        "generate": "hf_generate inside hooks()",
        "patterns": "run_with_hooks; logits of one token",
    }

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.bridge = _bridge(model)
        self.depth = model.config.num_hidden_layers

    def statistics(self, ids: Tensor) -> Work:
        def work() -> Answer:
            found: list[Tensor] = []
            self._run(ids, self._reading(found), logits_to_keep=1)
            return (table(found),)

        return work

    def statistics_and_logits(self, ids: Tensor) -> Work:
        def work() -> Answer:
            found: list[Tensor] = []
            logits = self._run(ids, self._reading(found))
            return table(found), logits

        return work

    def layer(self, ids: Tensor, index: int) -> Work:
        return lambda: (self.bridge(ids, stop_at_layer=index + 1, use_cache=False),)

    def idle(self, ids: Tensor) -> Work:
        return lambda: (self.bridge(ids, use_cache=False),)

    def slider(self, ids: Tensor, index: int, scale: float) -> Work:
        return lambda: host(self._edited(ids, index, lambda hidden, hook: hidden * scale))

    def sweep(self, ids: Tensor, index: int, scales: Tensor) -> Work:
        return lambda: host(self._edited(rows(ids, scales), index, lambda hidden, hook: across(scales, hidden)))

    def patch_grid(self, clean: Tensor, corrupt: Tensor) -> Work:
        names = [f"blocks.{index}.hook_resid_pre" for index in range(self.depth)]

        def work() -> Answer:
            _, cache = self.bridge.run_with_cache(clean, names_filter=names)
            found = get_act_patch_resid_pre(self.bridge, corrupt, cache, lambda logits: margin(logits[:, -1])[0])
            return host(found)

        return work

    def generate(self, ids: Tensor, indices: tuple[int, ...], scale: float, new: int) -> Work:
        hooks = [(_leaving(index), lambda hidden, hook: hidden * scale) for index in indices]
        options = {name: value for name, value in greedy(new).items() if name != "pad_token_id"}

        def work() -> Answer:
            with self.bridge.hooks(fwd_hooks=hooks):
                return (self.bridge.hf_generate(ids, stop_at_eos=False, return_type="tokens", **options),)

        return work

    def patterns(self, ids: Tensor) -> Work:
        names = [f"blocks.{index}.attn.hook_pattern" for index in range(self.depth)]

        def work() -> Answer:
            found: list[Tensor] = []
            self._run(ids, [(name, lambda pattern, hook: found.append(pattern)) for name in names], logits_to_keep=1)
            return tuple(found)

        return work

    def _reading(self, found: list[Tensor]) -> list[tuple[str, Hook]]:
        def take(hidden: Tensor, hook: Any) -> None:
            found.append(numbers(hidden))

        return [(_leaving(index), take) for index in range(self.depth)]

    def _edited(self, ids: Tensor, index: int, edit: Hook) -> Tensor:
        return self._run(ids, [(_leaving(index), edit)], logits_to_keep=1)[:, -1]

    def _run(self, ids: Tensor, hooks: list[tuple[str, Any]], **options: Any) -> Tensor:
        logits: Tensor = self.bridge.run_with_hooks(ids, fwd_hooks=hooks, use_cache=False, **options)
        return logits


def _leaving(index: int) -> str:
    return f"blocks.{index}.hook_out"


def _bridge(model: Any) -> Any:
    """It wants a tokenizer, and the model's type as a name."""
    from transformers import AutoTokenizer

    folder = model.config.name_or_path
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return TransformerBridge.boot_transformers(folder, hf_model=model, tokenizer=tokenizer, dtype=model.dtype)


PLAYER = TransformerLens
