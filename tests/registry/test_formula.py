"""Formulas: names do not count, everything that changes a result does."""

from __future__ import annotations

from code import InteractiveInterpreter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from garage_nb.registry.formula import formula_of
from tests.families import tiny


def halved(x: Tensor) -> Tensor:
    return x / 2


class Plain(nn.Module):
    """The one that others are held against."""

    def __init__(self, factor: float = 2.0, bias: bool = True) -> None:
        super().__init__()
        self.down = nn.Linear(4, 4, bias=bias)
        self.dropout = nn.Dropout(0.1)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        scaled = self.down(x) * self.factor
        return self.dropout(halved(scaled))


class Renamed(nn.Module):
    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.down, self.rest, self.factor = nn.Linear(4, 4), nn.Dropout(0.5), factor

    def forward(self, hidden: Tensor) -> Tensor:
        """Other names, a docstring, annotations."""
        product: Tensor = self.down(hidden) * self.factor
        return self.rest(halved(product))


class Otherwise(Plain):
    def forward(self, x: Tensor) -> Tensor:
        scaled = self.down(x) + self.factor
        return self.dropout(halved(scaled))


class OtherHelper(Plain):
    def forward(self, x: Tensor) -> Tensor:
        scaled = self.down(x) * self.factor
        return self.dropout(torch.relu(scaled))


class Above(Plain):
    """Through the class above, then a little more."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1


class Asking(Plain):
    """Reads a setting that may not be there, and gives another on."""

    def __init__(self, window: int | None = None, **settings: Any) -> None:
        super().__init__()
        self.window = window
        for name, value in settings.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(self.down(x), min=self.window) * (getattr(self, "more", None) or 1)


def test_names_do_not_count() -> None:
    assert formula_of(Plain()) == formula_of(Renamed())


def test_settings_are_told_by_name() -> None:
    two, three = formula_of(Plain(2.0)), formula_of(Plain(3.0))

    assert two.code == three.code
    assert (two.settings["factor"], three.settings["factor"]) == (2.0, 3.0)


@pytest.mark.parametrize("other", [Otherwise, OtherHelper, Above])
def test_other_code_is_another_formula(other: Callable[[], nn.Module]) -> None:
    assert formula_of(other()).code != formula_of(Plain()).code


def test_the_class_above_counts() -> None:
    class Below(Otherwise):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 1

    assert formula_of(Below()).code != formula_of(Above()).code


def test_what_is_none_is_as_if_it_were_not_there() -> None:
    without, given = formula_of(Asking()), formula_of(Asking(window=4))

    assert without.code == given.code
    assert {name.partition("@")[0]: value for name, value in given.settings.items()} == {"min": 4, "more": None}
    assert set(without.settings) == {"more"}


def test_what_getattr_finds_counts() -> None:
    assert formula_of(Asking(more=3)) != formula_of(Asking())


def test_weights_and_sizes_do_not_count() -> None:
    wide = Plain()
    wide.down = nn.Linear(8, 8)

    assert formula_of(wide) == formula_of(Plain())


def test_a_child_of_another_kind_counts() -> None:
    other = Plain()
    other.down = nn.Sequential(nn.Linear(4, 4), nn.GELU())

    assert formula_of(other) != formula_of(Plain())


def from_console(body: str) -> nn.Module:
    """A module typed where no file holds its source."""
    scope: dict[str, Any] = {"nn": nn, "__name__": "__console__"}
    source = f"class Typed(nn.Module):\n    def forward(self, x):\n        return {body}\n"
    assert not InteractiveInterpreter(scope).runsource(source, "<console>", "exec")
    module: nn.Module = scope["Typed"]()
    return module


def test_code_without_source_is_told_apart_by_what_it_compiles_to() -> None:
    assert formula_of(from_console("x * 2")) == formula_of(from_console("x * 2"))
    assert formula_of(from_console("x * 2")) != formula_of(from_console("x + 2"))


def test_hooks_of_the_user_neither_run_nor_count() -> None:
    model, seen = tiny("llama", layers=1), []
    before = formula_of(model.model.layers[0])

    for module in model.modules():
        module.register_forward_hook(lambda *given: seen.append(given))

    assert formula_of(model.model.layers[0]) == before
    assert seen == []


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ("llama", "mistral", "model.layers.1.self_attn"),
        ("llama", "gemma", "model.layers.1.self_attn"),
        ("llama", "qwen3", "model.layers.1.mlp"),
        ("llama", "mistral", "model.layers.1"),
        ("gemma2", "gemma3_text", "model.layers.1.mlp"),
    ],
)
def test_families_that_copied_each_other_are_seen_through(a: str, b: str, path: str) -> None:
    models = [tiny(kind, **({"sliding_window": None} if kind == "mistral" else {})) for kind in (a, b)]

    first, second = (formula_of(model.get_submodule(path)) for model in models)

    assert first == second


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ("llama", "qwen3", "model.layers.1.self_attn"),  # normalises queries and keys
        ("llama", "gemma", "model.layers.1.mlp"),  # another activation
        ("llama", "gemma", "model.embed_tokens"),  # scales what it looks up
        ("gemma2", "gemma3_text", "model.layers.1.self_attn"),  # caps its scores
        ("llama", "phi3", "model.layers.1.mlp"),  # gate and up in one matrix
    ],
)
def test_what_differs_within_equal_shapes_is_seen(a: str, b: str, path: str) -> None:
    first, second = (formula_of(tiny(kind).get_submodule(path)) for kind in (a, b))

    assert first != second
