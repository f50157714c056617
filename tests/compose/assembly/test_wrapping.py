"""Guests of other kinds: the host computes as a copy of it does with a hook that runs the guest between its maps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.hybrid import Hybrid
from garage_nb.compose.assembly.wrapper_files import read_wrapper
from garage_nb.compose.graft import Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.stitching.maps import untrained
from garage_nb.compose.stitching.stitched import Stitched, guests
from garage_nb.errors import BuildError, InputError
from garage_nb.registry.lift import Lifted, lift
from tests.compose.bench import logits
from tests.compose.layout.test_refusals import untouched
from tests.compose.stitching.by_hand import at_home, between, close, guest, hosting, of_two, path_of
from tests.families import prompt, tiny

CASES: dict[str, tuple[str, str, str, str]] = {
    "gpt2's attention in llama": ("llama", "gpt2", "attention_1", "attention_3"),
    "gpt2's ffn in llama": ("llama", "gpt2", "ffn_0", "ffn_1"),
    "gpt2's layer in llama": ("llama", "gpt2", "layer_1", "layer_2"),
    "llama's attention in gpt2": ("gpt2", "llama", "attention_1", "attention_0"),
    "llama's ffn in gpt2": ("gpt2", "llama", "ffn_2", "ffn_3"),
    "llama's layer in gpt2": ("gpt2", "llama", "layer_1", "layer_1"),
    "mixtral's ffn in llama": ("llama", "mixtral", "ffn_1", "ffn_2"),
    "llama's ffn in mixtral": ("mixtral", "llama", "ffn_1", "ffn_2"),
    "gemma's sliding attention in llama": ("llama", "gemma2", "attention_1", "attention_0"),
    "llama's attention in gemma": ("gemma2", "llama", "attention_0", "attention_1"),
    "phi's layer in gemma": ("gemma2", "phi", "layer_1", "layer_1"),
    "llama's ffn in phi": ("phi", "llama", "ffn_1", "ffn_1"),
    "bloom's layer in llama": ("llama", "bloom", "layer_1", "layer_2"),
    "llama's layer in bloom": ("bloom", "llama", "layer_1", "layer_1"),
}


@cache
def made(case: str) -> tuple[dict[str, Lifted], Hybrid]:
    """Nobody changes them."""
    host, other, place, name = CASES[case]
    donors = of_two(host, guest(other))
    with untouched(*(donor.model for donor in donors.values())):
        return donors, build(BuildSheet("a", donors, (Swap(place, Ref("b", name), "untrained"),)))


def expected(case: str, ids: Tensor) -> Tensor:
    """By a copy of the host and hooks."""
    donors, _ = made(case)
    _, _, place, name = CASES[case]
    stream, theirs, other = place.startswith("layer"), path_of(donors["b"], name), donors["b"].model
    maps = untrained(32, 48)

    def put(x: Tensor) -> Tensor:
        return between(maps, lambda came: at_home(other, theirs, came), x, stream=stream)

    return logits(hosting(donors["a"].model, path_of(donors["a"], place), put), ids)


@pytest.mark.parametrize("case", CASES)
def test_it_computes_as_a_copy_of_the_host_with_a_hook(case: str) -> None:
    donors, hybrid = made(case)

    found = logits(hybrid.model)

    assert close(found, expected(case, prompt()), 1e-4)
    assert not close(found, logits(donors["a"].model), 1e-2)
    assert type(hybrid.model) is type(donors["a"].model)
    assert [path_of(donors["a"], CASES[case][2])] == list(guests(hybrid.model))
    claims = {row.claim: row.holds for row in hybrid.proofs.rows}
    assert claims["guests as in their donors"] is True
    assert claims["cached = uncached"] is None
    assert claims["donors untouched"] is True


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("case", [case for case in CASES if "attention" in case or "layer" in case])
def test_padding_on_either_side_changes_nothing(case: str, side: str) -> None:
    _, hybrid = made(case)
    long, short = prompt()[0].tolist(), [7, 9, 3, 11]
    pad = [2] * (len(long) - len(short))
    row = pad + short if side == "left" else short + pad
    mask = torch.tensor([[1] * len(long), [int(token != 2) for token in row]])
    positions = (mask.cumsum(1) - 1).clamp(min=0)

    with torch.no_grad():
        extra = {} if "bloom" in hybrid.model.config.model_type else {"position_ids": positions}
        found = hybrid.model(torch.tensor([long, row]), attention_mask=mask, use_cache=False, **extra).logits

    own = found[1, -4:] if side == "left" else found[1, :4]
    assert close(own, logits(hybrid.model, torch.tensor([short]))[0], 1e-4)
    assert close(found[0], logits(hybrid.model, torch.tensor([long]))[0], 1e-4)


@pytest.mark.parametrize("case", ["gpt2's attention in llama", "llama's layer in gpt2", "llama's attention in gemma"])
def test_it_generates_what_a_loop_without_a_cache_does(case: str) -> None:
    _, hybrid = made(case)
    ids = prompt()

    found = hybrid.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False, eos_token_id=None, pad_token_id=2
    )

    for _ in range(5):
        ids = torch.cat([ids, expected(case, ids)[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(found, ids)


@pytest.mark.parametrize("case", ["gpt2's attention in llama", "llama's layer in gpt2"])
def test_one_token_over_a_cache_is_refused_in_words(case: str) -> None:
    _, hybrid = made(case)
    with torch.no_grad():
        cache_ = hybrid.model(prompt(), use_cache=True).past_key_values

    with torch.no_grad(), pytest.raises(InputError, match="keeps no keys and values") as caught:
        hybrid.model(prompt()[:, :1], past_key_values=cache_, use_cache=True)

    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize("case", CASES)
def test_gradients_reach_the_adapters(case: str) -> None:
    _, hybrid = made(case)
    (found,) = guests(hybrid.model).values()
    adapters = [found.into.weight, found.out.weight]
    asked = [weight.requires_grad for weight in adapters]
    try:
        for weight in adapters:
            weight.requires_grad_(True)
        loss = hybrid.model(prompt(), labels=prompt(), use_cache=False).loss
        gradients = torch.autograd.grad(loss, adapters)
    finally:
        for weight, before in zip(adapters, asked, strict=True):
            weight.requires_grad_(before)

    assert all(bool(gradient.abs().max() > 1e-8) and bool(gradient.isfinite().all()) for gradient in gradients)


def test_a_guest_shares_nothing_with_its_donor() -> None:
    donors, hybrid = made("gpt2's layer in llama")
    theirs = {tensor.data_ptr() for tensor in donors["b"].model.state_dict().values()}
    (found,) = guests(hybrid.model).values()

    assert isinstance(found, Stitched)
    assert not theirs & {tensor.data_ptr() for tensor in found.state_dict().values()}
    assert not found.training
    assert not hybrid.model.config.use_cache
    assert not hybrid.model.generation_config.use_cache
    assert donors["a"].model.config.use_cache


def test_two_guests_at_once() -> None:
    donors = {**of_two("llama", guest("gpt2")), "c": lift(guest("phi"))}
    grafts = (Swap("ffn_0", Ref("b", "ffn_1"), "untrained"), Swap("attention_2", Ref("c", "attention_1"), "untrained"))

    hybrid = build(BuildSheet("a", donors, grafts))

    by_hand = donors["a"].model
    for place, donor, name in (("ffn_0", "b", "ffn_1"), ("attention_2", "c", "attention_1")):
        theirs, other = path_of(donors[donor], name), donors[donor].model

        def put(x: Tensor, theirs: str = theirs, other: Any = other) -> Tensor:
            return between(untrained(32, 48), lambda came: at_home(other, theirs, came), x)

        by_hand = hosting(by_hand, path_of(donors["a"], place), put)
    assert len(guests(hybrid.model)) == 2
    assert close(logits(hybrid.model), logits(by_hand), 1e-4)


@pytest.mark.parametrize("half", ["attention_1", "ffn_1"])
def test_halves_of_bloom_answer_with_the_stream_and_are_refused(half: str) -> None:
    donors = of_two("bloom", guest("llama"))
    sheet = BuildSheet("a", donors, (Swap(half, Ref("b"), "untrained"),))

    with (
        untouched(donors["a"].model, donors["b"].model),
        pytest.raises(BuildError, match="Swap the whole layer") as caught,
    ):
        build(sheet)

    assert check(sheet).findings[0].verdict == "refused"
    assert str(caught.value).count("\n") == 1


def test_in_bfloat16_all_of_it_is() -> None:
    donors = {"a": lift(tiny("llama").bfloat16()), "b": lift(guest("gpt2").bfloat16())}

    hybrid = build(BuildSheet("a", donors, (Swap("ffn_1", Ref("b"), "untrained"),)))

    assert {weight.dtype for weight in hybrid.model.parameters()} == {torch.bfloat16}
    assert bool(logits(hybrid.model).isfinite().all())


def narrow(family: str) -> Any:
    """As `from_pretrained` makes it in bfloat16: the angles of a rotary embedding keep their precision."""
    made = guest(family)
    angles = {name: buffer.clone() for name, buffer in made.named_buffers() if name.endswith("inv_freq")}
    made.bfloat16()
    for name, buffer in angles.items():
        home, _, own = name.rpartition(".")
        setattr(made.get_submodule(home), own, buffer)
    return made


def test_what_a_guest_computes_for_itself_is_as_exact_as_at_home(tmp_path: Path) -> None:
    donors = {"a": lift(tiny("gpt2").bfloat16()), "b": lift(narrow("llama"))}
    at_home = donors["b"].model.model.rotary_emb.inv_freq
    assert not torch.equal(at_home, at_home.bfloat16().float())

    hybrid = build(BuildSheet("a", donors, (Swap("attention_1", Ref("b"), "untrained"),)))

    for made in (hybrid.model, read_wrapper(hybrid.save_pretrained(tmp_path / "hybrid"))):
        (found,) = guests(made).values()
        angles = dict(found.part.named_buffers())["hollow.decoder.rotary_emb.inv_freq"]
        assert torch.equal(angles, at_home)


def test_a_guest_in_another_precision_than_the_host_is_refused() -> None:
    donors = {"a": lift(tiny("llama").bfloat16()), "b": lift(guest("gpt2"))}

    with pytest.raises(BuildError, match=r"b is float32, and a is bfloat16\.\nLoad them with one dtype"):
        build(BuildSheet("a", donors, (Swap("ffn_1", Ref("b"), "untrained"),)))


@pytest.mark.parametrize("place", ["attention_1", "ffn_1", "layer_1"])
def test_a_wrapper_is_not_cast_afterwards(place: str) -> None:
    donors = of_two("llama", guest("gpt2"))
    sheet = BuildSheet("a", donors, (Swap(place, Ref("b"), "untrained"),), out_dtype="bfloat16")

    with untouched(donors["a"].model, donors["b"].model):
        found = check(sheet)
        with pytest.raises(BuildError, match="not cast to bfloat16 afterwards") as caught:
            build(sheet)

    assert found.findings[-1].verdict == "refused"
    assert str(caught.value).count("\n") == 1
    assert check(replace(sheet, out_dtype="float32")).ok


def test_random_numbers_stay() -> None:
    random = torch.get_rng_state()

    build(BuildSheet("a", of_two("llama", guest("gpt2")), (Swap("attention_1", Ref("b"), "untrained"),)))

    assert torch.equal(torch.get_rng_state(), random)
