"""What `compare` shows of two models without a prompt."""

from __future__ import annotations

import pytest

from garage_nb.garage import Garage
from garage_nb.registry.compare import Compatibility
from tests.families import tiny


@pytest.fixture(scope="module")
def fit() -> Compatibility:
    found = Garage(tiny("gpt2")).compare(tiny("llama"))
    assert isinstance(found, Compatibility)
    return found


def test_it_lists_every_kind_of_part(fit: Compatibility) -> None:
    frame = fit.frame()

    assert list(frame.columns[:3]) == ["verdict", "adapter", "reason"]
    assert set(frame.loc[["position_embedding", "rotary_emb"], "verdict"]) == {"does not fit"}
    assert fit["compatible_parts"] == []


def test_it_shows_itself_as_text_and_as_a_page(fit: Compatibility) -> None:
    for part in fit.frame().index:
        assert f"  {part} " in repr(fit)
        assert f"<dt>{part}</dt>" in fit._repr_html_()
    assert "another ffn" in " ".join(repr(fit).split())  # it may stand on two lines
