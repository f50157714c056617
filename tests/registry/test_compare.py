"""Verdicts against truths worked out by hand, and against the modules themselves: what fits really runs the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from garage_nb.core.loader import ModelLoader
from garage_nb.registry.adapters import Verdict, judge
from garage_nb.registry.compare import Compatibility, PartFit, compare
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.facts import with_facts
from garage_nb.registry.specs import ModelSpec
from garage_nb.registry.tokens import tokenizer_fingerprint
from garage_nb.registry.traits import HEAD, sorts
from tests.families import FAMILIES, HEAD_DIM, PROMPT, tiny

LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
OTHER_BASE = {"rope_type": "default", "rope_theta": 500000.0}
UNLIMITED = {"sliding_window": None}
AS_IS, ADAPTER, CANNOT = Verdict.AS_IS, Verdict.ADAPTER, Verdict.CANNOT
NO_TOKENIZER = {"embedding", "output_head"}


class Words:
    """A tokenizer as far as a spec looks."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def get_vocab(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}


def opened(model: Any, name: str, tokenizer: Any = None) -> ModelSpec:
    spec = with_facts(spec_of(model, name), model)
    if tokenizer is not None:
        spec.extra_info["tokenizer"] = tokenizer_fingerprint(tokenizer)
    return spec


def fits(a: Any, b: Any, *tokenizers: Words) -> dict[str, PartFit]:
    words = tokenizers or (Words("x"), Words("x"))
    found = compare(opened(a, "a", words[0]), opened(b, "b", words[1]))
    return {row.part: row for row in found.parts}


def unlike(rows: dict[str, PartFit]) -> set[str]:
    return {part for part, row in rows.items() if row.verdict is not AS_IS}


def test_twins_share_every_part() -> None:
    rows = fits(tiny("llama"), tiny("llama", layers=2, seed=1))

    assert unlike(rows) == set()
    assert rows["attention"].as_is == ((3, 3), (2, 2))
    assert rows[HEAD].as_is == ((12, 12), (8, 8))


def test_llama_and_mistral_of_one_shape_are_one() -> None:
    assert unlike(fits(tiny("llama"), tiny("mistral", **UNLIMITED))) == set()


@pytest.mark.parametrize(
    ("changes", "parts", "adapter", "reason"),
    [
        ({"rope_parameters": OTHER_BASE}, {"attention", HEAD, "full_layer"}, "its own position encoding",
         "positions rotary to base 10,000 and rotary to base 500,000"),
        ({"rope_parameters": LLAMA3}, {"attention", HEAD, "full_layer"}, "its own position encoding", "llama3 scaling"),
        ({"num_key_value_heads": 4}, {"attention"}, "put in as a module of its own", "key-value heads 2 and 4"),
        ({"num_key_value_heads": 4}, {HEAD}, "its own key-value head", "heads to a key-value head 2 and 1"),
        ({"attention_bias": True}, {"attention", HEAD}, "put in as a module of its own", "biases none and added"),
        ({"intermediate_size": 96}, {"ffn"}, "put in as a module of its own", "neurons 64 and 96"),
        ({"hidden_act": "gelu"}, {"ffn"}, "put in as a module of its own", "activation silu and gelu"),
        ({"hidden_act": "gelu"}, {"full_layer"}, "put in as a module of its own", "another ffn"),
        ({"rms_norm_eps": 1e-4}, {"layer_norm"}, "put in as a module of its own", "eps 1e-06 and 0.0001"),
        ({"vocab_size": 99}, NO_TOKENIZER, "rows of no token added or left out", "vocabulary 64 and 99"),
    ],
)  # fmt: skip
def test_each_difference_has_its_adapter(changes: dict[str, Any], parts: set[str], adapter: str, reason: str) -> None:
    rows = fits(tiny("llama"), tiny("llama", **changes))

    for part in parts:
        assert rows[part].verdict is ADAPTER
        assert rows[part].adapter == adapter
        assert reason in rows[part].reason


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"rope_parameters": OTHER_BASE}, {"attention", HEAD, "full_layer", "rotary_emb"}),
        ({"num_key_value_heads": 4}, {"attention", HEAD, "full_layer"}),
        ({"intermediate_size": 96}, {"ffn", "full_layer"}),
        ({"hidden_act": "gelu"}, {"ffn", "full_layer"}),
        ({"mlp_bias": True}, {"ffn", "full_layer"}),
        ({"rms_norm_eps": 1e-4}, {"layer_norm", "full_layer"}),
        ({"vocab_size": 99}, NO_TOKENIZER),
        ({"max_position_embeddings": 128}, set()),
        ({"attention_dropout": 0.5}, set()),
        ({"initializer_range": 0.5}, set()),
    ],
)
def test_a_difference_tells_on_the_parts_it_touches_and_no_others(changes: dict[str, Any], parts: set[str]) -> None:
    assert unlike(fits(tiny("llama"), tiny("llama", **changes))) == parts


