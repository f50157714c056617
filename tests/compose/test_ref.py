"""References as one writes them, and back."""

from __future__ import annotations

import pytest

from garage_nb.compose.graft import Stack
from garage_nb.compose.ref import Ref
from garage_nb.errors import InputError

READ = {
    "b[2:6]": Ref("b", "2:6"),
    "b[attention_5]": Ref("b", "attention_5"),
    "b": Ref("b"),
    "0:4": Ref("", "0:4"),
    "0,0,-1": Ref("", "0,0,-1"),
    "::-1": Ref("", "::-1"),
    "all": Ref("", "all"),
    "[ffn_2]": Ref("", "ffn_2"),
    "org/model-7b[0,2]": Ref("org/model-7b", "0,2"),
    "b[layer_1,layer_2]": Ref("b", "layer_1,layer_2"),
}


@pytest.mark.parametrize("text", READ)
def test_read_and_said_again(text: str) -> None:
    assert Ref.of(text) == READ[text]
    assert str(READ[text]) == text
    assert Ref.of(f"  {text} ") == READ[text]


@pytest.mark.parametrize("text", ["", " ", "[]", "b[", "b]", "b[]", "b[1]]", "b[[1]", "b[1] c", "a,b", "b;c"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Ref.of(text)

    assert str(caught.value).count("\n") == 1


def test_a_stack_as_it_is_written() -> None:
    stack = Stack.of("0:4 b[2:6]  all")

    assert stack.layers == (Ref("", "0:4"), Ref("b", "2:6"), Ref("", "all"))
    assert str(stack) == "stack 0:4 b[2:6] all"
    assert Stack.of(str(stack).removeprefix("stack ")) == stack
