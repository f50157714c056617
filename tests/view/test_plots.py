"""Plots show every value they were given."""

from __future__ import annotations

from garage_nb.view.plots import line


def test_a_second_line_may_be_higher_and_amounts_stand_on_zero() -> None:
    names = ["layer_0", "layer_1"]

    ax = line(names, [1.0, 2.0], label="norm")
    line(names, [1.0, 50.0], label="norm", ax=ax)

    low, high = ax.get_ylim()
    assert low == 0
    assert high > 50
