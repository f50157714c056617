"""The command's help: as wide as the terminal, with every verb a command can be."""

from __future__ import annotations

import pytest

from garage_nb.command.manual import manual
from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.verbs import verbs_of

VERBS = verbs_of(Garage)


@pytest.mark.parametrize("columns", [60, 80, 100])
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_no_line_is_wider_than_the_terminal(verb: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    page = manual(verb)

    assert max(map(len, page.splitlines())) <= columns
    assert all(line == line.rstrip() for line in page.splitlines())


def test_it_lists_what_a_command_can_do_and_how_it_ends() -> None:
    page = manual()
    listed = page.partition("\nVerbs\n")[2].partition("\n\n")[0]
    starts = {line.split()[0] for line in listed.splitlines() if line[2] != " "}

    assert starts == {name for name, entry in VERBS.items() if not entry.session} | {"load", "demo"}
    assert "  scale, add, " in page.partition("\nEdits\n")[2]
    for code in ("0 ", "1 ", "2 ", "130 "):
        assert f"\n  {code}" in page


def test_a_verbs_page_names_the_model_and_every_argument() -> None:
    page = manual("capture")

    assert page.startswith("garage capture MODEL PROMPT [--layers all]")
    assert "Also: analyze." in page
    for name in ("MODEL", "prompt", "layers", "keep", "tau"):
        assert f"\n  {name} " in page
    assert manual("analyze") == page


def test_an_unknown_verb_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no verb 'captrue'.*\nNearest: capture"):
        manual("captrue")
