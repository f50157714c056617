"""What a choice tells of the domain: against sums written out, and against choices whose information is known."""

from __future__ import annotations

import math
import random

import pytest
import torch

from garage_nb.analyze.routers.information import Information, Sightings, information


def by_hand(rows: list[tuple[int, int, list[float]]]) -> float:
    """Sum over tokens, domains and experts of p(t, d, e) · log(p(d, e | t) / (p(d | t) · p(e | t)))."""
    whole = sum(sum(choices) for _, _, choices in rows)
    total = 0.0
    for token in {row[0] for row in rows}:
        mine = [row for row in rows if row[0] == token]
        share = sum(sum(choices) for _, _, choices in mine) / whole
        cells: dict[tuple[int, int], float] = {}
        for _, domain, choices in mine:
            for expert, count in enumerate(choices):
                cells[domain, expert] = cells.get((domain, expert), 0.0) + count
        size = sum(cells.values())
        for (domain, expert), count in cells.items():
            of_domain = sum(value for (d, _), value in cells.items() if d == domain) / size
            of_expert = sum(value for (_, e), value in cells.items() if e == expert) / size
            total += share * count / size * math.log(count / size / (of_domain * of_expert)) if count else 0.0
    return total


def seen(rows: list[tuple[int, int, list[float]]]) -> tuple[Sightings, torch.Tensor]:
    """Each row a prompt of its own."""
    tokens, domains, choices = zip(*rows, strict=True)
    counts = torch.tensor(choices, dtype=torch.float64)
    return Sightings(torch.tensor(tokens), torch.arange(len(rows)), counts), torch.tensor(domains)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_sum_written_out(seed: int) -> None:
    rng = random.Random(seed)
    rows = [(rng.randrange(4), rng.randrange(3), [rng.randrange(4) / 2 for _ in range(3)]) for _ in range(40)]
    rows = [(token, domain, choices) for token, domain, choices in rows if sum(choices)]

    found = information(*seen(rows), 0, 0)

    assert found.value == pytest.approx(by_hand(rows), abs=1e-12)
    assert math.isnan(found.floor)
    assert math.isnan(found.p)


def test_a_choice_by_the_domain_tells_all_of_it_and_one_by_the_token_nothing() -> None:
    by_domain = [(token, domain, [float(domain == 0), float(domain == 1)]) for token in range(5) for domain in (0, 1)]
    by_token = [(token, domain, [float(token % 2), 1.0 - token % 2]) for token in range(5) for domain in (0, 1)]

    assert information(*seen(by_domain * 6), 0, 0).value == pytest.approx(math.log(2))
    assert information(*seen(by_token * 6), 0, 0).value == pytest.approx(0, abs=1e-12)


def test_a_token_of_one_domain_alone_tells_nothing() -> None:
    rows = [(domain, domain, [float(domain == 0), float(domain == 1)]) for domain in (0, 1)]

    found = information(*seen(rows * 9), 20, 0)

    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.floor == pytest.approx(0, abs=1e-12)
    assert found.p == 1


def drawn(seed: int, pull: float) -> Information:
    """The expert follows the token, which follows the domain; and with `pull` the domain itself."""
    rng, rows = random.Random(seed), []
    for prompt in range(60):
        domain = prompt % 3
        for _ in range(5):
            token = rng.choice([domain, domain, rng.randrange(6)])
            expert = domain if rng.random() < pull else (token + rng.choice([0, 0, 1])) % 4
            rows.append((token, prompt, domain, expert))
    shares = torch.nn.functional.one_hot(torch.tensor([row[3] for row in rows]), 4)
    tokens, prompts = torch.tensor([row[0] for row in rows]), torch.tensor([row[1] for row in rows])
    each = [Sightings.of(tokens[prompts == one], one, shares[prompts == one]) for one in range(60)]
    return information(Sightings.together(each), torch.arange(60) % 3, 59, seed)


def test_what_is_planted_is_found_and_the_token_alone_is_not_taken_for_it() -> None:
    nothing = [drawn(seed, 0.0) for seed in range(40)]
    planted = [drawn(seed, 0.4) for seed in range(10)]

    assert sum(one.p <= 0.05 for one in nothing) <= 6  # 2 are expected
    assert abs(sum(one.value - one.floor for one in nothing)) / 40 < 0.01
    assert sum(one.floor for one in nothing) / 40 > 0.02  # what a plain estimate would report
    assert all(one.p <= 0.02 and one.value > 1.5 * one.floor for one in planted)


def test_the_same_seed_gives_the_same_floor() -> None:
    assert drawn(3, 0.2) == drawn(3, 0.2)
