"""What a page could send: traits and messages by the thousand, most of them hopeless, some of them right."""

from __future__ import annotations

from inspect import signature
from random import Random
from typing import Any

from garage_nb.widgets.admission import LARGEST_MESSAGE
from garage_nb.widgets.panel import Panel

PROMPT = "The capital of France is"
DEEP: list[Any] = []
for _ in range(5_000):
    DEEP = [DEEP]
HOPELESS: list[Any] = [
    float("nan"), float("-inf"), 1e308, b"bytes", memoryview(b"x"), "x" * 1_000_000, {"a": "x" * LARGEST_MESSAGE}, DEEP,
    {"layer_99": float("nan")}, {"layer_1": float("nan")}, [3, {"layer_1": float("inf")}], "half \ud800", ["\udfff"],
]  # fmt: skip
DOUBTFUL: list[Any] = [
    None, True, 0, -1, 10**30, 0.5, "", "x", " Paris", [], {}, [[[]]], [None], [1, 2], "all", "layer_99", "layer_1",
    ["layer_1", "attention_3.head_1"], ["layer_1", -1], "attention_9.head_9", "\x00", {"layer_1": 1e308}, [True, {}],
    [3, {"layer_1": 1e308}], {"layer_99": 0.5}, {"": {}}, "__init__", "../a.json", "word " * 400, PROMPT,
    "<img src=x onerror=alert(1)>", "\u202e\u2028", "日本語",
]  # fmt: skip
PLAUSIBLE: dict[str, list[Any]] = {
    "prompt": [PROMPT, "Once upon a time", ""], "followed": [" Lisbon", ""], "tokens": [0, 3, 500],
    "head": ["attention_2.head_1", "attention_0.head_0"], "statistic": ["norm", "mean", "sparsity"], "tau": [0.1, 1.0],
    "value": ["0:3", ["attention_3.head_1"]], "parts": ["layer_1,ffn_2", [], "layer_*"], "soloed": [["layer_1"], []],
    "factors": [{"layer_1": 0.5}, {"ffn_2": 0}], "_move": [[2, {"layer_1": 0.2}], [3, {"layer_1": 0.7}]],
    "bypassed": [["layer_1"], []], "selector": ["ffn_*", "0"], "edit": [0, 1], "token": [0, 3], "form": ["csv", "svg"],
    "file": ["a.json"], "at": ["layer_0", "layer_3"], "blocks": [None, 0, 2], "divergence": ["dropout", "projection"],
    "reconciliation": ["average", "gated"], "strength": [0, 0.3], "perspectives": [2, 3], "seed": [0, 7],
    "steps": [1, 3],
}  # fmt: skip
GOOD: dict[str, Any] = {
    "prompt": PROMPT, "followed": "", "tokens": 2, "parts": ("layer_1",), "value": ("layer_1",), "at": "layer_0",
    "blocks": None, "reconciliation": "average", "steps": 2,
}  # fmt: skip
NO_TRAITS = ["comm", "_model_id", "no such trait", "\ud800", "log", "spec", "garage"]
NO_COMMANDS = ["close", "open", "_put", "send", "set_state", "recipe", "__init__", "wait", None, 3, ["undo"], "\ud800"]


class Messages:
    """For one panel, the same ones for the same seed."""

    def __init__(self, panel: Panel, seed: int) -> None:
        self.chance = Random(seed)
        self.front = list(panel.traits(front=True))
        self.names = [*self.front * 12, *panel.keys, *NO_TRAITS]
        kinds = {name: one for kind in type(panel).__mro__ for name, one in vars(kind).items()}
        commands = [name for name, one in kinds.items() if hasattr(one, "__garage_command__")]
        self.commands = {name: list(signature(getattr(panel, name)).parameters) for name in commands}

    def state(self) -> tuple[str, Any, bool]:
        """A trait, a value for it, and whether that is hopeless."""
        name = self.chance.choice(self.names)
        value = self._value(name)
        return name, value, name not in self.front or any(value is one for one in HOPELESS)

    def message(self) -> Any:
        kind = self.chance.choice([*self.commands, "\0"])
        if kind == "\0":
            return self.chance.choice([{"kind": self.chance.choice(NO_COMMANDS)}, self._value("")])
        wanted = self.commands[kind] if self.chance.random() < 0.9 else ["edit", "token"]
        return {"kind": kind, **{name: self._value(name) for name in wanted}}

    def _value(self, name: str) -> Any:
        return self.chance.choice(self.chance.choice([HOPELESS, DOUBTFUL, PLAUSIBLE.get(name, DOUBTFUL)]))


def from_page(panel: Panel, **state: Any) -> None:
    """What arrives when a page changes traits, through the same door as a real comm message."""
    panel._handle_msg({"content": {"data": {"method": "update", "state": state}}, "buffers": []})


def asked(panel: Panel, content: Any) -> None:
    panel._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
