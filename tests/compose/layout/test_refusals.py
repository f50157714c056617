"""What does not fit is refused in two lines that name both sides, and leaves every donor as it was."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from garage_nb.compose.assembly.build import build
from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Graft, Merge, Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import BuildError, GarageError
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.registry.lift import lift
from tests.compose.bench import checked, model
from tests.families import saved, tiny
from tests.restored import left_as_it_was

HALF = blend_of("--method linear --weight 0.5")


def swap(at: str, source: str = "b") -> Swap:
    return Swap(at, Ref.of(source))


def merge(at: str, source: str = "b") -> Merge:
    return Merge(at, (Ref.of(source),), HALF)


@contextlib.contextmanager
def untouched(*models: Any) -> Iterator[None]:
    """Besides `left_as_it_was`: configs, gradients asked for, and the tensors themselves are the same."""
    before = [facts(each) for each in models]
    with contextlib.ExitStack() as stack:
        for each in models:
            stack.enter_context(left_as_it_was(each))
        yield
    assert [facts(each) for each in models] == before


def facts(of: Any) -> Any:
    tensors = [*of.named_parameters(remove_duplicate=False), *of.named_buffers(remove_duplicate=False)]
    known = {name: (id(tensor), tensor.data_ptr(), tensor.requires_grad) for name, tensor in tensors}
    return known, copy.deepcopy(of.config.to_dict()), of.generation_config.to_dict()


def refused(base: Any, other: Any, graft: Graft) -> str:
    """Both lines, as check says them and as build raises them."""
    donors = {"a": lift(base), "b": lift(other)}
    with untouched(base, other):
        said = [finding.refusal for finding in checked(donors, graft).findings if finding.refusal is not None]
        with pytest.raises(BuildError) as caught:
            build(BuildSheet("a", donors, (graft,)))
    assert str(said[0]) == str(caught.value)
    assert caught.value.what
    assert caught.value.hint
    assert str(caught.value).count("\n") == 1
    return str(caught.value)


INSTEAD = "Name attention_1."
BASE_500 = {"rope_type": "default", "rope_theta": 500.0}
ATTENTION, FFN, LAYER, STACK = swap("attention_1"), swap("ffn_1"), swap("layer_1"), Stack.of("0 b[1]")


@pytest.mark.parametrize(
    ("family", "changes", "grafts", "said"),
    [
        ("llama", {"num_attention_heads": 2, "head_dim": 16}, [ATTENTION, STACK], ["heads 2 and 4", "head width 16"]),
        ("llama", {"num_key_value_heads": 1}, [ATTENTION], ["key-value heads 1 and 2"]),
        ("llama", {"hidden_size": 16}, [ATTENTION, FFN, LAYER], ["width 16 and 32"]),
        ("llama", {"hidden_size": 16}, [swap("layer_norm_0_ffn"), swap("embedding")], ["width 16 and 32"]),
        ("llama", {"rope_parameters": BASE_500}, [ATTENTION, STACK], ["500", "10,000"]),
        ("llama", {"intermediate_size": 48}, [FFN, LAYER], ["48", "64"]),
        ("llama", {"hidden_act": "gelu"}, [FFN, STACK], ["gelu", "silu"]),
        ("llama", {"rms_norm_eps": 1e-3}, [swap("layer_norm_final")], ["0.001", "1e-06"]),
        ("mistral", {"sliding_window": 5}, [ATTENTION, STACK], ["window 5 tokens and 4 tokens"]),
        ("mistral", {"sliding_window": None}, [ATTENTION, STACK], ["window none and 4 tokens"]),
        ("mixtral", {"num_local_experts": 2}, [FFN, swap("gate_1")], ["experts 2 and 4"]),
        ("gpt2", {"n_positions": 32}, [swap("position_embedding")], ["rows 32 and 64"]),
    ],
)  # fmt: skip
def test_another_shape_or_setting(family: str, changes: dict[str, Any], grafts: list[Graft], said: list[str]) -> None:
    base, other = tiny(family), tiny(family, seed=1, **changes)

    for graft in grafts:
        found = refused(base, other, graft)

        assert "of b" in found
        assert "of a" in found
        if graft not in (LAYER, STACK):  # which say of a half that it is another
            assert all(word in found for word in said)


@pytest.mark.parametrize(
    ("changes", "graft", "said"),
    [
        ({"vocab_size": 60}, swap("embedding"), ["tokens of b (60)", "those of a (64)", "swap output_head b"]),
        ({"vocab_size": 60}, swap("output_head"), ["tokens of a (64)", "those of b (60)", "swap embedding b"]),
        ({"vocab_size": 60}, merge("all"), ["model.embed_tokens.weight", "64 × 32", "60 × 32"]),
        ({"intermediate_size": 48}, merge("ffn_*"), ["64 × 32", "b has 48 × 32"]),
        ({"attention_bias": True}, merge("attention_0,attention_1", "b[attention_0,attention_9]"), ["attention_9"]),
    ],
)
def test_other_words_and_shapes(changes: dict[str, Any], graft: Graft, said: list[str]) -> None:
    found = refused(tiny("llama"), tiny("llama", seed=1, **changes), graft)

    assert all(word in found for word in said)


@pytest.mark.parametrize("graft", [LAYER, swap("embedding"), STACK, merge("0"), merge("all")])
@pytest.mark.parametrize("narrow", ["a", "b"])
def test_another_dtype(graft: Graft, narrow: str) -> None:
    models = {"a": tiny("llama"), "b": tiny("llama", seed=1)}
    models[narrow].bfloat16()
    donors = {name: lift(each) for name, each in models.items()}

    with untouched(*models.values()), pytest.raises(BuildError) as caught:
        build(BuildSheet("a", donors, (graft,)))

    found = str(caught.value)

    assert all(word in found for word in ("a is" if "a is" in found else "a, is", "b is", "bfloat16", "float32"))


def test_a_device_without_numbers(llama: Any) -> None:
    """The meta device stands for any other."""
    with untouched(llama), pytest.raises(GarageError, match="meta device") as caught:
        build(BuildSheet("a", {"a": lift(llama), "b": tiny("llama", seed=1).to("meta")}, (LAYER,)))

    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize(
    ("graft", "said"),
    [
        (swap("atention_1"), ["'atention_1'", "Nearest: attention_1"]),
        (swap("attention_1", "b[atention_2]"), ["'atention_2'", "Nearest: attention_2"]),
        (swap("layer_9"), ["layer_9"]),
        (merge("fnn_0"), ["'fnn_0'", "ffn_0"]),
        (Stack.of("0 b[7]"), ["layer_7", "layer_3"]),
        (Stack.of("9"), ["layer_9", "layer_2"]),
        (swap("attention_*", "b[attention_0]"), ["3 parts of the result", "1 part of b"]),
        (merge("0:2", "b[0:3]"), ["2 parts of the result", "3 parts of b"]),
        (swap("layer_0", "b[attention_0]"), ["attention_0 of b is no full_layer", "layer_0 of a"]),
        (swap("embedding", "b[output_head]"), ["output_head of b is no embedding"]),
        (swap("attention_1.head_0", "b[attention_1.head_0]"), ["attention_1.head_0 is inside attention_1", INSTEAD]),
        (swap("attention_1", "b[attention_3.head_2]"), ["head_2 is inside attention_3", "Name attention_3."]),
        (swap("layer_1", "b[layer_2.mid]"), ["layer_2.mid is inside layer_2", "Name layer_2."]),
        (swap("ffn_1.neurons", "b[ffn_1.neurons]"), ["ffn_1.neurons is inside ffn_1", "Name ffn_1."]),
        (swap("model.layers.1.mlp.gate_proj"), ["model.layers.1.mlp.gate_proj is inside ffn_1", "Name ffn_1."]),
        (merge("attention_1.head_0"), ["attention_1.head_0 is inside attention_1", INSTEAD]),
        (Stack.of("0 b[layer_2.mid]"), ["b[layer_2.mid] names layer_2.mid, which is no whole layer", "0:4 b[2:6]"]),
    ],
)  # fmt: skip
def test_names_that_are_none(graft: Graft, said: list[str]) -> None:
    found = refused(model("llama"), model("llama", 4, seed=1), graft)

    assert all(word in found for word in said), found


def test_a_head_from_a_shelf_is_no_guest() -> None:
    donor = model("llama", 4, seed=1)
    head = PyTorchExtractor(donor).extract_component("attention_3.head_2")

    found = checked({"a": lift(model("llama")), "h": head}, swap("attention_1", "h")).findings[0]

    assert "attention_3.head_2 is inside attention_3" in found.reason
    assert found.reason.endswith("Take out attention_3.")


def test_what_only_a_module_of_its_own_could_be_is_said_in_plain_words() -> None:
    found = refused(model("llama"), model("llama", hidden_act="gelu"), swap("ffn_1"))

    assert "need" not in found
    assert "--adapter fit" in found


@pytest.mark.parametrize(("base", "other"), [("llama", "gpt2"), ("gemma2", "gemma"), ("mixtral", "mistral")])
def test_other_families(base: str, other: str) -> None:
    for graft in (ATTENTION, FFN, LAYER, STACK) if base == "llama" else (LAYER, STACK):
        assert "of b" in refused(tiny(base), tiny(other, seed=1), graft)


def test_blocks_of_an_encoder_and_a_decoder_are_not_counted_anew() -> None:
    from tests.coverage.zoo import build as of_the_zoo
    from tests.coverage.zoo import entries

    entry = next(entry for entry in entries() if str(entry) == "seq2seq-bart")
    donors = {"a": lift(of_the_zoo(entry))}

    found = checked(donors, Stack.of("0 1")).findings[0].reason

    assert "two stacks" in found or "no one list" in found or "is no part" in found


def test_a_module_without_a_config_is_no_donor() -> None:
    plain = nn.Sequential(nn.Embedding(8, 4), nn.Linear(4, 8))

    with pytest.raises(GarageError) as caught:
        checked({"a": plain})

    assert str(caught.value).count("\n") == 1


def test_tokenizers_that_differ(tmp_path: Any) -> None:
    """Rows of the same shape that stand for other tokens: embeddings stay apart, blocks do not."""
    donors = {name: lift(saved("llama", tmp_path / name)) for name in ("a", "b")}
    other = copy.deepcopy(donors["b"].tokenizer)
    other.add_tokens(["another"])
    donors["b"] = lift(donors["b"].model, tokenizer=other)

    joined = checked(donors, swap("embedding")).findings
    both = checked(donors, swap("embedding"), swap("output_head")).findings
    merged = [checked(donors, merge(at)).findings[0].reason for at in ("all", "embedding", "layer_*")]

    assert joined[-1].verdict == "refused"
    assert "b" in joined[-1].reason
    assert all(finding.verdict == "fits" for finding in both)
    assert ["number their tokens differently" in reason for reason in merged] == [True, True, False]


def test_a_weight_that_is_not_finite_is_refused_at_the_end(llama: Any) -> None:
    other = tiny("llama", seed=1)
    with torch.no_grad():
        other.model.layers[1].mlp.up_proj.weight[3, 4] = torch.nan
    donors = {"a": lift(llama), "b": lift(other)}

    with untouched(llama), pytest.raises(BuildError, match="finite"):
        build(BuildSheet("a", donors, (merge("1"),)))
