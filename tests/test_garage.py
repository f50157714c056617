"""Garage: the verbs as Python methods. Numbers are checked elsewhere; here, what a session keeps and refuses."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.errors import EditError, GarageError, InputError, ModelNotFoundError, UnknownPartError
from garage_nb.garage import Garage
from tests.families import prompt, tiny
from tests.restored import hooks_on, left_as_it_was, logits_of


@pytest.fixture
def garage(llama: Any) -> Garage:
    return Garage(llama)


def test_an_empty_lift_says_what_to_load() -> None:
    garage = Garage()

    assert not garage.loaded
    assert "load showroom" in repr(garage)
    with pytest.raises(GarageError, match=r"no model on the lift.*\n.*showroom"):
        garage.capture("Hi")


@pytest.mark.parametrize("source", ["/no/such/folder", 3, torch.nn.Linear(2, 2), ""])
def test_a_load_that_fails_leaves_the_former_model_and_recipe(garage: Garage, source: Any) -> None:
    garage.scale("layer_1", 0.5)
    former, recipe = garage.model, garage.edits

    with pytest.raises(GarageError):
        garage.load(source)

    assert garage.model is former
    assert garage.edits is recipe


def test_a_load_that_works_starts_with_an_empty_history(garage: Garage) -> None:
    garage.scale("layer_1", 0.5)

    assert garage.load(tiny("gpt2")) is garage
    assert len(garage.edits) == 0
    with pytest.raises(EditError, match="nothing to undo"):
        garage.undo()


def test_a_model_taken_off_the_lift_is_given_back() -> None:
    garage = Garage(tiny("gpt2"))
    garage.scale("layer_0", 0.5)
    garage.capture([1, 2], keep=True)
    former = weakref.ref(garage.model)

    garage.load(tiny("gpt2", seed=1))
    gc.collect()

    assert former() is None


def test_several_places_are_one_step_for_undo(garage: Garage) -> None:
    garage.scale("attention_*", 0)
    garage.add("layer_0", 1.5)

    assert [edit.at for edit in garage.edits] == ["attention_0", "attention_1", "attention_2", "layer_0"]
    garage.undo()
    garage.undo()
    assert len(garage.edits) == 0
    assert len(garage.redo().recipe) == 3


def test_reset_is_a_step_that_undo_takes_back(garage: Garage) -> None:
    garage.scale("layer_0", 0.5)

    assert len(garage.reset().recipe) == 0
    assert len(garage.undo().recipe) == 1


BAD_EDITS = {
    "nan": lambda garage: garage.scale("layer_0", float("nan")),
    "infinity": lambda garage: garage.scale("layer_0", float("inf")),
    "text for a factor": lambda garage: garage.scale("layer_0", "half"),
    "nothing for a factor": lambda garage: garage.scale("layer_0", None),
    "nan added": lambda garage: garage.add("layer_0", "nan"),
    "infinite direction": lambda garage: garage.add("layer_0", torch.tensor([1.0, float("inf")])),
    "list added": lambda garage: garage.add("layer_0", [1, 2]),
    "nan of noise": lambda garage: garage.noise("layer_0", float("nan")),
    "seed too large": lambda garage: garage.noise("layer_0", 0.1, seed=2**64),
    "seed of text": lambda garage: garage.noise("layer_0", 0.1, seed="a"),
    "a text to pass through": lambda garage: garage.through("layer_0", "lin"),
    "one wrong place of two": lambda garage: garage.scale(["layer_0", "layer_9"], 0.5),
}


@pytest.mark.parametrize("case", BAD_EDITS)
def test_an_edit_that_cannot_work_is_refused_before_it_is_in_force(garage: Garage, case: str) -> None:
    before = garage.scale("layer_1", 0.5).history

    with pytest.raises((EditError, InputError, UnknownPartError)) as caught:
        BAD_EDITS[case](garage)

    assert str(caught.value).count("\n") == 1
    assert garage.history is before


def test_two_captures_under_one_recipe_are_the_same_and_leave_the_model_alone(garage: Garage) -> None:
    garage.scale("attention_1", 0)
    garage.noise("layer_0", 0.3, seed=4)

    with left_as_it_was(garage.model):
        first, second = garage.capture(prompt()), garage.capture(prompt())

    assert first.frame().equals(second.frame())
    assert first.changed == {"layer_0"}


@pytest.mark.parametrize("tau", [-0.1, float("nan"), float("inf")])
def test_a_threshold_that_is_none_is_refused(garage: Garage, tau: float) -> None:
    with pytest.raises(InputError, match=r"no threshold.*\n.*0\.1"):
        garage.capture(prompt(), tau=tau)


def test_in_force_puts_the_recipe_on_the_users_own_calls_for_the_block(garage: Garage) -> None:
    untouched = logits_of(garage.model)
    garage.scale("layer_1", 0.5)

    with garage.in_force():
        tuned = logits_of(garage.model)

    assert not torch.equal(tuned, untouched)
    assert torch.equal(logits_of(garage.model), untouched)


def test_a_capture_in_one_thread_never_touches_a_forward_in_another(garage: Garage) -> None:
    untouched = logits_of(garage.model)
    inside, done = threading.Event(), threading.Event()

    def wait_halfway(hidden: torch.Tensor) -> torch.Tensor:
        inside.set()
        assert done.wait(30)
        return hidden * 0

    garage.through("layer_0", wait_halfway)
    captured: list[Any] = []
    thread = threading.Thread(target=lambda: captured.append(garage.capture(prompt(), layers="0")))
    thread.start()
    assert inside.wait(30)
    meanwhile = logits_of(garage.model)
    done.set()
    thread.join(30)

    assert torch.equal(meanwhile, untouched)
    assert captured[0]["layer_0"].statistics.exact_zeros == 1
    assert hooks_on(garage.model) == {}


def test_parts_are_values_by_name(garage: Garage) -> None:
    garage.scale("ffn_1", 0.5)

    parts = garage.parts("ffn_*")

    assert list(parts) == ["ffn_0", "ffn_1", "ffn_2"]
    assert parts["ffn_1"].intermediate_dim == 64
    assert parts.changed == {"ffn_1"}


def test_the_plot_under_a_recipe_has_both_lines(garage: Garage) -> None:
    garage.scale("attention_1", 0)

    plot = garage.plot(prompt(), statistic="norm")

    untouched, tuned = (line.get_ydata() for line in plot.axes.get_lines())
    assert list(tuned) == garage.capture(prompt()).values_of("norm")
    assert untouched[0] == tuned[0]
    assert untouched[1] != tuned[1]


def test_the_registry_lists_what_was_added(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("GARAGE_NB_CACHE", str(tmp_path))

    assert "No model" in repr(Garage().registry())
    assert "live model" in repr(Garage(tiny("gpt2")).registry("add"))
    assert "live model" in repr(Garage().registry())


def test_a_missing_model_is_named_with_what_works(garage: Garage) -> None:
    with pytest.raises(ModelNotFoundError, match=r"/no/such.*\n.*showroom"):
        garage.compare("/no/such")


def test_help_for_no_verb_fails_when_asked_and_not_when_shown(garage: Garage) -> None:
    with pytest.raises(InputError, match=r"no verb 'scael'.*\n.*scale"):
        garage.help("scael")


def test_a_plot_is_written_where_it_was_asked_for(garage: Garage, tmp_path: Path) -> None:
    garage.plot(prompt(), save=str(tmp_path / "sparsity.svg"))

    with pytest.raises(InputError, match="cannot be written"):
        garage.plot(prompt(), save=str(tmp_path / "sparsity.exe"))

    assert [file.name for file in tmp_path.iterdir()] == ["sparsity.svg"]
    assert "<svg" in (tmp_path / "sparsity.svg").read_text()


def test_verbs_inside_in_force_apply_the_recipe_once(garage: Garage) -> None:
    garage.scale("layer_1", 0.5)
    shots = garage.capture([[1, 2, 3]], layers="layer_1,layer_2", keep=True)

    with garage.in_force():
        again = garage.capture([[1, 2, 3]], layers="layer_1,layer_2", keep=True)
        inside = logits_of(garage.model)

    assert all(torch.equal(shots[name].hidden, again[name].hidden) for name in shots)
    with garage.in_force():
        assert torch.equal(logits_of(garage.model), inside)


def test_a_trial_is_taken_back_whatever_happens(garage: Garage) -> None:
    garage.scale("layer_0", 2)
    history, before = garage.history, logits_of(garage.model)

    with garage.trial(lambda g: g.scale("layer_1", 0.5)) as same:
        assert same is garage
        assert len(garage.edits) == 2
        assert not torch.equal(logits_of(garage.model), before)
    with pytest.raises(UnknownPartError), garage.trial(lambda g: g.scale("layer_99", 0.5)):
        pytest.fail("the block must not run")

    def interrupted() -> None:
        with garage.trial(lambda g: g.reset()):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert garage.history is history
    assert torch.equal(logits_of(garage.model), before)
    assert hooks_on(garage.model) == {}
