"""Healing trains the adapters and nothing else, gets better on texts held out, and leaves no trace when stopped."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.heal import Healing, heal
from garage_nb.compose.assembly.wrapper_files import read_wrapper
from garage_nb.compose.graft import Swap
from garage_nb.compose.layout.check import Check, check
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.stitching.stitched import guests
from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.errors import BuildError, CancelledError, NotFiniteError
from garage_nb.inject.edits import Scale
from garage_nb.registry.lift import Lifted, lift
from tests.compose.bench import logits
from tests.compose.folding.test_folding import in_force
from tests.compose.layout.test_refusals import untouched
from tests.compose.stitching.by_hand import at_home, between, close, entering, guest, narrow_llama, path_of
from tests.compose.stitching.test_fitted import TEXTS
from tests.families import prompt, saved, tiny

FEW = Healing(steps=6, rate=1e-2, batch=4, seed=3)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lift(saved("llama", tmp_path_factory.mktemp("tokenizer"))).tokenizer


PAIRS: dict[str, tuple[str, Any, str, str]] = {
    "into weights": ("llama", narrow_llama, "ffn_1", "ffn_2"),
    "into weights with biases": ("gpt2", lambda: tiny("gpt2", 4, seed=1), "attention_1", "attention_2"),
    "a guest": ("llama", lambda: guest("gpt2"), "ffn_1", "ffn_2"),
    "a layer that is a guest": ("gpt2", lambda: guest("mixtral"), "layer_1", "layer_2"),
}


def donors_of(case: str, tokenizer: Any) -> dict[str, Lifted]:
    host, other, _, _ = PAIRS[case]
    return {"a": lift(tiny(host), tokenizer=tokenizer), "b": lift(other(), tokenizer=tokenizer)}


def checked(case: str, donors: dict[str, Lifted], **more: Any) -> Check:
    _, _, place, name = PAIRS[case]
    return check(BuildSheet("a", donors, (Swap(place, Ref("b", name), "untrained"),), **more))


@pytest.mark.parametrize("case", PAIRS)
def test_only_the_adapters_move(case: str, tokenizer: Any) -> None:
    donors, (_, _, place, _) = donors_of(case, tokenizer), PAIRS[case]
    plain, random = build(checked(case, donors).sheet).model, torch.get_rng_state()

    with untouched(donors["a"].model, donors["b"].model):
        hybrid = heal(checked(case, donors), TEXTS, FEW)

    assert torch.equal(torch.get_rng_state(), random)
    home = path_of(donors["a"], place)
    before, after = plain.state_dict(), hybrid.model.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert before.keys() == after.keys()
    assert changed
    assert all(key.startswith(f"{home}.") for key in changed)
    if guests(hybrid.model):
        assert changed == {f"{home}.{which}" for which in ("into.weight", "into.bias", "out.weight")}
    assert hybrid.proofs.ok
    theirs = {tensor.data_ptr() for donor in donors.values() for tensor in donor.model.parameters()}
    assert all(tensor.requires_grad is (tensor.data_ptr() not in theirs) for tensor in hybrid.model.parameters())


@pytest.mark.parametrize("case", PAIRS)
def test_the_place_is_the_guest_between_the_maps_that_were_learned(case: str, tokenizer: Any) -> None:
    donors, (_, _, place, name) = donors_of(case, tokenizer), PAIRS[case]

    hybrid = heal(checked(case, donors), TEXTS, FEW)

    stitch = hybrid.check.demand().stitches[place]
    entered, left = entering(hybrid.model, path_of(donors["a"], place), prompt())
    theirs, other = path_of(donors["b"], name), donors["b"].model
    expected = between(
        stitch.maps, lambda came: at_home(other, theirs, came), entered, stream=place.startswith("layer")
    )
    assert close(left, expected, 1e-4)
    assert bool(stitch.maps.shift.any()) is (case != "into weights")
    assert re.fullmatch(
        r"untrained; healed in 6 steps on 10 texts: loss on 2 held out \d+\.\d{3} → \d+\.\d{3}", stitch.maps.said
    )


def test_the_first_step_is_that_of_adamw_by_hand(tokenizer: Any) -> None:
    """Its size is the rate, whatever the gradient; its sign is that of the gradient of the loss on the texts drawn."""
    donors = donors_of("a guest", tokenizer)
    start = build(checked("a guest", donors).sheet).model
    (path, before), *_ = guests(start).items()
    drawn = torch.randint(10, (4,), generator=torch.Generator().manual_seed(3)).tolist()
    shown = [text for number, text in enumerate(TEXTS) if number % 5 != 4]
    ids = torch.tensor([tokenizer(shown[number])["input_ids"] for number in drawn])
    before.out.weight.requires_grad_(True)
    loss = start(ids, labels=ids, use_cache=False).loss
    (gradient,) = torch.autograd.grad(loss, [before.out.weight])

    hybrid = heal(checked("a guest", donors), TEXTS, Healing(steps=1, rate=1e-3, batch=4, seed=3))

    step = guests(hybrid.model)[path].out.weight - before.out.weight.detach()
    sure = gradient.abs() > 1e-5
    assert sure.float().mean() > 0.9
    torch.testing.assert_close(step[sure], -1e-3 * gradient[sure].sign(), rtol=1e-2, atol=1e-6)


def test_twice_the_same_and_another_seed_another(tokenizer: Any) -> None:
    donors = donors_of("a guest", tokenizer)

    first, second, third = (
        heal(checked("a guest", donors), TEXTS, Healing(steps=3, seed=seed)).model for seed in (0, 0, 1)
    )

    assert torch.equal(logits(first), logits(second))
    assert not torch.equal(logits(first), logits(third))


def test_a_healed_guest_comes_back_from_its_folder(tokenizer: Any, tmp_path: Path) -> None:
    hybrid = heal(checked("a guest", donors_of("a guest", tokenizer)), TEXTS, FEW)

    again = read_wrapper(hybrid.save_pretrained(tmp_path / "healed"))

    assert torch.equal(logits(again), logits(hybrid.model))


@pytest.mark.parametrize("case", ["into weights", "a guest"])
def test_edits_come_after_it(case: str, tokenizer: Any) -> None:
    donors, edits = donors_of(case, tokenizer), (Scale("attention_1", 0.5), Scale("ffn_1", 3.0))
    healed = heal(checked(case, donors), TEXTS, FEW)

    hybrid = heal(checked(case, donors, edits=edits), TEXTS, FEW)

    expected = in_force(lift(healed.model), *edits)
    assert close(in_force(lift(hybrid.model), *hybrid.edits), expected, 1e-4)
    assert len(hybrid.edits) == len(guests(hybrid.model))


def test_cancelled_it_leaves_everything(tokenizer: Any) -> None:
    donors, asked = donors_of("a guest", tokenizer), Cancel()
    given = checked("a guest", donors)
    maps = given.demand().stitches["ffn_1"].maps
    into = maps.into.clone()
    grad = {name: p.requires_grad for donor in donors.values() for name, p in donor.model.named_parameters()}
    timer = threading.Thread(target=asked.ask)

    with untouched(donors["a"].model, donors["b"].model), cancellable(asked):
        timer.start()
        with pytest.raises(CancelledError, match="cancelled before it was done"):
            heal(given, TEXTS, Healing(steps=10_000))
    timer.join()

    assert torch.equal(given.demand().stitches["ffn_1"].maps.into, into)
    assert torch.is_grad_enabled()
    assert grad == {name: p.requires_grad for donor in donors.values() for name, p in donor.model.named_parameters()}


@pytest.mark.parametrize("what", ["no adapter", "few texts"])
def test_what_cannot_be_healed(what: str, tokenizer: Any) -> None:
    donors = donors_of("a guest", tokenizer)
    given = checked("a guest", donors) if what == "few texts" else check(BuildSheet("a", donors))

    with untouched(donors["a"].model), pytest.raises(BuildError, match="Only adapters are healed") as caught:
        heal(given, TEXTS[:4] if what == "few texts" else TEXTS, FEW)

    assert str(caught.value).count("\n") == 1


def test_a_rate_that_is_too_large_is_said(tokenizer: Any) -> None:
    donors = donors_of("into weights", tokenizer)

    with untouched(donors["a"].model), pytest.raises(NotFiniteError, match="while healing"):
        heal(checked("into weights", donors), TEXTS, Healing(steps=4, rate=1e30))


def test_two_trained_models_get_better_on_texts_held_out() -> None:
    """Half of one of the showroom in another of it, of another family and width."""
    donors = {"a": lift("showroom-llama"), "b": lift("showroom-gpt2")}
    texts = [f"The capital of {country} is {town}." for country, town in (
        ("France", "Paris"), ("Spain", "Madrid"), ("Japan", "Tokyo"), ("Italy", "Rome"), ("Peru", "Lima"),
        ("Egypt", "Cairo"), ("Norway", "Oslo"), ("Greece", "Athens"), ("Cuba", "Havana"), ("Kenya", "Nairobi"),
    )]  # fmt: skip
    given = check(BuildSheet("a", donors, (Swap("ffn_1", Ref("b", "ffn_2"), "untrained"),)))

    with untouched(donors["a"].model, donors["b"].model):
        hybrid = heal(given, texts, Healing(steps=12, rate=3e-3, batch=4))

    said = hybrid.check.demand().stitches["ffn_1"].maps.said
    before, after = map(float, re.findall(r"(\d+\.\d+) → (\d+\.\d+)", said)[0])
    assert after < before - 0.05
