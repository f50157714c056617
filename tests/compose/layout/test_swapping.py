"""Parts swapped: the same as the base with the weights of single modules copied in."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from garage_nb.compose.graft import Swap
from garage_nb.compose.ref import Ref
from garage_nb.core.parts import parse
from garage_nb.registry.lift import lift
from tests.compose.bench import EVERY, blocks_of, built, checked, fresh, logits, model, naive_swap, pair
from tests.families import tiny


def swap(at: str, source: str) -> Swap:
    return Swap(at, Ref.of(source))


def path_of(donor: Any, name: str) -> str:
    return donor.spec.parts[name].module_path


def naively(donors: dict[str, Any], *changes: tuple[str, str], config: Any = None) -> Any:
    """By names of parts."""
    a, b = donors["a"], donors["b"]
    paths = [(path_of(a, place), b.model, path_of(b, name)) for place, name in changes]
    return naive_swap(a.model, *paths, config=config)


@pytest.mark.parametrize("family", [family for family in EVERY if family != "opt"])
def test_a_half_of_every_family(family: str) -> None:
    """At another depth, of a layer that sees as far."""
    theirs = 3 if family in ("gemma2", "gemma3_text", "gpt_neo", "qwen2") else 2
    donors = pair(family)

    hybrid = built(donors, swap("attention_1", f"b[attention_{theirs}]"), swap("ffn_0", "b[ffn_2]")).model

    expected = naively(donors, ("attention_1", f"attention_{theirs}"), ("ffn_0", "ffn_2"))
    assert torch.equal(logits(hybrid), logits(expected))
    assert not torch.equal(logits(hybrid), logits(donors["a"].model))


def test_an_ffn_of_two_modules() -> None:
    """OPT has no module for it: two linear layers stand in the block itself."""
    donors = pair("opt")

    hybrid = built(donors, swap("ffn_1", "b[ffn_3]")).model

    home = "model.decoder.layers"
    paths = [(f"{home}.1.{name}", donors["b"].model, f"{home}.3.{name}") for name in ("fc1", "fc2")]
    assert torch.equal(logits(hybrid), logits(naive_swap(donors["a"].model, *paths)))


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("layer_1", "layer_3"),
        ("layer_norm_0_ffn", "layer_norm_2_ffn"),
        ("layer_norm_final", "layer_norm_final"),
        ("embedding", "embedding"),
        ("output_head", "output_head"),
    ],
)
def test_every_kind_of_part(family: str, place: str, name: str) -> None:
    donors = pair(family)

    hybrid = built(donors, swap(place, f"b[{name}]")).model

    config = copy.deepcopy(donors["a"].model.config)
    config.tie_word_embeddings = config.tie_word_embeddings and place not in ("embedding", "output_head")
    assert torch.equal(logits(hybrid), logits(naively(donors, (place, name), config=config)))
    assert hybrid.config.tie_word_embeddings == config.tie_word_embeddings


@pytest.mark.parametrize("tied", [True, False])
def test_embedding_and_head_together_are_tied_as_in_their_donor(tied: bool) -> None:
    donors = {"a": lift(model("llama", tie_word_embeddings=True)),
              "b": lift(model("llama", seed=1, tie_word_embeddings=tied))}  # fmt: skip

    hybrid = built(donors, swap("embedding", "b"), swap("output_head", "b")).model

    config = copy.deepcopy(donors["b"].model.config)
    expected = naively(donors, ("embedding", "embedding"), ("output_head", "output_head"), config=config)
    assert torch.equal(logits(hybrid), logits(expected))
    assert hybrid.config.tie_word_embeddings is tied
    assert (hybrid.lm_head.weight is hybrid.model.embed_tokens.weight) is tied


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize(
    ("changes", "tied"),
    [
        ([("layer_1", "layer_3")], True),
        ([("embedding", "embedding"), ("output_head", "output_head")], True),
        ([("embedding", "embedding")], False),
    ],
)
def test_a_head_of_several_weights(family: str, changes: list[tuple[str, str]], tied: bool) -> None:
    """Of which the class ties one to the embedding, and the bias to that of the module around it."""
    donors = pair(family, is_decoder=True)

    hybrid = built(donors, *(swap(place, f"b[{name}]") for place, name in changes))

    config = copy.deepcopy(donors["a"].model.config)
    config.tie_word_embeddings = tied
    expected = naively(donors, *changes, config=config)
    memory = {weight.data_ptr(): weight.numel() for weight in hybrid.model.parameters()}
    assert hybrid.model.num_parameters() == sum(memory.values()) == expected.num_parameters()
    assert hybrid.check.facts["weights"].startswith(f"{expected.num_parameters():,}, ")
    assert torch.equal(logits(hybrid.model), logits(expected))


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "bloom"])
def test_both_ends_of_another_vocabulary(family: str) -> None:
    donors = {"a": lift(model(family)), "b": lift(model(family, seed=1, vocab_size=60, eos_token_id=5))}

    hybrid = built(donors, swap("embedding", "b"), swap("output_head", "b")).model

    places = ("embedding", "output_head")
    config = copy.deepcopy(donors["a"].model.config)
    config.vocab_size = 60
    blocks = [
        (path_of(donors["a"], f"layer_{i}"), donors["a"].model, path_of(donors["a"], f"layer_{i}")) for i in range(3)
    ]
    rest = [
        name for name in donors["a"].spec.parts if parse(name).layer is None and name not in (*places, "rotary_emb")
    ]
    own = [(path_of(donors["a"], name), donors["a"].model, path_of(donors["a"], name)) for name in rest]
    ends = [(path_of(donors["b"], name), donors["b"].model, path_of(donors["b"], name)) for name in places]
    expected = fresh(donors["a"].model, config)
    for path, donor, theirs in (*blocks, *own, *ends):
        expected.get_submodule(path).load_state_dict(donor.get_submodule(theirs).state_dict())
    assert torch.equal(logits(hybrid), logits(expected))
    assert (hybrid.config.vocab_size, hybrid.config.eos_token_id) == (60, 5)
    assert hybrid.get_input_embeddings().num_embeddings == 60


@pytest.mark.parametrize(
    ("at", "source", "changes"),
    [
        (
            "attention_*",
            "b[attention_0,attention_1,attention_2]",
            [(f"attention_{i}", f"attention_{i}") for i in range(3)],
        ),
        ("0,2", "b[3,1]", [("layer_0", "layer_3"), ("layer_2", "layer_1")]),
        ("ffn_1,ffn_2", "b", [("ffn_1", "ffn_1"), ("ffn_2", "ffn_2")]),
        ("layer_-1", "b[layer_-1]", [("layer_2", "layer_3")]),
    ],
)
def test_a_selector_takes_as_many_in_their_order(at: str, source: str, changes: list[tuple[str, str]]) -> None:
    donors = pair("llama")

    hybrid = built(donors, swap(at, source)).model

    assert torch.equal(logits(hybrid), logits(naively(donors, *changes)))


def test_a_part_of_the_base_itself() -> None:
    donors = pair("llama")

    hybrid = built(donors, swap("ffn_0", "[ffn_2]")).model

    home = "model.layers"
    expected = naive_swap(donors["a"].model, (f"{home}.0.mlp", donors["a"].model, f"{home}.2.mlp"))
    assert torch.equal(logits(hybrid), logits(expected))


@pytest.mark.parametrize("family", ["gemma2", "gemma3_text"])
@pytest.mark.parametrize(("place", "theirs"), [(0, 1), (1, 2)])
def test_an_attention_brings_its_window(family: str, place: int, theirs: int) -> None:
    """Both directions: a sliding one to a full one's place, and a full one to a sliding one's."""
    donors = pair(family)

    hybrid = built(donors, swap(f"attention_{place}", f"b[attention_{theirs}]")).model

    config = copy.deepcopy(donors["a"].model.config)
    config.layer_types[place] = donors["b"].model.config.layer_types[theirs]
    assert config.layer_types != donors["a"].model.config.layer_types
    names = (f"attention_{place}", f"attention_{theirs}")
    assert hybrid.config.layer_types == config.layer_types
    assert torch.equal(logits(hybrid), logits(naively(donors, names, config=config)))
    assert not torch.equal(logits(hybrid), logits(naively(donors, names)))


@pytest.mark.parametrize(("base", "other"), [("llama", "mistral"), ("mistral", "llama")])
def test_models_of_two_families_that_compute_the_same(base: str, other: str) -> None:
    changes: dict[str, Any] = {"rms_norm_eps": 1e-5}
    windowless = {"mistral": {"sliding_window": None}, "llama": {}}
    a, b = (tiny(name, seed=i, **changes, **windowless[name]) for i, name in enumerate((base, other)))
    donors = {"a": lift(a), "b": lift(b)}

    found = checked(donors, swap("attention_1", "b[attention_2]"), swap("ffn_0", "b"))

    assert [finding.reason for finding in found.findings] == ["", "", ""]
    hybrid = built(donors, *found.sheet.grafts).model
    expected = naively(donors, ("attention_1", "attention_2"), ("ffn_0", "ffn_0"))
    assert type(hybrid) is type(a)
    assert torch.equal(logits(hybrid), logits(expected))


def test_all_else_stays_the_base() -> None:
    donors = pair("llama")

    hybrid = built(donors, swap("ffn_1", "b")).model

    for place, block in enumerate(blocks_of(hybrid)):
        same = torch.equal(block.self_attn.q_proj.weight, blocks_of(donors["a"].model)[place].self_attn.q_proj.weight)
        assert same
    of_the_build = {
        "_name_or_path": "hybrid",
        "garage_build": None,
        "architectures": ["LlamaForCausalLM"],
        "dtype": "float32",
    }
    assert hybrid.config.to_dict() | of_the_build == donors["a"].model.config.to_dict() | of_the_build
