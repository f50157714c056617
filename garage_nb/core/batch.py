"""Batch: what goes into a pass, checked before the model sees it.

A model answers an id out of range with an IndexError or a dead device, and some answer a prompt that is too long with
plausible nonsense. So every prompt passes through `prepare`, which refuses in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .family import text_config
from .vocabulary import vocab_size

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_SHORT = 8  # tokens of the fixed prompt
Prompt = str | Sequence[str] | Sequence[int] | Tensor | Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Batch:
    """Token ids and mask, both (batch, seq). `position_ids` is there only where padding stands on the left.

    `decoder_input_ids` (batch, written) is what an encoder–decoder model has written so far. `padded` says whether the
    mask hides anything; it is worked out once, before the batch goes to a device that would have to be waited for.
    """

    input_ids: Tensor
    attention_mask: Tensor
    position_ids: Tensor | None = None
    decoder_input_ids: Tensor | None = None
    padded: bool | None = None

    def __post_init__(self) -> None:
        if self.padded is None:
            object.__setattr__(self, "padded", not bool(self.attention_mask.all()))

    def inputs(self) -> dict[str, Tensor]:
        named = {item.name: getattr(self, item.name) for item in fields(self)}
        return {key: value for key, value in named.items() if isinstance(value, Tensor)}

    def repeated(self, rows: int) -> Batch:
        """The whole batch `rows` times, one after the other."""
        if rows == 1:
            return self
        whole: dict[str, Any] = {key: value.repeat(rows, 1) for key, value in self.inputs().items()}
        return replace(self, **whole)

    def to(self, device: torch.device) -> Batch:
        moved: dict[str, Any] = {key: value.to(device) for key, value in self.inputs().items()}
        return replace(self, **moved)

    @property
    def padding(self) -> Tensor | None:
        """The mask where it hides anything, None where all tokens are real."""
        return self.attention_mask if self.padded else None


@dataclass(frozen=True)
class Limits:
    """How many ids the embedding has, and how many positions the model was made for (None: no limit known)."""

    vocab: int
    positions: int | None

    @classmethod
    def of(cls, model: Any) -> Limits:
        return cls(vocab_size(model), positions_of(text_config(model)))


def positions_of(config: Any) -> int | None:
    for field in ("max_position_embeddings", "n_positions", "max_seq_len", "max_seq_length"):
        value = getattr(config, field, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


def prepare(prompt: Prompt, model: nn.Module, tokenizer: Any = None) -> Batch:
    """A checked Batch on the model's device. Texts of unlike length are padded on the right.

    `prompt` is a text, texts, ids (flat or (batch, seq)), or what a tokenizer returned. InputError when it is empty,
    longer than the model's positions, or holds an id that the model has no embedding for.
    """
    limits = Limits.of(model)
    batch = _batch(prompt, tokenizer)
    _check(batch, limits)
    positions = None if batch.decoder_input_ids is not None else positions_under(batch.attention_mask)
    return replace(with_start(batch, model), position_ids=positions).to(_device(model))


def batch_of(rows: Sequence[Sequence[int]], padding: int = 0) -> Batch:
    """Ids of unlike length, padded on the right with an id that the mask hides. Nothing of them is checked."""
    longest = max(map(len, rows))
    ids = [[*row, *[padding] * (longest - len(row))] for row in rows]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
    return Batch(torch.tensor(ids), torch.tensor(mask))


def with_start(batch: Batch, model: Any) -> Batch:
    """For an encoder–decoder model that has written nothing yet: the token it starts from."""
    config = getattr(model, "config", None)
    if batch.decoder_input_ids is not None or not getattr(config, "is_encoder_decoder", False):
        return batch
    known = (getattr(config, name, None) for name in ("decoder_start_token_id", "bos_token_id", "pad_token_id"))
    start = next((token for token in known if token is not None), 0)
    return replace(batch, decoder_input_ids=torch.full((batch.input_ids.shape[0], 1), start))


def probe(model: Any) -> Batch:
    """The fixed prompt: the first few token ids, for an encoder–decoder model as what it has written too."""
    ids = torch.arange(min(_SHORT, vocab_size(model)))[None]
    started = with_start(Batch(ids, torch.ones_like(ids)), model)
    whole = started if started.decoder_input_ids is None else replace(started, decoder_input_ids=ids)
    return whole.to(_device(model))


def _batch(prompt: Prompt, tokenizer: Any) -> Batch:
    if isinstance(prompt, Mapping):
        ids = _rows(prompt.get("input_ids"))
        mask, written = prompt.get("attention_mask"), prompt.get("decoder_input_ids")
        return Batch(
            ids,
            torch.ones_like(ids) if mask is None else _rows(mask, (*INTEGERS, torch.bool)),
            decoder_input_ids=None if written is None else _rows(written),
        )
    if isinstance(prompt, str):
        return _encode([prompt], tokenizer)
    if isinstance(prompt, Sequence) and prompt and all(isinstance(text, str) for text in prompt):
        return _encode([str(text) for text in prompt], tokenizer)
    ids = _rows(prompt)
    return Batch(ids, torch.ones_like(ids))


def _encode(texts: list[str], tokenizer: Any) -> Batch:
    if tokenizer is None:
        raise InputError("A text was given, but no tokenizer came with this model.", "Pass a tokenizer, or token ids.")
    if not all(text.strip() for text in texts):
        raise InputError("The prompt is empty.", 'Give at least one word, for example "The capital of France is".')
    _demand_encodable(texts)
    return batch_of([tokenizer(text)["input_ids"] for text in texts], tokenizer.pad_token_id or 0)


def _demand_encodable(texts: list[str]) -> None:
    """Half a surrogate pair is no character; tokenizers answer it with a TypeError about unions."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"The prompt holds half a character (U+{ord(text[error.start]):04X}) at position {error.start}.",
                "Leave it out, or read the text again as UTF-8.",
            ) from None


