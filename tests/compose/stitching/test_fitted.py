"""Maps by least squares: those that NumPy finds from the same states, captured by plain hooks."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from garage_nb.compose.assembly.build import build
from garage_nb.compose.graft import Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.layout.donors import opened
from garage_nb.compose.layout.layout import Occupant
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.stitching.fitted import HELD_OUT, RIDGE, fitted
from garage_nb.compose.stitching.maps import Maps, untrained
from garage_nb.errors import BuildError, NotFiniteError
from garage_nb.registry.lift import Lifted, lift
from tests.compose.layout.test_refusals import untouched
from tests.compose.stitching.by_hand import at_home, between, close, entering, guest, narrow_llama, path_of
from tests.families import saved, tiny

Numbers = NDArray[np.float64]
TEXTS = tuple(
    " ".join("abcdefghijklmnopqrstuvwxyz0123456789"[(7 * i + j * j) % 36] for j in range(9)) for i in range(12)
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lift(saved("llama", tmp_path_factory.mktemp("tokenizer"))).tokenizer


PAIRS: dict[str, tuple[str, Any, str, str]] = {
    "ffn in llama": ("llama", narrow_llama, "ffn_1", "ffn_2"),
    "attention in gpt2": ("gpt2", lambda: guest("gpt2"), "attention_1", "attention_3"),
    "gemma's ffn in gpt2": ("gpt2", lambda: guest("gemma2"), "ffn_0", "ffn_1"),
    "mixtral's layer in phi": ("phi", lambda: guest("mixtral"), "layer_1", "layer_1"),
}


def donors_of(case: str, tokenizer: Any) -> dict[str, Lifted]:
    host, other, _, _ = PAIRS[case]
    return {"a": lift(tiny(host), tokenizer=tokenizer), "b": lift(other(), tokenizer=tokenizer)}


def states(of: Lifted, name: str) -> tuple[list[Numbers], list[Numbers]]:
    """For each text what enters the part, and what leaves its layer."""
    layer = f"layer_{name.rpartition('_')[2]}"
    ids = [torch.tensor([of.tokenizer(text)["input_ids"]]) for text in TEXTS]
    into = [entering(of.model, path_of(of, name), one)[0] for one in ids]
    out = [entering(of.model, path_of(of, layer), one)[1] for one in ids]
    return [numbers(one) for one in into], [numbers(one) for one in out]


def numbers(hidden: Tensor) -> Numbers:
    found: Numbers = hidden[0].double().numpy()
    return found


def solved(xs: list[Numbers], ys: list[Numbers], shifting: bool) -> tuple[Numbers, Numbers, float]:
    """Ridge as rows that are added to a plain least squares; the share explained of the texts held out."""
    shown = [number for number in range(len(xs)) if number % HELD_OUT != HELD_OUT - 1]
    held = [number for number in range(len(xs)) if number % HELD_OUT == HELD_OUT - 1]
    x, y = (np.concatenate([of[number] for number in shown]) for of in (xs, ys))
    about_x, about_y = (x.mean(0), y.mean(0)) if shifting else (np.zeros(x.shape[1]), np.zeros(y.shape[1]))
    centred = x - about_x
    ridge = np.sqrt(RIDGE * (centred**2).mean(0).mean() * len(x)) * np.eye(x.shape[1])
    wanted = np.concatenate([y - about_y, np.zeros((x.shape[1], y.shape[1]))])
    weight, *_ = np.linalg.lstsq(np.concatenate([centred, ridge]), wanted, rcond=None)
    bias = about_y - about_x @ weight
    u, v = (np.concatenate([of[number] for number in held]) for of in (xs, ys))
    error = ((v - u @ weight - bias) ** 2).sum() / ((v - v.mean(0)) ** 2).sum()
    return weight, bias, 1 - error


def occupants(donors: dict[str, Lifted], case: str) -> tuple[Occupant, Occupant]:
    _, _, place, name = PAIRS[case]
    return Occupant(opened("b", donors["b"]), name), Occupant(opened("a", donors["a"]), place)


@pytest.mark.parametrize("shifting", [True, False])
@pytest.mark.parametrize("case", PAIRS)
def test_they_are_what_numpy_finds(case: str, shifting: bool, tokenizer: Any) -> None:
    donors = donors_of(case, tokenizer)
    _, _, place, name = PAIRS[case]

    with untouched(donors["a"].model, donors["b"].model):
        maps = fitted(*occupants(donors, case), TEXTS, shifting=shifting)

    (host_in, host_out), (guest_in, guest_out) = states(donors["a"], place), states(donors["b"], name)
    into, shift, explained_in = solved(host_in, guest_in, shifting)
    out, _, explained_out = solved(guest_out, host_out, True)
    for found, expected in ((maps.into, into), (maps.shift, shift), (maps.out, out)):
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-8 * abs(expected).max() + 1e-12)
    assert bool(maps.shift.any()) is shifting
    tokens = sum(map(len, host_in))
    assert maps.said == (
        f"fitted on {tokens} tokens of 12 texts; of the variance in the 2 held out, {explained_in:.2f} is explained "
        f"on the way in and {explained_out:.2f} on the way out"
    )


@pytest.mark.parametrize("case", ["attention in gpt2", "ffn in llama"])
def test_in_the_hybrid_the_place_is_the_guest_between_them(case: str, tokenizer: Any) -> None:
    """A shift goes into biases, where there are any: llama has none, and is fitted without one."""
    host, _, place, name = PAIRS[case]
    donors = donors_of(case, tokenizer)
    if host == "gpt2":
        donors["b"] = lift(tiny("gpt2", 4, seed=1), tokenizer=tokenizer)

    hybrid = build(BuildSheet("a", donors, (Swap(place, Ref("b", name), "fit"),), texts=TEXTS))

    maps: Maps = hybrid.check.demand().stitches[place].maps
    assert bool(maps.shift.any()) is (host == "gpt2")
    assert hybrid.check.demand().apart == []
    entered, left = entering(hybrid.model, path_of(donors["a"], place), torch.tensor([[5, 9, 30, 7]]))
    theirs = path_of(donors["b"], name)
    assert close(left, between(maps, lambda came: at_home(donors["b"].model, theirs, came), entered), 1e-4)
    made_of = hybrid.model.config.garage_build
    assert made_of["fitted_on"]["texts"] == 12
    assert TEXTS[0] not in str(made_of)


def test_of_two_that_are_alike_everything_is_explained(tokenizer: Any) -> None:
    """The same model twice: the map is nearly the identity, but for the ridge."""
    donors = {name: lift(tiny("llama"), tokenizer=tokenizer) for name in "ab"}

    maps = fitted(Occupant(opened("b", donors["b"]), "layer_1"), Occupant(opened("a", donors["a"]), "layer_1"),
                  TEXTS, shifting=True)  # fmt: skip

    shares = [float(found) for found in re.findall(r"\d\.\d\d", maps.said)]
    assert len(shares) == 2
    assert min(shares) >= 0.95


def refused(kind: type[Exception], said: str, donors: dict[str, Any], texts: tuple[str, ...] = TEXTS) -> None:
    """By check or by build, in two lines, and the donors keep their bits."""
    sheet = BuildSheet("a", donors, (Swap("ffn_1", Ref("b", "ffn_2"), "fit"),), texts=texts)
    with untouched(donors["a"].model), pytest.raises(kind, match=said) as caught:
        build(sheet)
    assert str(caught.value).count("\n") == 1


def test_another_tokenizer_is_refused_naming_both(tokenizer: Any) -> None:
    from transformers import PreTrainedTokenizerFast

    other = PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer.__class__.from_str(
        tokenizer._tokenizer.to_str().replace('"z":', '"Z":').replace('"z"', '"Z"')), pad_token="<pad>")  # fmt: skip
    donors = {"a": lift(tiny("llama"), tokenizer=tokenizer), "b": lift(narrow_llama(), tokenizer=other)}

    refused(BuildError, "b and a do not read the same tokens", donors)


def test_without_a_tokenizer_there_is_nothing_to_fit_on() -> None:
    donors = {"a": lift(tiny("llama")), "b": lift(narrow_llama())}

    refused(BuildError, "b and a do not read the same tokens", donors)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ((), "there are no texts"),
        (TEXTS[:4], "4 texts of .* are too few"),
        (("a b",) * 6, "6 texts of .* tokens are too few to fit maps of 48 dimensions"),
    ],
)
def test_too_little_to_fit_on(texts: tuple[str, ...], said: str, tokenizer: Any) -> None:
    donors = {"a": lift(tiny("llama"), tokenizer=tokenizer), "b": lift(narrow_llama(), tokenizer=tokenizer)}

    refused(BuildError, said, donors, texts)


def test_nan_in_a_donor_is_said_where_it_passes(tokenizer: Any) -> None:
    broken = narrow_llama()
    with torch.no_grad():
        broken.model.layers[0].mlp.up_proj.weight[0, 0] = torch.nan
    donors = {"a": lift(tiny("llama"), tokenizer=tokenizer), "b": lift(broken, tokenizer=tokenizer)}

    refused(NotFiniteError, "NaN or infinity passes ffn_2 of b", donors)


def test_what_is_too_little_for_a_fit_is_enough_for_a_map_as_drawn(tokenizer: Any) -> None:
    donors = {"a": lift(tiny("llama"), tokenizer=tokenizer), "b": lift(narrow_llama(), tokenizer=tokenizer)}

    found = check(BuildSheet("a", donors, (Swap("ffn_1", Ref("b"), "untrained"),)))

    assert found.demand().stitches["ffn_1"].maps.said == "untrained"


@pytest.mark.parametrize(("host", "other"), [(32, 48), (48, 32), (32, 32), (1, 7)])
def test_a_map_as_drawn_is_orthogonal_and_goes_back(host: int, other: int) -> None:
    random = torch.get_rng_state()

    maps = untrained(host, other)

    into = maps.into.numpy()
    small = into @ into.T if host <= other else into.T @ into
    np.testing.assert_allclose(small, np.eye(min(host, other)), atol=1e-12)
    assert torch.equal(maps.out, maps.into.T)
    assert not maps.shift.any()
    assert torch.equal(maps.into, untrained(host, other).into)
    assert not torch.equal(maps.into, untrained(host, other, seed=1).into)
    assert torch.equal(torch.get_rng_state(), random)
