"""Formula: what a module computes from weights and hidden states, as a hash of its code and the settings it reads.

Equal formulas compute the same, whatever the classes are called: MistralAttention without a window is LlamaAttention.
Unequal ones may still compute the same, written in another way; that is then not known.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import Any

from torch import Tensor, device, dtype, nn

from .elementary import activation_of, norm_of
from .written import SUPER, Chain, written

_NOT_COMPUTING = {
    "training", "layer_idx", "layer_id", "layer_type", "gradient_checkpointing", "_attn_implementation",
    "_experts_implementation", "use_cache", "return_dict", "inplace", "norm_type",
}  # fmt: skip
_SIZES = {  # told by the shapes of the weights
    "in_features", "out_features", "num_embeddings", "embedding_dim", "normalized_shape", "in_channels", "out_channels",
    "embed_dim", "kdim", "vdim", "padding_idx", "nf", "nx", "split_size",
}  # fmt: skip
_LONG = 60  # letters of a setting that are kept as they are
Setting = bool | int | float | str | None


@dataclass(frozen=True)
class Formula:
    """`code` is a hash; `settings` are what the code reads, by name, in the order it reads them."""

    code: str
    settings: dict[str, Setting]


def formula_of(module: nn.Module, known: Known | None = None) -> Formula:
    """`known` is kept by whoever asks for a module and then for one around it, so that each is read once."""
    reader = _read(module, {} if known is None else known, [])
    return Formula(_hash("\x00".join(reader.words)), reader.settings)


def _read(module: nn.Module, known: Known, around: list[Any]) -> _Reader:
    if module not in known:
        known[module] = _Reader(module, known, open=around)
        known[module].module()
    return known[module]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass
class _Reader:
    """Writes down one module, its functions and the modules it calls."""

    here: nn.Module
    known: Known
    words: list[str] = field(default_factory=list)
    settings: dict[str, Setting] = field(default_factory=dict)
    open: list[Any] = field(default_factory=list)

    def module(self) -> None:
        norm, activation = norm_of(self.here), activation_of(self.here)
        kind = type(self.here)
        if norm is not None:
            self.words.append("norm")
            self.settings |= {"norm": norm.name, "eps": norm.eps}
        elif activation is not None:
            self.words.append("activation")
            self.settings["activation"] = activation
        elif isinstance(self.here, nn.modules.dropout._DropoutNd | nn.Identity):
            self.words.append("nothing")
        elif kind.__module__.startswith("torch."):
            self._known(kind)
        else:
            forward = inspect.unwrap(self.here.forward)  # as it was before accelerate or a kernel wrapped it
            self._function(getattr(forward, "__func__", forward))

    def _known(self, kind: type[nn.Module]) -> None:
        """What torch defines is known by its class and settings; some of it only holds other modules."""
        self.words.append(kind.__name__)
        for name, value in self._settings():
            self._value(name, value)
        for name, child in self.here.named_children():
            self._child(name, child)

    def _settings(self) -> Iterator[tuple[str, Any]]:
        """Plain public attributes, but for sizes."""
        for name, value in sorted(vars(self.here).items()):
            if not name.startswith("_") and _counts(name) and value is not None and _is_plain(value):
                yield name, value

    def _function(self, function: Any) -> None:
        if not isinstance(function, FunctionType):
            self.words.append(getattr(function, "__qualname__", type(function).__qualname__))
            return
        if function in self.open:
            return
        text = written(function)
        self.open.append(function)
        self.words.append(text.text)
        for chain in text.reads:
            self._read(chain, function)
        for place, chain in text.given:
            self._given(f"{place}.{len(self.open)}", chain)
        for called in text.calls:
            self._function(called)
        if text.hands_itself_on:  # whoever gets it may read any of its settings
            self.settings |= {name: _as_json(value) for name, value in self._settings()}

    def _read(self, chain: Chain, function: FunctionType) -> None:
        if chain[0] == SUPER:
            self._above(chain[1], function)
            return
        name, value = self._resolved(chain)
        if _is_plain(value) and not all(map(_counts, chain)):
            self.words.append("any")
        else:
            self._value(name, value)

    def _given(self, place: str, chain: Chain) -> None:
        """A keyword argument: a plain one is a setting that is not there while it is None, so no word counts it."""
        _, value = self._resolved(chain)
        if _is_plain(value):
            if value is not None and all(map(_counts, chain)):
                self.settings[place] = _as_json(value)
        else:
            self.words.append(place)
            self._value(chain[-1], value)

    def _resolved(self, chain: Chain) -> tuple[str, Any]:
        """Name and value, None where there is nothing; the tensor itself where something of a tensor is read."""
        value: Any = self.here
        passed: list[str] = []
        for step in chain:
            if isinstance(value, Tensor):
                break
            passed.append(step)
            value = getattr(value, step, None)
        return ".".join(passed), value

    def _above(self, name: str, function: FunctionType) -> None:
        """A method of the class above the one that the function stands in."""
        mro = type(self.here).__mro__
        owner = next((i for i, kind in enumerate(mro) if inspect.unwrap(vars(kind).get(name, len)) is function), 0)
        above = next((vars(kind)[name] for kind in mro[owner + 1 :] if name in vars(kind)), None)
        if above is None or above.__module__.startswith("torch."):
            self.words.append(str(getattr(above, "__qualname__", None)))
        else:
            self._function(inspect.unwrap(above))

    def _value(self, name: str, value: Any) -> None:
        if isinstance(value, dtype | device):
            self.words.append("any")
        elif _is_plain(value):
            self._setting(name, value)
        elif isinstance(value, nn.Module):
            self._child(name, value)
        elif isinstance(value, Tensor):
            self._tensor(name, value)
        elif isinstance(value, MethodType) and value.__self__ is self.here:
            self._function(inspect.unwrap(value.__func__))
        elif isinstance(value, MethodType) and isinstance(value.__self__, nn.Module):
            self._child(name.rpartition(".")[0], value.__self__)
        else:
            self._function(inspect.unwrap(value) if callable(value) else value)

    def _child(self, name: str, child: nn.Module) -> None:
        if any(child is known for known in self.open):
            self.words.append("itself")
            return
        inside = _read(child, self.known, [*(item for item in self.open if isinstance(item, nn.Module)), self.here])
        self.words += ["(", *inside.words, ")"]
        self.settings |= {f"{name}.{of}": value for of, value in inside.settings.items()}

    def _tensor(self, name: str, tensor: Tensor) -> None:
        """A buffer of one entry is a number of the formula, such as Gemma's scale of embeddings."""
        if isinstance(tensor, nn.Parameter) or tensor.numel() != 1 or tensor.is_meta:
            self.words.append(f"{tensor.ndim} dimensions")
        else:
            self._setting(name, float(tensor))

    def _setting(self, name: str, value: Any) -> None:
        self.words.append("setting")
        self.settings[name] = _as_json(value)


Known = dict[nn.Module, _Reader]


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | tuple | list | dict)


def _as_json(value: Any) -> Setting:
    """As JSON gives it back: lists and infinity as text, and only a hash of what is long."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = str(value)
    return text if len(text) <= _LONG else _hash(text)


def _counts(name: str) -> bool:
    """Whether what is read under this name can change the result of a model that is not in training."""
    return name not in _NOT_COMPUTING | _SIZES and "dropout" not in name