def test_other_widths_need_linear_maps_where_there_is_a_way_in_and_out() -> None:
    rows = fits(tiny("llama"), tiny("llama", hidden_size=64, num_attention_heads=8))

    assert rows["ffn"].adapter == rows["full_layer"].adapter == "linear maps between 32 and 64"
    assert rows["embedding"].adapter == rows["output_head"].adapter == "a linear map between 32 and 64"
    assert rows["layer_norm"].verdict is CANNOT
    assert rows["rotary_emb"].verdict is AS_IS


def test_a_head_fits_where_only_their_number_differs() -> None:
    rows = fits(
        tiny("llama", num_attention_heads=4, num_key_value_heads=4, head_dim=HEAD_DIM),
        tiny("llama", num_attention_heads=2, num_key_value_heads=2, head_dim=HEAD_DIM),
    )

    assert rows["attention"].verdict is ADAPTER
    assert rows[HEAD].verdict is AS_IS
    assert rows[HEAD].as_is == ((12, 12), (6, 6))


def test_gemma_adds_one_to_its_norm_weights() -> None:
    rows = fits(tiny("llama"), tiny("gemma"))

    assert rows["attention"].verdict is AS_IS
    assert rows["layer_norm"].adapter == "1 added to its weights, or taken off"
    assert rows["layer_norm"].reason == "norm RMSNorm and RMSNorm with 1 + w"
    assert "code of Embedding and GemmaTextScaledWordEmbedding" in rows["embedding"].reason


def test_gpt2_and_llama() -> None:
    rows = fits(tiny("gpt2"), tiny("llama"))

    assert (rows["position_embedding"].verdict, rows["position_embedding"].reason) == (CANNOT, "b has none")
    assert (rows["rotary_emb"].verdict, rows["rotary_emb"].reason) == (CANNOT, "a has none")
    assert rows["attention"].adapter == "its own position encoding"
    assert rows["ffn"].verdict is ADAPTER
    for difference in ("neurons 128 and 64", "activation gelu (tanh) and silu", "form plain and gated"):
        assert difference in rows["ffn"].reason
    assert rows["layer_norm"].reason == "norm LayerNorm and RMSNorm, eps 1e-05 and 1e-06"
    assert rows["output_head"].verdict is AS_IS


def test_experts_run_in_the_place_of_a_plain_half_but_need_their_router() -> None:
    rows = fits(
        tiny("mixtral", rms_norm_eps=1e-6),
        tiny("mistral", **UNLIMITED, rope_parameters=tiny("mixtral").config.rope_parameters),
    )

    assert rows["attention"].verdict is AS_IS
    assert rows["ffn"].verdict is ADAPTER
    assert "experts 4 and none" in rows["ffn"].reason
    assert rows["gate"].verdict is CANNOT


def test_routers_belong_to_their_number_of_experts() -> None:
    more = fits(tiny("mixtral"), tiny("mixtral", num_local_experts=8))
    fewer_chosen = fits(tiny("mixtral"), tiny("mixtral", num_experts_per_tok=1))

    assert more["gate"].verdict is CANNOT
    assert "experts to a token 2 and 1" in fewer_chosen["ffn"].reason
    assert (fewer_chosen["gate"].verdict, fewer_chosen["gate"].reason) == (ADAPTER, "top k 2 and 1")


def test_fewer_positions_are_the_first_of_more() -> None:
    rows = fits(tiny("gpt2"), tiny("gpt2", n_positions=48))

    assert unlike(rows) == {"position_embedding"}
    assert rows["position_embedding"].adapter == "the first 48 positions"


