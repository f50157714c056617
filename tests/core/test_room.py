"""Room: sizes as they are said, and a refusal that says both of them."""

from __future__ import annotations

import pytest

from garage_nb.core.room import demand_room, sized
from garage_nb.errors import InputError


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1024, "1.0 KiB"),
        (1 << 29, "512.0 MiB"),
        (3 << 29, "1.5 GiB"),
        (1 << 50, "1,024.0 TiB"),
    ],
)
def test_sizes_are_said_in_the_nearest_unit(count: int, said: str) -> None:
    assert sized(count) == said


def test_what_is_within_the_budget_passes_and_what_is_beyond_is_told() -> None:
    demand_room("Ten of them", 1 << 30, 1 << 30, "Ask for fewer.")

    with pytest.raises(InputError) as caught:
        demand_room("Ten of them", 3 << 29, 1 << 30, "Ask for fewer.")

    assert str(caught.value) == "Ten of them take 1.5 GiB, more than 1.0 GiB.\nAsk for fewer."
