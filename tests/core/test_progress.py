"""A bar that a notebook does not keep."""

from __future__ import annotations

import pytest

from garage_nb.core import progress as bars
from garage_nb.core.progress import progress


def test_it_is_text_on_stderr_and_gone_when_it_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "LEAST", 0)

    with progress("measuring", "run", 3) as bar:
        bar.update(3)
        bar.refresh()
    said = capsys.readouterr()

    assert said.out == ""
    assert "measuring: 100%" in said.err
    assert said.err.rstrip("\r").rpartition("\r")[2].strip() == ""


def test_what_is_quick_shows_none(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("measuring", "run", 3) as bar:
        bar.update(3)

    assert capsys.readouterr().err == ""
