"""Check: a verdict for each graft, whatever becomes of the others, before anything is built."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from garage_nb.compose.graft import Merge, Stack, Swap
from garage_nb.compose.layout import check as checking
from garage_nb.compose.layout.check import check, donors_of
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import BuildError
from garage_nb.plain import visible
from garage_nb.registry.lift import lift
from tests.compose.bench import checked, model, pair
from tests.compose.layout.test_refusals import HALF, untouched
from tests.families import tiny
from tests.hostile import unseen
from tests.operations import Operations

GRAFTS = (
    Stack.of("0 b[1:3] 1"),
    Swap("attention_9", Ref("b")),
    Swap("ffn_3", Ref.of("b[ffn_0]")),
    Merge("layer_norm_final", (Ref("b"),), HALF),
    Swap("embedding", Ref.of("b[attention_0]")),
    Swap("layer_3", Ref.of("b[3]")),
)


def test_a_refused_graft_does_not_stop_the_judging_of_later_ones() -> None:
    """`ffn_3` and `layer_3` are there only because of the stack, which stands although the graft after it does not."""
    found = checked(pair("llama"), *GRAFTS)

    assert [finding.verdict for finding in found.findings] == [
        "fits", "refused", "fits", "fits", "refused", "fits", "fits"
    ]  # fmt: skip
    assert not found
    assert not found.ok
    with pytest.raises(BuildError, match="attention_9"):
        found.demand()


def test_as_an_answer() -> None:
    found = checked(pair("llama"), *GRAFTS)

    frame = found.frame()

    assert list(frame.index) == [*map(str, GRAFTS), "the whole"]
    assert list(frame.columns) == ["verdict", "reason"]
    assert frame.loc["stack 0 b[1:3] 1", "reason"] == ""
    assert "attention_9" in frame.loc["swap attention_9 b", "reason"]
    assert "cannot be built" in repr(found)
    assert "can be built" in repr(checked(pair("llama"), GRAFTS[0]))
    assert "refused" in found._repr_html_()


def test_what_the_result_would_be() -> None:
    donors = pair("gpt2")

    facts = checked(donors, Stack.of("0 b[1] 0")).facts

    block, whole = (count(donors["a"].model.transformer.h[0]), count(donors["a"].model))
    assert facts["class"].startswith("GPT2LMHeadModel")
    assert facts["layers"] == "3"
    assert facts["weights"].startswith(f"{whole:,}, of them {block:,} new")
    assert facts["tokenizer"] == "of a"


def count(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_nothing_is_worked_out_and_no_donor_is_run() -> None:
    donors = pair("llama")
    opened = {name: donors_of(BuildSheet("a", donors, (Stack.of("b[0]"),)))[name] for name in "ab"}
    models = [donor.model for donor in donors.values()]

    def never(*_: Any) -> None:
        raise AssertionError("it was run")

    handles = [each.register_forward_pre_hook(never) for each in models]
    with Operations() as seen:
        found = check(BuildSheet("a", opened, (Stack.of("0 b[1] 0"), Merge("1", (Ref.of("b[0]"),), HALF))))
    for handle in handles:
        handle.remove()

    assert found.ok
    assert not {"mm", "addmm", "bmm", "addcmul_"} & set(seen.names)


@pytest.mark.parametrize("tied", [True, False])
def test_the_work_grows_with_the_depth_and_not_with_its_square(tied: bool) -> None:
    """Told by the calls of Python, which are the same on every machine."""
    calls(4, tied)

    few, some, many = (calls(layers, tied) for layers in (4, 8, 16))

    assert many - some < 2.2 * (some - few)


def calls(layers: int, tied: bool) -> int:
    """Of the check of one swap in a model of so many layers."""
    donors = {"a": lift(model("llama", layers, tie_word_embeddings=tied))}
    seen = 0

    def count(_: Any, event: str, __: Any) -> None:
        nonlocal seen
        seen += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        found = checked(donors, Swap("ffn_0", Ref.of("[ffn_1]")))
    finally:
        sys.setprofile(before)
    assert found.ok
    return seen


def test_donors_are_left() -> None:
    donors = pair("gemma2")

    with untouched(*(donor.model for donor in donors.values())):
        checked(donors, *GRAFTS)


def test_a_sheet_without_grafts_is_the_base() -> None:
    donors = pair("llama")

    found = checked(donors)

    assert found.ok
    assert [finding.graft for finding in found.findings] == [checking.WHOLE]
    assert set(found.donors) == {"a", ""}


def test_a_donor_is_opened_once_and_one_that_nothing_names_is_not() -> None:
    donors = {"a": lift(tiny("llama")), "b": lift(model("llama", seed=1)), "c": "no such model at all"}

    found = checked(donors, Stack.of("b[0] b[1] a[0] 1"))

    assert found.ok
    assert found.donors[""] is found.donors["a"]
    assert set(found.donors) == {"a", "b", ""}


@pytest.mark.parametrize("text", ["<b>x</b>", "a\nb", "\u202ex"])
def test_names_show_as_text(text: str) -> None:
    found = check(BuildSheet("a", {"a": lift(tiny("llama"))}, (Swap(text, Ref.of("[ffn_0]")),), name=text))

    assert not found.ok
    assert visible(text).replace("\n", "\\n") in repr(found)
    assert unseen(repr(found)) == []
    assert "<b>" not in found._repr_html_()
