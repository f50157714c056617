"""Edits that bring something from elsewhere: directions, references, other prompts, masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from garage_nb.core.batch import prepare
from garage_nb.core.kept import same
from garage_nb.core.run import logits
from garage_nb.errors import EditError
from garage_nb.inject.ablate import Ablate
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Add, Noise, Scale, Steer, Through
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.mask import Mask
from garage_nb.inject.patch import Patch
from garage_nb.inject.place import place_of
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.rounds import Debate
from garage_nb.inject.router import RouterBias
from garage_nb.inject.sources import rows_at
from garage_nb.inject.threshold import Threshold
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.zoo import IDS
from tests.families import FAMILIES, prompt, tiny
from tests.registry.probe.models import opened
from tests.restored import left_as_it_was

SOURCE = [[7, 8, 9, 10]]
DIRECTION = torch.linspace(-1, 1, 32)


def hidden_at(model: Any, place: str, *edits: Edit, ids: Any = None) -> Tensor:
    shots = SnapshotCapture(model).run(
        prompt() if ids is None else ids, layers=[place], under=Recipe(edits).taps(spec_of(model)), keep=True
    )
    found = next(iter(shots.values())).hidden
    assert found is not None
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_steering_adds_the_direction_as_long_as_it_is(family: str) -> None:
    model = tiny(family)
    bare = hidden_at(model, "layer_1")

    with left_as_it_was(model):
        steered = hidden_at(model, "layer_1", Steer("layer_1", DIRECTION.double(), 2.5))

    torch.testing.assert_close(steered, bare + 2.5 * DIRECTION)


def test_a_direction_of_one_head() -> None:
    llama = tiny("llama")
    bare = hidden_at(llama, "attention_1.heads")

    steered = hidden_at(llama, "attention_1.heads", Steer("attention_1.head_2", DIRECTION[:8], -1))

    torch.testing.assert_close(steered[..., 16:24], bare[..., 16:24] - DIRECTION[:8])
    assert torch.equal(steered[..., :16], bare[..., :16])


@pytest.mark.parametrize("place", ["layer_1", "attention_1.heads", "ffn_0.neurons", "ffn_1.neuron_3"])
def test_rows_of_a_place_leave_padding_out(llama: Any, place: str) -> None:
    texts = [[3, 1, 4, 1, 5], [9, 2, 6]]
    given = {"input_ids": torch.tensor([texts[0], [*texts[1], 0, 0]]), "attention_mask": torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])}  # fmt: skip  # noqa: E501

    rows = rows_at(llama, spec_of(llama), place, given)

    alone = torch.cat([hidden_at(llama, place, ids=[text])[0] for text in texts])
    torch.testing.assert_close(rows, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("place", ["layer_1", "attention_1", "attention_1.head_2", "ffn_1.neurons"])
def test_a_mean_ablation_says_what_the_place_says_on_average(llama: Any, place: str) -> None:
    rows = rows_at(llama, spec_of(llama), place, SOURCE)

    found = hidden_at(llama, place, Ablate(place, "mean", rows))

    expected = rows.double().numpy().mean(axis=0)
    np.testing.assert_allclose(found.numpy(), np.broadcast_to(expected, found.shape), rtol=1e-6)


def test_a_mean_can_be_given_as_it_is_and_from_a_snapshot(llama: Any) -> None:
    shots = SnapshotCapture(llama).run(SOURCE, layers=["layer_1"], keep=True)
    rows = shots["layer_1"].hidden
    assert rows is not None

    from_snapshot = Ablate("layer_1", "mean", shots["layer_1"])

    assert from_snapshot == Ablate("layer_1", "mean", rows) == Ablate("layer_1", "mean", from_snapshot.reference)
    assert from_snapshot.reference.shape == (32,)


def test_a_zero_ablation_is_zero_and_is_scaling_by_nothing(any_model: Any) -> None:
    taps = [Recipe((edit,)).taps(spec_of(any_model)) for edit in (Ablate("ffn_1"), Scale("ffn_1", 0))]

    ablated, scaled = (logits(any_model, prepare(prompt(), any_model), some) for some in taps)

    torch.testing.assert_close(ablated, scaled)


def test_resampling_draws_tokens_of_the_reference_by_the_seed(llama: Any) -> None:
    rows = rows_at(llama, spec_of(llama), "layer_1", [*SOURCE, [11, 12, 13, 14]])
    state = torch.get_rng_state()

    runs = [hidden_at(llama, "layer_1", Ablate("layer_1", "resample", rows, seed)) for seed in (3, 3, 4)]

    drawn = torch.randint(8, (1, 10), generator=torch.Generator().manual_seed(3))
    assert torch.equal(runs[0], rows[drawn])
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert torch.equal(torch.get_rng_state(), state)


def by_hand(model: Any, path: str, rows: Tensor, places: list[int], ids: Tensor) -> Tensor:
    def put(module: Any, args: Any, output: Any) -> Tensor:
        changed = output.clone()
        changed[:, places] = rows
        return changed

    handle = model.get_submodule(path).register_forward_hook(put)
    with torch.no_grad():
        answer = model(ids, use_cache=False).logits
    handle.remove()
    return answer


@pytest.mark.parametrize(("positions", "tokens", "from_rows", "to_places"), [
    ("all", "0:4", [0, 1, 2, 3], [0, 1, 2, 3]), ("-1", "-1", [3], [9]), ("1", "2,5,7", [1], [2, 5, 7]),
    ("0,2", "3,-1", [0, 2], [3, 9]), ("1:3", "-2:", [1, 2], [8, 9]), ("-1", "prompt", [3], list(range(10))),
])  # fmt: skip
def test_rows_are_put_at_the_same_or_other_positions(
    llama: Any, positions: str, tokens: str, from_rows: list[int], to_places: list[int]
) -> None:
    rows = hidden_at(llama, "layer_1", ids=SOURCE)[0]
    patch = Patch("layer_1", rows, positions, tokens=tokens)  # type: ignore[arg-type]

    found = logits(llama, prepare(prompt(), llama), Recipe((patch,)).taps(spec_of(llama)))

    expected = by_hand(llama, "model.layers.1", rows[from_rows], to_places, prompt())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_patch_finds_its_tokens_in_every_padded_row(llama: Any, side: str) -> None:
    rows, texts = hidden_at(llama, "layer_1", ids=SOURCE)[0, :2], [[3, 1, 4, 1, 5, 9], [2, 6, 53, 58]]
    short = [0, 0, *texts[1]] if side == "left" else [*texts[1], 0, 0]
    real = torch.tensor([[1] * 6, [0, 0, 1, 1, 1, 1] if side == "left" else [1, 1, 1, 1, 0, 0]])
    batch = prepare({"input_ids": torch.tensor([texts[0], short]), "attention_mask": real}, llama)

    found = logits(llama, batch, Recipe((Patch("layer_1", rows, tokens="1,-1"),)).taps(spec_of(llama)))  # type: ignore[arg-type]

    for row, mask, text in zip(found, real.bool(), texts, strict=True):
        expected = by_hand(llama, "model.layers.1", rows, [1, len(text) - 1], torch.tensor([text]))
        torch.testing.assert_close(row[mask], expected[0], rtol=1e-5, atol=1e-5)


def test_a_patch_where_batch_and_sequence_are_one_dimension() -> None:
    model = tiny("opt", ffn_dim=64, word_embed_proj_dim=32)
    rows = hidden_at(model, "ffn_1.neurons", ids=SOURCE)
    bare = hidden_at(model, "ffn_1.neurons")

    found = hidden_at(model, "ffn_1.neurons", Patch("ffn_1.neurons", rows, tokens="2:6"))  # type: ignore[arg-type]

    expected = bare.clone()
    expected.view(-1, 64)[2:6] = rows.view(-1, 64)
    assert torch.equal(found, expected)


def test_a_patched_prompt_is_gone_on_from_with_the_models_own_tokens(llama: Any) -> None:
    rows, ids = hidden_at(llama, "layer_1", ids=prompt().flip(1))[0], prompt()
    for _ in range(4):
        answer = by_hand(llama, "model.layers.1", rows, list(range(10)), ids)
        ids = torch.cat([ids, answer[:, -1].argmax(-1, keepdim=True)], 1)

    with LayerInjector(llama) as injector:
        injector.add(Patch("layer_1", rows))
        options = {"attention_mask": torch.ones_like(prompt()), "max_new_tokens": 4, "eos_token_id": None}
        written = llama.generate(prompt(), do_sample=False, **options)

    assert written.tolist() == ids.tolist()


HEADS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "drop": ({"drop": [0, -1]}, [0, 3]), "keep": ({"keep": "1"}, [0, 2, 3]), "range": ({"drop": "1:3"}, [1, 2]),
    "text": ({"drop": "0,2"}, [0, 2]), "one": ({"drop": 2}, [2]),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADS)
@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_masked_heads_are_those_scaled_to_nothing(family: str, case: str) -> None:
    (how, gone), model = HEADS[case], tiny(family)
    batch, spec = prepare(prompt(), model), spec_of(model)
    one_by_one = Recipe(tuple(Scale(f"attention_1.head_{head}", 0) for head in gone))

    masked = logits(model, batch, Recipe((Mask("attention_1", **how),)).taps(spec))

    assert torch.equal(masked, logits(model, batch, one_by_one.taps(spec)))


def test_masked_neurons_are_zero_and_the_others_keep_their_bits(any_model: Any) -> None:
    if spec_of(any_model).parts["ffn_1"].intermediate_dim is None or "projection" not in spec_of(any_model).parts["ffn_1"].extra_info:  # fmt: skip  # noqa: E501
        pytest.skip("its experts share their neurons")
    bare = hidden_at(any_model, "ffn_1.neurons")

    masked = hidden_at(any_model, "ffn_1.neurons", Mask("ffn_1", keep="3:9"))

    assert torch.equal(masked[..., 3:9], bare[..., 3:9])
    assert masked.count_nonzero() == bare[..., 3:9].count_nonzero()


WRONG: dict[str, tuple[Any, str]] = {
    "wide direction": (lambda: Steer("layer_1", torch.ones(31)), r"\(31,\) does not fit layer_1, which is 32 wide"),
    "head direction": (lambda: Add("attention_1.head_1", DIRECTION), "attention_1.head_1, which is 8 wide"),
    "neurons": (lambda: Add("ffn_1.neurons", DIRECTION), "ffn_1.neurons, which is 64 wide"),
    "mean": (lambda: Ablate("layer_1", "mean", torch.ones(3, 8)), r"does not fit layer_1"),
    "rows": (lambda: Patch("ffn_1", torch.ones(3, 8)), r"does not fit ffn_1"),
    "no head": (lambda: Mask("attention_1", drop=[4]), "attention_1.heads has no number 4"),
    "no units": (lambda: Mask("layer_1", drop=[4]), "layer_1 has no heads or neurons"),
    "one head": (lambda: Mask("attention_1.head_1", drop=[0]), "attention_1.head_1 has no heads"),
    "no router": (lambda: RouterBias("ffn_1", [1, 2]), "ffn_1 chooses no experts"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_its_place_is_refused_before_anything_runs(llama: Any, case: str) -> None:
    make, message = WRONG[case]
    spec = spec_of(llama)

    with pytest.raises(EditError, match=message) as caught:
        Recipe((make(),)).taps(spec)

    assert str(caught.value).count("\n") == 1


MADE_WRONG: dict[str, tuple[Any, str]] = {
    "no direction": (lambda: Steer("layer_1", 3.0), "3 is no direction"),  # type: ignore[arg-type]
    "matrix": (lambda: Steer("layer_1", torch.ones(2, 32)), "is no direction"),
    "strength": (lambda: Steer("layer_1", DIRECTION, "much"), "'much' is no number"),  # type: ignore[arg-type]
    "infinite": (lambda: Steer("layer_1", DIRECTION / 0), "not finite"),
    "bias": (lambda: RouterBias("gate_1", (1.0, float("nan"))), "not finite"),
    "level": (lambda: Threshold("layer_1", -0.1), "-0.1 is no level"),
    "no level": (lambda: Threshold("layer_1", "low"), "'low' is no number"),  # type: ignore[arg-type]
    "levels": (lambda: Threshold("layer_1", DIRECTION), "is no level"),  # type: ignore[arg-type]
    "NaN level": (lambda: Threshold("layer_1", float("nan")), "nan is not finite"),
    "how": (lambda: Ablate("layer_1", "shuffle"), "no ablation 'shuffle'"),
    "no reference": (lambda: Ablate("layer_1", "mean"), "mean needs a reference"),
    "a reference": (lambda: Ablate("layer_1", "zero", DIRECTION), "zero needs no reference"),
    "text": (lambda: Ablate("layer_1", "mean", "Paris"), "holds no hidden states"),
    "no rows": (lambda: Patch("layer_1", torch.ones(0, 32)), "is not"),
    "two prompts": (lambda: Patch("layer_1", torch.ones(2, 3, 32)), "several prompts"),
    "no position": (lambda: Patch("layer_1", torch.ones(3, 32), "5"), "Positions 5 are none of the 3 tokens"),
    "both": (lambda: Mask("ffn_1", keep=[1], drop=[2]), "either what it keeps"),
    "neither": (lambda: Mask("ffn_1"), "either what it keeps"),
    "words": (lambda: Mask("ffn_1", drop="some"), "are no whole numbers"),
    "far": (lambda: Mask("ffn_1", drop="0:99999999999"), "are no whole numbers"),
    "none": (lambda: Mask("ffn_1", drop=[]), "None was named"),
    "place": (lambda: Scale(3, 1.0), "3 names no part"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("case", MADE_WRONG)
def test_what_is_no_edit_is_refused_when_it_is_made(case: str) -> None:
    make, message = MADE_WRONG[case]

    with pytest.raises(EditError, match=message):
        make()


def test_a_snapshot_without_hidden_states_says_how_to_keep_them(llama: Any) -> None:
    shot = SnapshotCapture(llama).run(SOURCE, layers=["layer_1"])["layer_1"]

    with pytest.raises(EditError, match="Capture with keep=True"):
        Patch("layer_1", shot)


@pytest.mark.parametrize(("tokens", "message"), [
    ("0:3", "has 4 rows for 3 tokens"), ("all", "has 4 rows for all tokens"), ("prompt", "has 4 rows for 10 tokens"),
])  # fmt: skip
def test_as_many_rows_as_tokens(llama: Any, tokens: str, message: str) -> None:
    patch = Patch("layer_1", torch.ones(4, 32), tokens=tokens)  # type: ignore[arg-type]

    with left_as_it_was(llama), pytest.raises(EditError, match=message):
        hidden_at(llama, "layer_1", patch)


def test_an_edit_keeps_its_own_copy_of_a_tensor() -> None:
    direction = DIRECTION.clone()
    steer = Steer("layer_1", direction)

    direction.zero_()

    assert torch.equal(steer.direction, DIRECTION)


def test_a_direction_that_is_being_learned_is_learned_through_the_model() -> None:
    llama, direction = tiny("llama").requires_grad_(False), nn.Parameter(torch.zeros(32))

    with LayerInjector(llama) as injector:
        injector.add(Steer("layer_1", direction))
        llama(prompt()).logits.square().mean().backward()

    assert direction.grad is not None
    assert direction.grad.abs().sum() > 0


MODULE = nn.Tanh()
EQUAL: dict[str, Any] = {
    "scale": lambda: Scale("layer_1", 0.5), "add": lambda: Add("layer_1", DIRECTION), "noise": lambda: Noise("ffn_1"),
    "steer": lambda: Steer("layer_1", DIRECTION, 2), "mean": lambda: Ablate("ffn_1", "mean", DIRECTION.expand(3, 32)),
    "patch": lambda: Patch("ffn_1", DIRECTION.expand(3, 32)), "mask": lambda: Mask("attention_1", drop="0:2"),
    "threshold": lambda: Threshold("ffn_1", 0.5),
    "bias": lambda: RouterBias("gate_1", (1.0, 2.0)), "through": lambda: Through("ffn_1", MODULE),
    "debate": lambda: Debate("layer_1"),
}  # fmt: skip


@pytest.mark.parametrize("case", EQUAL)
def test_edits_that_say_the_same_are_equal(case: str) -> None:
    one, other = EQUAL[case](), EQUAL[case]()

    assert one == other
    assert hash(one) == hash(other)
    assert same(one, other)
    assert all(one != EQUAL[another]() for another in EQUAL if another != case)
    assert one != Scale(one.at, 7.0)


def test_edits_that_say_something_else_are_not_equal() -> None:
    turned = DIRECTION.flip(0)

    assert Add("layer_1", DIRECTION) != Add("layer_1", turned)
    assert Add("layer_1", DIRECTION) != Add("layer_1", DIRECTION.double())
    assert Add("layer_1", DIRECTION) != Add("layer_1", 1.0)
    assert Add("layer_1", 1.0) != Add("layer_1", DIRECTION)
    assert Scale("layer_1", 2.0) != Scale("layer_1", 2.0, tokens="0")  # type: ignore[arg-type]


def test_only_what_cannot_change_is_constant() -> None:
    gate = nn.Linear(64, 1)

    assert all(make().is_constant for name, make in EQUAL.items() if name != "through")
    assert not Through("ffn_1", MODULE).is_constant
    assert not Through("ffn_1", torch.tanh).is_constant
    assert not Debate("layer_1", reconciliation="gated", gate=gate).is_constant
    assert not Steer("layer_1", nn.Parameter(DIRECTION)).is_constant


def test_edits_say_what_was_said() -> None:
    assert str(Noise("layer_3", 0.1)) == "noise layer_3 0.1"
    assert str(Noise("layer_3", 0.1, 5, tokens="prompt")) == "noise layer_3 0.1 --seed 5 --tokens prompt"  # type: ignore[arg-type]
    assert str(Steer("layer_3", DIRECTION, 2)) == "steer layer_3 tensor(32,) 2"
    assert str(Ablate("ffn_1", "mean", DIRECTION)) == "ablate ffn_1 mean --reference tensor(32,)"
    assert str(Patch("ffn_1", DIRECTION, tokens="-1")) == "patch ffn_1 tensor(1, 32) --tokens -1"  # type: ignore[arg-type]
    assert str(Mask("attention_1", drop=[0, -1])) == "mask attention_1.heads --drop 0,-1"
    assert str(Mask("ffn_1", drop=range(99))) == "mask ffn_1.neurons --drop 0,1,2,3,4,5,6,7,…"


@pytest.mark.parametrize(
    "entry", ["causal-gpt2", "causal-gemma2", "causal-mixtral", "causal-deepseek_v3", "causal-opt", "masked-bert",
              "seq2seq-t5", "causal-bloom", "causal-mamba", "causal-qwen3", "causal-gpt_oss", "causal-granitemoe"],
)  # fmt: skip
def test_a_place_is_as_wide_as_what_is_read_there(entry: str) -> None:
    model, spec = opened(entry)
    heads = [f"{name}.{unit}" for name, part in spec.parts.items() for unit in ("heads", "head_1", "neurons")
             if part.count_of(unit) and unit[0] == ("n" if part.part_type.value == "ffn" else "h")]  # fmt: skip
    names = [name for name in (*spec.available(), *heads) if not name.startswith("rotary")]

    for name in names:
        rows = rows_at(model, spec, name, [list(IDS)])
        assert place_of(spec, name).width == rows.shape[-1], name