def test_layers_of_several_kinds_are_counted() -> None:
    """Qwen 2 with a window from layer 1 on, against one whose layers all see everything."""
    rows = fits(tiny("qwen2"), tiny("qwen2", use_sliding_window=False))

    assert rows["attention"].verdict is ADAPTER
    assert rows["attention"].as_is == ((1, 3), (3, 3))
    assert rows["attention"].reason == ("1 of 3 in a: fits as it is\n2 of 3 in a: window 4 tokens and none")
    assert rows["attention"].adapter == "its own attention mask"
    assert rows["ffn"].verdict is AS_IS


def test_each_kind_of_layer_is_held_against_its_own() -> None:
    """Sliding and full layers alternate in both, with another base each; none is judged by layer 0."""
    assert unlike(fits(tiny("gemma3_text"), tiny("gemma3_text", seed=1, layers=4))) == set()


def test_a_last_layer_of_another_kind_is_not_overlooked() -> None:
    odd = tiny("llama")
    odd.model.layers[2].mlp = copy.deepcopy(tiny("llama", intermediate_size=96).model.layers[0].mlp)

    rows = fits(tiny("llama"), odd)

    assert rows["ffn"].verdict is ADAPTER
    assert rows["ffn"].as_is == ((3, 3), (2, 3))
    assert rows["ffn"].reason == "3 of 3 in a: fits as it is\n1 of 3 in b: neurons 64 and 96"


def test_many_kinds_of_layers_are_summed_up() -> None:
    odd = tiny("llama", layers=6)
    for layer, width in enumerate(range(65, 71)):
        odd.model.layers[layer].mlp = copy.deepcopy(tiny("llama", intermediate_size=width).model.layers[0].mlp)

    reason = fits(tiny("llama"), odd)["ffn"].reason

    assert reason.endswith("and 3 more")
    assert reason.count("\n") == 3


@pytest.mark.parametrize(
    ("words", "verdict", "adapter"),
    [
        ((Words("x", "y"), Words("x", "y")), AS_IS, ""),
        ((Words("x", "y"), Words("y", "x")), ADAPTER, "a token map that covers 100 % of the tokens"),
        ((Words("x", "y", "z", "u"), Words("x", "v")), ADAPTER,
         "a token map that covers 25 % of a's tokens and 50 % of b's"),
        ((Words("x"), Words("y")), CANNOT, ""),
        ((None, Words("x")), ADAPTER, "a token map of unknown cover"),
    ],
)  # fmt: skip
def test_embeddings_and_heads_ask_for_the_tokens(words: Any, verdict: Verdict, adapter: str) -> None:
    rows = fits(tiny("llama"), tiny("llama", seed=1), *words)

    for part in NO_TOKENIZER:
        assert (rows[part].verdict, rows[part].adapter) == (verdict, adapter)
    assert unlike(rows) <= NO_TOKENIZER


def test_a_part_without_facts_is_never_promised() -> None:
    """As a decomposer of the user's may leave it."""
    a, b = (copy.deepcopy(opened(tiny("llama"), name)) for name in "ab")
    for spec in (a, b):
        for part in spec.parts.values():
            part.extra_info.clear()

    found = compare(a, b)

    assert found["compatible_parts"] == []
    assert found["reasons"]["attention"] == "formula unknown"


