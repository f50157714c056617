"""A slice is proved, and saved as a hybrid is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.saving import save
from garage_nb.compose.sheet_files import open_sheet
from garage_nb.compose.slicing.slice import slice_of
from garage_nb.core.fingerprint import AtRest
from garage_nb.errors import BuildError
from garage_nb.registry.lift import lift
from tests.families import saved, tiny

KEPT = {"ffn_0": [0, 5, 9], "ffn_1": [1, 2, 63]}


def test_a_saved_slice_opens_with_plain_transformers_and_says_where_it_comes_from(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = slice_of(lift(saved("llama", tmp_path / "whole", layers=2)), KEPT, {}, "small")

    _, found = save(made, tmp_path / "small")

    again = AutoModelForCausalLM.from_pretrained(tmp_path / "small", trust_remote_code=False).eval()
    ids = torch.tensor([[3, 4, 5, 6]])
    with torch.no_grad():
        assert torch.equal(again(ids).logits, made.model(ids).logits)
    assert again.config.intermediate_size == 3
    assert AutoTokenizer.from_pretrained(tmp_path / "small", trust_remote_code=False)("abc")["input_ids"]
    said = json.loads((tmp_path / "small" / "config.json").read_text())["garage_build"]
    assert said["lines"] == ["ffn_0: 3 of its neurons", "ffn_1: 3 of its neurons"]
    assert found.holds
    card = (tmp_path / "small" / "README.md").read_text()
    assert "tags: [pruned, garage_nb]" in card
    assert "# small\n\n" in card
    assert "made smaller" in card
    assert "```\nffn_0: 3 of its neurons\nffn_1: 3 of its neurons\n```" in card
    assert not re.search("sheet|merge|put together", card, re.IGNORECASE)


def test_a_slice_has_no_sheet_and_says_how_it_is_opened(tmp_path: Path) -> None:
    place, _ = save(slice_of(lift(tiny("gpt2", layers=2)), KEPT, {}), tmp_path / "small")

    said = r"small holds .* with less in it, and no build sheet.*\n.*load .*small\."
    with pytest.raises(BuildError, match=said) as caught:
        open_sheet(place)

    assert str(caught.value).count("\n") == 1


def test_nobodys_files_are_written_over(tmp_path: Path) -> None:
    made = slice_of(lift(tiny("gpt2", layers=2)), KEPT, {})
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(BuildError, match="holds something that was not built here"):
        save(made, tmp_path)

    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_the_proofs_hold_and_the_donor_is_untouched() -> None:
    model: Any = tiny("gpt2", layers=2)
    before = AtRest.of(model)

    made = slice_of(lift(model), KEPT, {"ffn_0": torch.ones(128)})

    assert made.proofs.ok
    claims = [row.claim for row in made.proofs.rows]
    assert claims[0] == "sliced = masked"
    assert "donors untouched" in claims
    assert AtRest.of(model) == before
