"""%%garage: a cell that is a prompt, and a cell that runs while something is in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from garage_nb.errors import InputError, UnknownPartError
from tests.families import prompt, tiny
from tests.restored import hooks_on

Run = Callable[[str], Any]
FRANCE = "The capital of France is"


@pytest.fixture
def model(shell: InteractiveShell, run: Run) -> Any:
    made = tiny("llama")
    shell.push({"model": made, "ids": prompt()})
    run("%garage load @model")
    return made


def scaled(model: Any) -> torch.Tensor:
    """The oracle: what the model answers with attention_1 halved by a hook of torch's own."""
    hook = model.model.layers[1].self_attn.register_forward_hook(lambda m, i, out: (out[0] * 0.5, *out[1:]))
    answer = model(prompt()).logits
    hook.remove()
    return answer


def test_the_body_runs_under_the_edit_and_it_is_taken_back(shell: InteractiveShell, run: Run, model: Any) -> None:
    run("%garage scale layer_0 0.25\n%garage undo")
    before = model(prompt()).logits

    shown = run("%%garage scale attention_1 0.5\ninside = model(ids).logits\nrecipe = %garage status\ninside")

    assert torch.equal(shown, shell.user_ns["inside"])
    assert torch.equal(shown, scaled(model))
    assert str(shell.user_ns["recipe"].recipe) == "scale attention_1 0.5"
    assert torch.equal(model(prompt()).logits, before)
    assert hooks_on(model) == {}
    assert str(run("%garage redo").recipe) == "scale layer_0 0.25"


def test_verbs_in_the_body_see_the_edit_once(run: Run) -> None:
    run("%garage load showroom")
    run("%garage scale attention_1 0.5")
    wanted = run(f'%garage compare --prompt "{FRANCE}"')
    run("%garage reset")

    found = run(f'%%garage scale attention_1 0.5\n%garage compare --prompt "{FRANCE}"')

    assert repr(found) == repr(wanted)


def test_without_a_verb_the_recipe_in_force_is(run: Run, model: Any) -> None:
    run("%garage scale attention_1 0.5")

    assert torch.equal(run("%%garage\nmodel(ids).logits"), scaled(model))
    assert str(run("%garage status").recipe) == "scale attention_1 0.5"


def test_reset_runs_the_body_untouched(run: Run, model: Any) -> None:
    run("%garage scale attention_1 0.5")

    assert torch.equal(run("%%garage reset\nmodel(ids).logits"), model(prompt()).logits)
    assert str(run("%garage status").recipe) == "scale attention_1 0.5"


def test_what_the_body_changes_is_taken_back_too(run: Run, model: Any) -> None:
    run("%%garage scale attention_1 0.5\n%garage scale layer_0 2")

    assert run("%garage status").recipe.edits == ()


@pytest.mark.parametrize(
    ("body", "shown"),
    [("1 + 1", 2), ("1 + 1;", None), ("1 + 1  # ; why", 2), ("x = 3", None), ("def f():\n  return 1", None)],
)
def test_the_last_expression_is_the_answer(run: Run, model: Any, body: str, shown: Any) -> None:
    assert run(f"%%garage scale layer_1 0.5\n{body}") == shown


def test_the_body_is_a_cell_like_any_other(shell: InteractiveShell, run: Run, model: Any) -> None:
    run("%%garage scale layer_1 0.5\nfor n in range(3):\n    pass\nwho = %who_ls int\n!true\n{'n': n}")

    assert "n" in shell.user_ns["who"]
    assert shell.user_ns["_exit_code"] == 0


def test_a_body_that_fails_fails_once_and_is_taken_back(
    shell: InteractiveShell, run: Run, model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = model(prompt()).logits

    result = shell.run_cell("%%garage scale layer_1 0.5\nz = 0\n1 / z")

    shown = capsys.readouterr().out
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert shown.count("ZeroDivisionError: ") == 1
    assert "----> 2 1 / z" in shown
    assert "magics" not in shown
    assert torch.equal(model(prompt()).logits, before)
    assert run("%garage status").recipe.edits == ()


@pytest.mark.parametrize("body", ["await thing()", "async with a:\n    pass", "[x async for x in y]"])
def test_a_body_that_awaits_is_refused_in_words(run: Run, model: Any, body: str) -> None:
    with pytest.raises(InputError, match="awaits"):
        run(f"%%garage scale layer_1 0.5\n{body}")
    assert hooks_on(model) == {}


def test_a_coroutine_of_its_own_is_fine(run: Run, model: Any) -> None:
    assert run("%%garage scale layer_1 0.5\nasync def wait():\n    await other()\n1") == 1


def test_an_edit_that_is_refused_keeps_the_body_from_running(shell: InteractiveShell, run: Run, model: Any) -> None:
    with pytest.raises(UnknownPartError):
        run("%%garage scale layer_99 0.5\nran = True")

    assert "ran" not in shell.user_ns


PROMPTS = [
    "two\nlines",
    "{n} {} $n @n -v n # no comment; 'open",
    r"$\frac{1}{2}$ \\",
    "  padded  ",
    "--tokens 5",
    "\n\nlate",
]


@pytest.mark.parametrize("text", PROMPTS)
def test_a_cell_is_a_prompt_byte_for_byte(shell: InteractiveShell, run: Run, text: str) -> None:
    shell.push({"n": 3})
    run("%garage load showroom")

    assert shell.run_cell_magic("garage", "generate --tokens 1", text + "\n").prompt == text
    assert run(f"%%garage generate --tokens 1\n{text}").prompt == text


def test_a_cell_is_filled_when_asked(shell: InteractiveShell, run: Run) -> None:
    shell.push({"country": "France"})
    run("%garage load showroom")

    said = run("%%garage generate --tokens 2 --fmt\nThe capital of {country} is")

    assert repr(said) == repr(run(f'%garage generate "{FRANCE}" --tokens 2'))


def test_the_answer_is_kept_where_it_is_asked_for(shell: InteractiveShell, run: Run) -> None:
    run("%garage load showroom")

    assert run(f"%%garage capture --layers 0 --as shots\n{FRANCE}") is None
    assert run(f'%garage generate "{FRANCE}" --tokens 1 --as said') is None
    assert run("%%garage scale layer_0 0.5 --as seven\n3 + 4") is None

    assert list(shell.user_ns["shots"]) == ["layer_0"]
    assert shell.user_ns["said"].prompt == FRANCE
    assert shell.user_ns["seven"] == 7


@pytest.mark.parametrize("line", ["--as", "status --as 3x", "status --as --debug"])
def test_a_name_that_is_none_is_refused(run: Run, model: Any, line: str) -> None:
    with pytest.raises(InputError, match="--as needs the name of a variable"):
        run(f"%garage {line}")


@pytest.mark.parametrize("cell", ["%%garage parts\nlayer_1", "%%garage load showroom\n1"])
def test_a_verb_without_use_for_a_cell_says_so(run: Run, model: Any, cell: str) -> None:
    with pytest.raises(InputError, match="has no use for a cell"):
        run(cell)


def test_an_empty_cell_is_refused(shell: InteractiveShell, model: Any) -> None:
    with pytest.raises(InputError, match="nothing in the cell"):
        shell.run_cell_magic("garage", "scale layer_0 0.5", " ")


def test_a_model_brought_in_by_the_body_stays_and_starts_untouched(run: Run, model: Any) -> None:
    run("%garage scale layer_0 0.25")

    run("%%garage scale layer_1 0.5\n%garage load showroom")

    assert run("%garage status").recipe.edits == ()