def test_a_module_of_ones_own_is_compared_by_its_code() -> None:
    class Block(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.ffn, self.factor = nn.Linear(8, 8), factor

        def forward(self, hidden: Tensor) -> Tensor:
            return hidden + self.ffn(hidden) * self.factor

    class Own(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.table = nn.Embedding(64, 8)
            self.blocks = nn.ModuleList(Block(factor) for _ in range(2))

        def forward(self, ids: Tensor) -> Tensor:
            hidden = self.table(ids)
            for block in self.blocks:
                hidden = block(hidden)
            return hidden

    same, other = fits(Own(0.5), Own(0.5)), fits(Own(0.5), Own(0.25))

    assert same["full_layer"].verdict is AS_IS
    assert (other["full_layer"].verdict, other["full_layer"].reason) == (ADAPTER, "factor 0.5 and 0.25")


def from_showroom(name: str) -> ModelSpec:
    model, tokenizer, _ = ModelLoader(device="cpu").load(name)
    return opened(model, name, tokenizer)


def test_the_showroom() -> None:
    llama, seed1, gpt2 = map(from_showroom, ("showroom-llama", "showroom-llama-seed1", "showroom-gpt2"))

    twins, strangers = compare(llama, seed1), compare(llama, gpt2)

    assert {row.verdict for row in twins.parts} == {AS_IS}
    assert strangers["compatible_parts"] == ["embedding", "output_head"]


def test_answers_are_a_mapping_a_frame_and_a_page() -> None:
    found = compare(opened(tiny("gpt2"), "<b>a</b>"), opened(tiny("llama"), "b"))

    assert isinstance(found, Compatibility)
    assert (found["hidden_dims"], found["layers"], found["vocab_sizes"]) == ((32, 32), (3, 3), (64, 64))
    assert (found["families"], found["tokenizers"]) == (("gpt2", "llama"), "unknown")
    assert set(found["reasons"]) | set(found["compatible_parts"]) == {row.part for row in found.parts} - {HEAD}
    assert dict(found)["heads"] == (4, 4)
    frame = found.frame()
    assert list(frame.columns) == ["verdict", "adapter", "reason", "as it is in a", "as it is in b"]
    assert frame.loc["rotary_emb", "verdict"] == "does not fit"
    assert frame.loc["attention", "as it is in a"] == "0 of 3"
    assert len(frame) == len(found.parts)
    assert "<b>a" not in found._repr_html_()
    assert "&lt;b&gt;a" in found._repr_html_()
    for row in found.parts:
        assert row.part in repr(found)


@cache
def family(name: str) -> Any:
    return tiny(name, **(UNLIMITED if name == "mistral" else {}))


@cache
def family_spec(name: str) -> ModelSpec:
    return opened(family(name), name, Words("x"))


def call(model: nn.Module, path: str) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """What a module was called with in one forward, without a cache, and what it gave."""
    seen: list[Any] = []

    def keep(_: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        seen.append((args, kwargs, output))

    handle = model.get_submodule(path).register_forward_hook(keep, with_kwargs=True)
    try:
        with torch.no_grad():
            model(torch.tensor(PROMPT), use_cache=False)
    finally:
        handle.remove()
    args, kwargs, output = seen[0]
    return args, kwargs, output


def flat(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, tuple | list):
        for item in output:
            yield from flat(item)


KINDS = ("attention", "ffn", "layer_norm", "full_layer", "embedding", "output_head", "rotary_emb", "gate")
PAIRS = [*combinations(FAMILIES, 2), *((name, name) for name in FAMILIES)]


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda name: str(name))
def test_what_fits_as_it_is_gives_the_same_bits_with_the_others_weights(a: str, b: str) -> None:
    """For every two parts that are called alike: b's module, with a's weights, given what a's was given."""
    tried = 0
    for kind in KINDS:
        for mine in sorts(family_spec(a), kind):
            for theirs in sorts(family_spec(b), kind):
                if judge(mine, theirs).verdict is AS_IS:
                    assert_same_function(a, b, mine.part.module_path, theirs.part.module_path)
                    tried += 1
    assert tried or not compare(family_spec(a), family_spec(b))["compatible_parts"]


def assert_same_function(a: str, b: str, mine: str, theirs: str) -> None:
    args, kwargs, output = call(family(a), mine)
    standing_in = copy.deepcopy(family(b).get_submodule(theirs))
    standing_in.load_state_dict(family(a).get_submodule(mine).state_dict(), strict=True)

    with torch.no_grad():
        given = standing_in(*args, **kwargs)

    assert all(torch.equal(before, now) for before, now in zip(flat(output), flat(given), strict=True))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"hidden_act": "gelu"}, "model.layers.1.mlp"),
        ({"rms_norm_eps": 0.1}, "model.layers.1.input_layernorm"),
        ({"rope_parameters": OTHER_BASE}, "model.layers.1"),
    ],
)
def test_what_differs_in_equal_shapes_really_gives_other_numbers(changes: dict[str, Any], path: str) -> None:
    """So shapes alone would have promised too much: weights load, and the result is wrong."""
    a, b = tiny("llama"), tiny("llama", **changes)
    b.load_state_dict(a.state_dict(), strict=True)

    (mine,), (theirs,) = (list(flat(call(model, path)[2])) for model in (a, b))

    assert not torch.allclose(mine, theirs, rtol=1e-3)
