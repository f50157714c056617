"""The help pages are read off the verbs themselves."""

from __future__ import annotations

from garage_nb.garage import Garage
from garage_nb.verbs import verbs_of


def test_the_first_page_lists_every_verb_with_its_summary() -> None:
    page = " ".join(repr(Garage().help()).split())  # a summary may go on below

    for name, entry in verbs_of(Garage).items():
        assert f" {name} {entry.summary} " in page


def test_a_verbs_page_explains_its_arguments_and_its_other_name() -> None:
    page = repr(Garage().help("analyze"))

    assert page.startswith("capture PROMPT [--layers all]")
    assert "  tau     the sparsity threshold, in standard deviations" in page
    assert page.endswith("Also: analyze.")
