"""Marks against answers read one text at a time, and ways to answer against transformers' own forward."""

from __future__ import annotations

import pytest
import torch

from garage_nb.analyze.judging.exercise import Exercise
from garage_nb.analyze.judging.sheets import ROOM
from garage_nb.inject.edits import Scale
from garage_nb.methods.studies.answering import alone, ensemble, merged
from garage_nb.methods.studies.choosing import chosen
from garage_nb.methods.studies.papers import Papers
from tests.methods.blades.grounds import asked, live, log_probs

FAMILIES = ["llama", "gpt2", "mixtral"]
ITEMS = [*asked("near", 1, 5, 7), Exercise(ways=(("w9 w4", " w5"),), domain="near")]  # of unlike length


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("edits", [(), (Scale("layer_1", 0.5),)], ids=["plain", "scaled"])
def test_log_probabilities_are_those_of_one_text_at_a_time(family: str, edits: tuple[Scale, ...]) -> None:
    lifted = live(family)

    found = Papers.of(lifted, ITEMS).marked(alone(lifted, *edits))

    assert torch.allclose(found.log_probs, log_probs(lifted, ITEMS, *edits), atol=1e-4)


def test_an_item_is_right_when_every_token_of_its_answer_is_the_likeliest() -> None:
    """Its answers are made by the model itself, and one of them is spoilt."""
    lifted = live("llama")
    made = []
    for one in ITEMS[:4]:
        ids = lifted.tokenizer(one.ways[0][0])["input_ids"]
        for _ in range(2):
            with torch.no_grad():
                ids = [*ids, int(lifted.model(torch.tensor([ids])).logits[0, -1].argmax())]
        answer = "".join(f" w{word}" for word in ids[-2:])
        made.append(Exercise(ways=((one.ways[0][0], answer),), domain="near"))
    wrong = made[2].ways[0][1].split()
    made[2] = Exercise(ways=((made[2].ways[0][0], f" {wrong[0]} w{(int(wrong[1][1:]) + 1) % 60}"),), domain="near")

    found = Papers.of(lifted, made).marked(alone(lifted))

    assert found.right.tolist() == [True, True, False, True]


def test_of_several_ways_the_likeliest_counts() -> None:
    lifted = live("gpt2")
    ways = [Exercise(ways=(("w9 w4", f" w{word}"),), domain="near") for word in (5, 20, 31)]
    both = Exercise(ways=tuple(one.ways[0] for one in ways), domain="near")

    found = Papers.of(lifted, [both]).marked(alone(lifted))

    assert float(found.log_probs[0]) == pytest.approx(float(log_probs(lifted, ways).max()), abs=1e-4)


def test_an_ensemble_is_the_mean_of_logits() -> None:
    several = [live("llama"), live("llama", 1)]
    papers = Papers.of(several[0], ITEMS)

    found = papers.marked(ensemble(several))

    expected = []
    for one in ITEMS:
        prompt, answer = (several[0].tokenizer(part)["input_ids"] for part in one.ways[0])
        with torch.no_grad():
            mean = sum(each.model(torch.tensor([prompt + answer])).logits[0].double() for each in several) / 2
        chances = mean.log_softmax(-1)
        expected.append(sum(chances[len(prompt) + at - 1, word] for at, word in enumerate(answer)))
    assert torch.allclose(found.log_probs, torch.stack(expected), atol=1e-4)


def test_an_ensemble_is_of_the_tokens_that_all_know_and_is_no_coarser_than_float32() -> None:
    """Tables of one tokenizer are padded to unlike lengths, as those of Qwen 2.5 are."""
    short, long, half = live("llama"), live("llama", 1, vocab_size=80), live("llama", 2)
    half.model.bfloat16()
    batch = Papers.of(short, ITEMS).batches[0]
    with torch.no_grad():
        a, b, c = (one.model(batch.input_ids, batch.attention_mask).logits.float() for one in (short, long, half))

    for several in ([short, long, half], [half, long, short]):
        found = ensemble(several)(batch)

        assert found.dtype == torch.float32
        torch.testing.assert_close(found, (a + b[..., :64] + c) / 3, atol=1e-4, rtol=1e-4)


def test_sheets_have_room_for_the_logits_of_a_large_vocabulary() -> None:
    lifted, items = live("llama", vocab_size=200_000), asked("near", 1, 30, 7)

    papers = Papers.of(lifted, items)

    assert len(papers.batches) > 1
    assert all(batch.input_ids.numel() * 200_000 * 4 <= ROOM for batch in papers.batches)
    assert torch.allclose(papers.marked(alone(lifted)).log_probs, log_probs(lifted, items), atol=1e-4)


def test_a_merge_is_so_much_of_either_and_leaves_both() -> None:
    target, source = live("llama"), live("llama", 1)
    before = [weight.clone() for one in (target, source) for weight in one.model.state_dict().values()]

    found = merged(target, source, 0.25)

    after = [weight for one in (target, source) for weight in one.model.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    for name, weight in found.model.state_dict().items():
        ours, theirs = (one.model.state_dict()[name] for one in (target, source))
        assert torch.allclose(weight, 0.75 * ours + 0.25 * theirs, atol=1e-6)


def test_the_best_has_the_likeliest_answers_and_the_first_of_equals() -> None:
    first, other = live("llama"), live("llama", 1)
    means = [float(log_probs(one, ITEMS).mean()) for one in (first, other)]
    best = "first" if means[0] > means[1] else "other"

    several = [("first", alone(first)), ("other", alone(other))]

    assert chosen(several, first, ITEMS) == best
    assert chosen([("a", alone(first)), ("b", alone(first))], first, ITEMS) == "a"
