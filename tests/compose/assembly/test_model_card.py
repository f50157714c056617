"""README.md: front matter that YAML reads, and text that stays text, whatever donors and hybrids are called."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.model_card import model_card
from garage_nb.compose.assembly.proof import Proof, Proofs
from garage_nb.compose.graft import Stack
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import BuildError
from garage_nb.plain import one_line
from garage_nb.registry.lift import lift
from tests.compose.bench import built, checked, pair
from tests.families import tiny
from tests.hostile import HALF, TEXTS, unseen

MORE = {"yaml": '"\n- evil: 1\n---\n', "backticks": "```\n<b>x</b>\n```", "row": "a | b |\n| - |", "half": HALF}


@pytest.fixture(scope="module")
def made_of() -> dict[str, Any]:
    """What a config says of how its model was built."""
    found: dict[str, Any] = built(pair("llama"), Stack.of("0 b[1]")).model.config.garage_build
    return found


def split(written: str) -> tuple[dict[str, Any], str]:
    """Front matter, and the rest."""
    lines = written.splitlines(keepends=True)
    end = lines.index("---\n", 1)
    assert lines[0] == "---\n"
    return yaml.safe_load("".join(lines[1:end])), "".join(lines[end + 1 :])


@pytest.mark.parametrize("is_slice", [False, True])
@pytest.mark.parametrize("kind", [*TEXTS, *MORE])
def test_hostile_names(made_of: dict[str, Any], kind: str, is_slice: bool) -> None:
    """Of the hybrid or slice, its donors, the places in its grafts, and what was found of them."""
    text = {**TEXTS, **MORE}[kind]
    made = copy.deepcopy(made_of)
    made["sheet"] |= {"name": text, "base": text}
    made["lines"] = [f"swap {text} b"]
    for donor in made["donors"].values():
        donor["model_id"] = text
    if is_slice:
        del made["sheet"]
    proof = Proof(f"{text} untouched", True, text)

    front, rest = split(model_card(Proofs(text, (proof,)), proof, made))

    assert set(front) == {"library_name", "tags", "base_model"}
    assert front["base_model"] == [one_line(text)]
    assert unseen(rest) == []
    outside = (
        re.sub(r"\n```\n.*?\n```\n", "", rest, flags=re.DOTALL)
        .replace("`config.json` holds", "")
        .replace("`garage_build.json` the", "")
    )
    assert not re.search(r"(?<!\\)[<>`]", outside)
    rows = [line for line in rest.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)
    assert len([line for line in rest.splitlines() if line.startswith("#")]) == 1
    assert rest.count("\n```\n") == 2


def test_as_it_is_saved(tmp_path: Path) -> None:
    text = MORE["yaml"] + HALF
    model = tiny("llama")
    model.config._name_or_path = text

    place = build(BuildSheet("a", {"a": lift(model)}, (Stack.of("0 1"),), name=text)).save_pretrained(
        tmp_path / "place"
    )

    front, rest = split((place / "README.md").read_text(encoding="utf-8"))
    assert front["base_model"] == [one_line(text)]
    assert "\nbase a\nstack 0 1\n" in rest
    assert "| reloaded = in memory | logits equal bit for bit |" in rest


@pytest.mark.parametrize("name", ["0", "all", "b[1]", "a,b", "x;y", " b", "b\n", "1:3", "[", "-1"])
def test_a_name_that_no_reference_could_say_is_none_for_a_donor(name: str) -> None:
    donors = pair("llama")

    with pytest.raises(BuildError, match="No donor can be called") as caught:
        build(BuildSheet(name, {name: donors["a"]}))

    assert str(caught.value).count("\n") == 1
    assert checked(donors).ok
