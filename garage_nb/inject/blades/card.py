"""Cards: what a blade was made for, from and on, for whoever meets it without its maker."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ...core.fingerprint import AtRest
from ...errors import EditError
from ...registry.lift import Lifted
from ...registry.specs import ModelSpec
from .strict import count, made, number, text, whole


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """`model_class` is transformers' class, `tokenizer` the digest of how tokens are numbered, empty where that is not
    known, `weights` that of names, shapes, dtypes and bits.
    """

    model_id: str
    model_class: str
    hidden_size: int
    layers: int
    vocabulary: int
    tokenizer: str
    weights: str

    @classmethod
    def of(cls, lifted: Lifted) -> ModelCard:
        """One pass over the weights."""
        spec = lifted.spec
        return cls(
            model_id=spec.model_id,
            model_class=type(lifted.model).__name__,
            hidden_size=spec.hidden_dim,
            layers=spec.num_layers,
            vocabulary=spec.vocab_size,
            tokenizer=_tokenizer(spec),
            weights=AtRest.of(lifted.model).digest,
        )

    def is_of(self, live: ModelCard) -> bool:
        """Whether the model that is there has this class and these weights."""
        return (self.model_class, self.weights) == (live.model_class, live.weights)

    def __str__(self) -> str:
        return f"{self.model_id} ({self.weights[:8]})"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> ModelCard:
        return made(cls, data, _MODEL)


@dataclass(frozen=True, kw_only=True)
class FitCard:
    """`data` is the sha256 of the texts, of which there were `n`. What was trained has `steps` of `batch` texts each at
    learning rate `rate`, and the `loss` of the last one in nats a token, None where nothing was; `seconds` is the time
    it took.
    """

    data: str
    n: int
    seed: int = 0
    steps: int = 0
    rate: float = 0.0
    batch: int = 0
    seconds: float = 0.0
    loss: float | None = None

    @classmethod
    def none(cls) -> FitCard:
        """Of what was not fitted."""
        return cls(data="", n=0)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> FitCard:
        return made(cls, data, _FIT)


_MODEL = {
    "model_id": text, "model_class": text, "hidden_size": count, "layers": count, "vocabulary": count,
    "tokenizer": text, "weights": text,
}  # fmt: skip
_FIT = {
    "data": text, "n": count, "seed": whole, "steps": count, "rate": number, "batch": count, "seconds": number,
    "loss": lambda value: None if value is None else number(value),
}  # fmt: skip


def demand_same_tokens(target: ModelSpec, source: ModelSpec) -> None:
    """EditError for two that number tokens differently. Where a tokenizer is not known, the size of the vocabulary is
    all there is to go by.
    """
    ours, theirs = _tokenizer(target), _tokenizer(source)
    alike = ours == theirs if ours and theirs else target.vocab_size == source.vocab_size
    if not alike:
        raise EditError(
            f"{source.model_id} does not read the same tokens as {target.model_id}.",
            "Take a source with the tokenizer of the target.",
        )


def demand_source(card: ModelCard, live: ModelCard) -> None:
    """EditError unless the model that is there is the one the blade was made from."""
    if not card.is_of(live):
        raise EditError(
            f"This blade was made from {card}, not from {live}.",
            "Load that one, or fit the blade again.",
        )


def demand_target(card: ModelCard, live: ModelCard) -> None:
    """EditError unless the model that is there has the class and the weights that the blade was made for."""
    if not card.is_of(live):
        raise EditError(
            f"This blade was made for {card}; these are other weights, {live}.",
            "Load that one, or fit the blade again; blade --insist lets it act where its width fits.",
        )


def _tokenizer(spec: ModelSpec) -> str:
    return str(spec.extra_info.get("tokenizer", {}).get("digest", ""))