def _rows(ids: Any, allowed: tuple[torch.dtype, ...] = INTEGERS) -> Tensor:
    try:
        tensor = torch.as_tensor(ids)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"Token ids were expected, not {type(ids).__name__}.",
            "Give a text, a list of ids, or a (batch, seq) tensor.",
        ) from None
    tensor = tensor[None] if tensor.ndim == 1 else tensor
    if tensor.numel() == 0:
        raise InputError("The prompt is empty.", "Give at least one token.")
    if tensor.ndim != 2 or tensor.dtype not in allowed:
        raise InputError(
            f"Token ids were expected as (batch, seq) integers, not {tuple(tensor.shape)} {tensor.dtype}.",
            "Give what the tokenizer returned under input_ids.",
        )
    return tensor.long()


def _check(batch: Batch, limits: Limits) -> None:
    ids, seq = batch.input_ids, batch.input_ids.shape[1]
    mask = batch.attention_mask
    if mask.shape != ids.shape or bool(((mask != 0) & (mask != 1)).any()):
        raise InputError(
            f"The mask is {tuple(mask.shape)} where the ids are {tuple(ids.shape)}, or holds more than 0 and 1.",
            "Give a mask of the same shape, 1 for a token and 0 for padding.",
        )
    if not bool(mask.any(dim=1).all()):
        raise InputError("The prompt is empty.", "Give at least one token.")
    if limits.positions is not None and seq > limits.positions:
        raise InputError(f"The prompt has {seq} tokens.", f"This model was made for {limits.positions}; shorten it.")
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= limits.vocab:
        wrong = low if low < 0 else high
        raise InputError(
            f"Token id {wrong} is out of this model's vocabulary of {limits.vocab}.", "Use the model's own tokenizer."
        )


def positions_under(mask: Tensor) -> Tensor | None:
    """Position ids (batch, seq) for a mask with padding on the left, None where counting from 0 is right.

    Left padding shifts positions unless they are given: GPT-2's activations are off by up to 0.1 without.
    """
    if bool(mask[:, 0].all()):
        return None
    return (mask.long().cumsum(dim=1) - 1).clamp(min=0)


def _device(model: nn.Module) -> torch.device:
    """Where the model takes what it reads; of weights kept elsewhere, where accelerate will bring them."""
    first = next(model.parameters())
    hooks = (vars(module).get("_hf_hook") for module in model.modules()) if first.is_meta else ()
    brought_to = (getattr(hook, "execution_device", None) for hook in hooks)
    return next((torch.device(place) for place in brought_to if place is not None), first.device)
