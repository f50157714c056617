"""Neurons: counts against loops in NumPy over what enters the down projection, and preferences against planted ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.analyze.neurons.neurons import neurons
from garage_nb.analyze.neurons.specialisation import Tally, index
from garage_nb.errors import InputError, UnknownPartError
from garage_nb.garage import Garage
from tests.coverage.zoo import Entry, build
from tests.families import tiny
from tests.restored import left_as_it_was

DOMAINS = {"odd": [[3, 1, 5, 7, 9], [1, 1, 7], [9, 3, 3, 5]], "even": [[4, 8, 6, 4, 8, 6], [8, 4], [6, 6, 8]]}
DOWN = {"gpt2": "transformer.h.1.mlp.c_proj", "llama": "model.layers.1.mlp.down_proj", "phi": "model.layers.1.mlp.fc2",
        "gemma2": "model.layers.1.mlp.down_proj", "opt": "model.decoder.layers.1.fc2",
        "t5": "encoder.block.1.layer.1.DenseReluDense.wo"}  # fmt: skip


def entering(model: Any, path: str, ids: list[int], **written: Any) -> np.ndarray:
    """(tokens, neurons), by a hook of the test's own."""
    seen: list[torch.Tensor] = []
    handle = model.get_submodule(path).register_forward_pre_hook(lambda module, args: seen.append(args[0].detach()))
    with torch.no_grad():
        model(torch.tensor([ids]), **written)
    handle.remove()
    return seen[0].reshape(len(ids), -1).double().numpy()


def loud(values: np.ndarray, threshold: float) -> np.ndarray:
    return np.abs(values) > threshold * np.sqrt((values**2).mean(1, keepdims=True))


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "phi"])
def test_rates_are_counts_of_what_enters_the_down_projection(family: str) -> None:
    model = tiny(family)
    theirs = {name: [entering(model, DOWN[family], ids) for ids in texts] for name, texts in DOMAINS.items()}

    with left_as_it_was(model):
        found = Garage(model).neurons(
            {name: _padded(texts) for name, texts in DOMAINS.items()}, layers="ffn_1", threshold=0.8
        )

    layer = found.layers["ffn_1"]
    fired = {name: np.concatenate([loud(one, 0.8) for one in each]) for name, each in theirs.items()}
    for place, name in enumerate(DOMAINS):
        assert found.tokens[name] == len(fired[name])
        np.testing.assert_array_equal(layer.rates[place].numpy(), fired[name].sum(0) / len(fired[name]))
    together = np.concatenate(list(fired.values()))
    np.testing.assert_array_equal(layer.rate.numpy(), together.sum(0) / len(together))
    assert layer.dead == np.flatnonzero(~together.any(0)).tolist()
    assert layer.always_on == np.flatnonzero(together.mean(0) >= 0.95).tolist()
    values = np.concatenate([one for each in theirs.values() for one in each])
    ids = [token for texts in DOMAINS.values() for text in texts for token in text]
    for number in (0, 7, 31):
        best = np.argsort(-np.abs(values[:, number]), kind="stable")[:5]
        assert [value for _, value in found.top(f"ffn_1.neuron_{number}")] == pytest.approx(
            values[best, number].tolist(), rel=1e-5
        )
        assert found.top(f"ffn_1.neuron_{number}")[0][0] == str(ids[best[0]])


def test_an_encoder_is_counted_over_the_prompt_and_not_with_the_decoder() -> None:
    model = build(Entry("seq2seq", "t5", "T5ForConditionalGeneration"))
    garage, started = Garage(model), torch.zeros(1, 1, dtype=torch.long)
    theirs = np.concatenate(
        [loud(entering(model, DOWN["t5"], ids, decoder_input_ids=started), 1.0) for ids in DOMAINS["odd"]]
    )

    found = garage.neurons(_padded(DOMAINS["odd"]), layers="encoder_ffn_1")

    assert found.tokens == {"texts": sum(map(len, DOMAINS["odd"]))}
    np.testing.assert_array_equal(found.layers["encoder_ffn_1"].rate.numpy(), theirs.mean(0))
    with pytest.raises(InputError, match="encoder and of the decoder read different tokens"):
        garage.neurons(_padded(DOMAINS["odd"]), layers="encoder_ffn_1,ffn_1")


