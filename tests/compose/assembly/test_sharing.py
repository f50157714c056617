"""Memory: what is a donor's as it is stays in the donor's memory, and nothing that is done to the hybrid reaches it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Merge, Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.core.stored import stored
from garage_nb.registry.lift import Lifted
from tests.compose.bench import EVERY, blocks_of, built, logits, pair, stacked
from tests.compose.layout.test_refusals import untouched
from tests.families import prompt


def storages(*models: Any) -> dict[int, int]:
    """Bytes by address."""
    tensors = [tensor.untyped_storage() for model in models for _, tensor in stored(model)]
    return {storage.data_ptr(): storage.nbytes() for storage in tensors}


def models_of(donors: dict[str, Lifted]) -> list[Any]:
    return [donor.model for donor in donors.values()]


@pytest.mark.parametrize("family", EVERY)
def test_a_stack_is_new_only_where_a_block_is_repeated(family: str) -> None:
    donors, hybrid = stacked(family)
    a, b = models_of(donors)

    theirs, mine = storages(a, b), storages(hybrid.model)

    again = blocks_of(hybrid.model)[5]
    new = {name: tensor for name, tensor in stored(hybrid.model) if tensor.data_ptr() not in theirs}
    assert {id(tensor) for tensor in new.values()} == {id(tensor) for _, tensor in stored(again)}
    assert sum(size for at, size in mine.items() if at not in theirs) == sum(storages(again).values())
    first = blocks_of(hybrid.model)[0]
    assert not set(storages(first)) & set(storages(again))
    assert all(torch.equal(x, y) for (_, x), (_, y) in zip(stored(first), stored(again), strict=True))


def test_weights_as_they_are_share_and_blended_ones_are_new() -> None:
    donors = pair("llama")
    a, b = models_of(donors)

    half = blend_of("--method linear --weight 0.5")
    hybrid = built(donors, Swap("attention_1", Ref.of("b[attention_3]")), Merge("ffn_0", (Ref.of("b"),), half)).model

    theirs = storages(a, b)
    new = {name for name, tensor in stored(hybrid) if tensor.data_ptr() not in theirs}
    assert new == {f"model.layers.0.mlp.{name}_proj.weight" for name in ("gate", "up", "down")}
    query = hybrid.model.layers[1].self_attn.q_proj.weight
    assert query.data_ptr() == b.model.layers[3].self_attn.q_proj.weight.data_ptr()
    assert query is not b.model.layers[3].self_attn.q_proj.weight


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral"])
def test_only_new_weights_ask_for_gradients(family: str) -> None:
    donors, hybrid = stacked(family)
    theirs = storages(*models_of(donors))

    for parameter in hybrid.model.parameters():
        assert parameter.requires_grad is (parameter.data_ptr() not in theirs)


def test_training_the_hybrid_leaves_its_donors() -> None:
    """With weight decay, which pulls at every weight that an optimizer has."""
    donors = pair("llama")
    half = blend_of("--method linear --weight 0.5")

    with untouched(*models_of(donors)):
        hybrid = built(donors, Stack.of("0 0 1 b[3]"), Merge("ffn_2", (Ref.of("b[ffn_0]"),), half)).model
        before = logits(hybrid)
        trained = [parameter for parameter in hybrid.parameters() if parameter.requires_grad]
        step(hybrid.train(), torch.optim.AdamW(trained, lr=0.1, weight_decay=0.1))

    assert not torch.allclose(logits(hybrid.eval()), before, atol=1e-3)
    assert len(trained) == 9 + 3  # the block that is repeated, and the ffn that was blended


def step(model: Any, optimizer: torch.optim.Optimizer) -> None:
    for _ in range(2):
        optimizer.zero_grad()
        loss: Tensor = model(prompt(), labels=prompt()).loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def test_two_builds_of_one_check_have_nothing_in_common_but_the_donors() -> None:
    from garage_nb.compose.assembly.build import build_checked

    donors = pair("gemma2")
    checked = stacked("gemma2")[1].check

    first, second = build_checked(checked), build_checked(checked)

    assert first.model.config is not second.model.config
    assert first.model.config is not checked.demand().config
    first.model.config.layer_types[0] = "changed"
    assert "changed" not in second.model.config.layer_types
    assert donors


_MEASURE = """
import resource, sys
import torch
from garage_nb.compose.assembly.build import build
from garage_nb.compose.graft import Stack
from garage_nb.compose.sheet import BuildSheet
from garage_nb.registry.lift import lift
from transformers import GPT2Config, GPT2LMHeadModel

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
config = GPT2Config(n_layer=6, n_embd=768, n_head=12, vocab_size=2000, n_positions=128)
donors = {name: lift(GPT2LMHeadModel(config).eval()) for name in "ab"}
build(BuildSheet("a", donors, (Stack.of("0"),)))  # what the first build of all loads
before = peak()
hybrid = build(BuildSheet("a", donors, (Stack.of(sys.argv[1]),)))
print(peak() - before, sum(p.numel() * 4 for p in hybrid.model.parameters() if p.requires_grad))
"""


@pytest.mark.slow
@pytest.mark.parametrize("layers", ["0:6 b[0:6]", "0:6 b[0:6] 0:6 b[0:6]"])
def test_a_build_takes_little_more_memory_than_its_new_weights(layers: str) -> None:
    """Peak of the resident memory, in a process of its own: half of the second's blocks are new, 340 MB of them."""
    done = subprocess.run([sys.executable, "-c", _MEASURE, layers], capture_output=True, text=True, check=True)

    extra, new = map(int, done.stdout.split())

    assert new == (0 if layers.count("b") == 1 else 12 * 7_087_872 * 4)
    assert extra <= 1.1 * new + 32 * 2**20