def _padded(texts: list[list[int]]) -> dict[str, list[list[int]]]:
    """On the left, where positions have to be counted from the first token."""
    longest = max(map(len, texts))
    return {
        "input_ids": [[0] * (longest - len(text)) + text for text in texts],
        "attention_mask": [[0] * (longest - len(text)) + [1] * len(text) for text in texts],
    }


def test_padding_makes_no_difference(llama: Any) -> None:
    garage = Garage(llama)
    by_side = []
    for left in (True, False):
        texts = {name: _padded(each) for name, each in DOMAINS.items()}
        if not left:
            texts = {
                name: {key: [row[::-1] for row in rows] for key, rows in _padded([t[::-1] for t in each]).items()}
                for name, each in DOMAINS.items()
            }
        by_side.append(garage.neurons(texts, seed=1).frame())

    assert by_side[0].equals(by_side[1])


def test_a_relu_that_never_opens_is_dead() -> None:
    model = build(Entry("causal", "opt", "OPTForCausalLM"))
    with torch.no_grad():
        model.model.decoder.layers[1].fc1.weight[5] = 0
        model.model.decoder.layers[1].fc1.bias[5] = -1
        model.model.decoder.layers[1].fc1.weight[6] = 0
        model.model.decoder.layers[1].fc1.bias[6] = 50

    found = Garage(model).neurons([[3, 1, 4, 1, 5]], layers="ffn_1")

    assert "ffn_1.neuron_5" in found.dead()
    assert "ffn_1.neuron_6" in found.always_on()
    assert [value for _, value in found.top("ffn_1.neuron_5")] == [0] * 5
    assert math.isnan(found.layers["ffn_1"].index[5])


@pytest.mark.parametrize(
    ("rates", "expected"), [([[1.0], [0.0], [0.0]], 1), ([[0.3], [0.3], [0.3]], 0), ([[0.6], [0.2], [0.4]], 1 / 3)]
)
def test_the_index_of_known_rates(rates: list[list[float]], expected: float) -> None:
    assert index(torch.tensor(rates, dtype=torch.float64)).tolist() == pytest.approx([expected])


def test_the_index_is_not_defined_for_one_domain_or_no_firing() -> None:
    assert index(torch.tensor([[0.5]])).isnan().all()
    assert index(torch.zeros(3, 1)).isnan().all()


def test_chance_is_the_share_of_relabelled_prompts_that_do_as_well() -> None:
    """Against a loop; with a neuron that knows its domain, one that does not, and one that never fires."""
    generator = np.random.default_rng(0)
    labels = [0] * 8 + [1] * 8
    lengths = generator.integers(3, 9, 16)
    fired = np.stack([np.where(np.array(labels) == 0, lengths, 0), generator.integers(0, 3, 16), np.zeros(16, int)], 1)
    tally = Tally(labels, 2, 3, 99, seed=4)
    for row, length in zip(fired, lengths, strict=True):
        tally.add(torch.tensor(row), int(length))
    tally.settle()

    def told(order: np.ndarray) -> np.ndarray:
        rates = np.stack([fired[order == domain].sum(0) / lengths[order == domain].sum() for domain in (0, 1)])
        with np.errstate(invalid="ignore"):
            return (rates.max(0) - rates.min(0)) / rates.sum(0)

    truth = told(np.array(labels))
    drawn = np.stack([told(row.numpy()) for row in tally.labels[1:]])
    expected = (1 + (drawn >= truth - 1e-12).sum(0)) / 100
    assert sorted(tally.labels[17].tolist()) == labels
    assert tally.chance()[:2].tolist() == expected[:2].tolist()
    assert tally.chance()[0] == 0.01
    assert tally.chance()[1] > 0.05
    assert tally.chance()[2].isnan()


def test_domains_given_at_random_are_preferred_no_more_than_chance_says() -> None:
    """The null: tokens of both domains are drawn alike, so about one neuron in twenty has p ≤ 0.05."""
    drawn = torch.randint(3, 64, (40, 6), generator=torch.Generator().manual_seed(0)).tolist()
    garage = Garage(tiny("llama"))

    found = garage.neurons({"a": drawn[:20], "b": drawn[20:]}, relabellings=100)

    p = torch.cat([layer.p for layer in found.layers.values()])
    p = p[~p.isnan()]
    assert len(p) > 150
    assert 0.2 < float((p <= 0.5).double().mean()) < 0.8
    assert float((p <= 0.05).double().mean()) < 0.15


def test_domains_of_other_tokens_are_told_apart() -> None:
    found = Garage(tiny("llama")).neurons({name: _padded(each * 3) for name, each in DOMAINS.items()}, relabellings=100)

    preferring = found.specialised("odd")
    assert len(preferring) > 10
    frame = found.frame()
    part, _, number = preferring[0].partition(".neuron_")
    row = frame.loc[(part, int(number))]
    assert row["favourite"] == "odd"
    assert row["rate_odd"] > row["rate_even"]
    assert row["p"] <= 0.05
    assert row["index"] == max(frame["index"][(frame["p"] <= 0.05) & (frame["favourite"] == "odd")])


def test_the_seed_decides_and_nothing_else(llama: Any) -> None:
    garage, random = Garage(llama), torch.get_rng_state()

    same = [garage.neurons(DOMAINS_AS_PROMPTS, seed=3).frame() for _ in range(2)]

    assert same[0].equals(same[1])
    assert not same[0]["p"].equals(garage.neurons(DOMAINS_AS_PROMPTS, seed=4).frame()["p"])
    assert torch.equal(torch.get_rng_state(), random)


DOMAINS_AS_PROMPTS = {name: _padded(texts) for name, texts in DOMAINS.items()}


def test_special_tokens_are_left_out() -> None:
    garage = Garage("showroom")
    texts = ["The capital of France is", "The capital of Spain is"]

    found = garage.neurons(texts, layers="0")

    assert found.tokens == {"texts": sum(len(garage.tokenizer(text)["input_ids"]) - 1 for text in texts)}
    assert not set(found.texts.values()) & set(garage.tokenizer.all_special_tokens)


def test_the_recipe_in_force_is_read(llama: Any) -> None:
    garage = Garage(llama)
    garage.mask("ffn_1", drop="5")
    garage.scale("layer_1", 0.1)

    found = garage.neurons(DOMAINS_AS_PROMPTS, threshold=0.0)

    assert found.dead() == ["ffn_1.neuron_5"]
    assert found.layers["ffn_0"].rate.min() > 0


def test_what_is_kept_does_not_grow_with_the_prompts() -> None:
    sizes = []
    for prompts in (64, 640):
        tally = Tally([0, 1] * (prompts // 2), 2, 50, 20, 0)
        for _ in range(prompts):
            tally.add(torch.ones(50, dtype=torch.long), 3)
        sizes.append((tally.fired.numel(), len(tally._waiting)))
        assert tally.rates().tolist() == [pytest.approx([1 / 3] * 50)] * 2

    assert sizes[0] == sizes[1]


def test_what_cannot_be_counted_is_refused(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    garage = Garage(llama)

    with pytest.raises(InputError, match="no neurons"):
        garage.neurons([[1, 2]], layers="attention_0")
    with pytest.raises(InputError, match="inside experts"):
        Garage(tiny("mixtral")).neurons([[1, 2]])
    with pytest.raises(InputError, match="No prompts"):
        garage.neurons({})
    with pytest.raises(InputError, match="no threshold"):
        garage.neurons([[1, 2]], threshold=-1)
    with pytest.raises(InputError, match="cannot be drawn"):
        garage.neurons([[1, 2]], relabellings=-1)
    found = garage.neurons([[1, 2]])
    with pytest.raises(InputError, match="There are: texts"):
        found.specialised("law")
    with pytest.raises(UnknownPartError, match="Nearest"):
        found.top("ffn_0.neuron_64")
    with pytest.raises(InputError, match="There are: rate"):
        found.plot("index")
    monkeypatch.setattr("garage_nb.analyze.neurons.neurons.BUDGET", 100)
    with pytest.raises(InputError, match="Name fewer layers"):
        neurons(garage.lifted, [[1, 2]])


def test_it_can_be_drawn_and_told() -> None:
    found = Garage(tiny("gpt2")).neurons(DOMAINS_AS_PROMPTS)

    drawn = found.plot().axes.images[0].get_array()
    assert drawn is not None
    assert drawn.tolist() == [layer.rates.mean(1).tolist() for layer in found.layers.values()]
    shares = found.plot("specialised").axes.images[0].get_array()
    assert shares is not None
    assert sum(shares.tolist()[0]) == pytest.approx(len(found.layers["ffn_0"].specialised) / 128)
    assert "1 rms" in repr(found)
    assert "by chance" in repr(found)
    assert "by chance" not in repr(Garage(tiny("gpt2")).neurons([[1, 2]]))
