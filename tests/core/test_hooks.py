"""HookManager, and how its hooks stand beside those of the user and of other threads."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
import torch

from garage_nb.core.attach import sweep
from garage_nb.core.hooks import HookManager
from garage_nb.errors import EditError, HookError, InputError, UnknownPartError, UnsupportedModelError
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt, tiny
from tests.restored import hooks_on, left_as_it_was, logits_of

H1 = "transformer.h.1"


def test_what_leaves_and_enters_is_captured(gpt2: Any) -> None:
    with torch.no_grad():
        expected = gpt2(prompt(), output_hidden_states=True).hidden_states

    with HookManager(gpt2) as hooks:
        name = hooks.register_capture_hook(H1, capture_input=True)
        logits_of(gpt2)

    assert name == H1
    captured = hooks.get_captured(H1)
    assert torch.equal(captured["output"], expected[2])
    assert torch.equal(captured["input"], expected[1])


def test_the_block_leaves_nothing_behind(gpt2: Any) -> None:
    with left_as_it_was(gpt2), HookManager(gpt2) as hooks:
        hooks.register_capture_hook(H1, hook_name="h1", capture_input=True)
        hooks.register_injection_hook(H1, torch.zeros_like)
        logits_of(gpt2)
        assert hooks.list_hooks() == ["h1", H1]


def test_an_injection_replaces_and_a_capture_sees_it_whichever_came_first(gpt2: Any) -> None:
    with HookManager(gpt2) as hooks:
        hooks.register_capture_hook(H1, "before")
        hooks.register_injection_hook(H1, torch.ones_like, "one")
        hooks.register_capture_hook(H1, "after")
        logits_of(gpt2)

    assert torch.equal(hooks.get_captured("before")["output"], torch.ones(1, 10, 32))
    assert torch.equal(hooks.get_captured("after")["output"], torch.ones(1, 10, 32))


def test_a_plain_hook_gets_what_torch_gives_and_a_capture_sees_its_answer(gpt2: Any) -> None:
    seen: list[Any] = []

    def double(module: Any, args: Any, output: Any) -> Any:
        seen.append((module, args[0].shape))
        return output * 2

    bare = SnapshotCapture(gpt2).run(prompt(), layers=[H1], keep=True)[H1].hidden
    with HookManager(gpt2) as hooks:
        hooks.register_capture_hook(H1, "h1")
        hooks.register_forward_hook(H1, double, "double")
        logits_of(gpt2)

    assert seen == [(gpt2.transformer.h[1], (1, 10, 32))]
    assert torch.equal(hooks.get_captured("h1")["output"], bare * 2)


def test_a_removed_hook_is_gone_and_its_name_free(gpt2: Any) -> None:
    hooks = HookManager(gpt2)
    hooks.register_injection_hook(H1, torch.zeros_like, "zero")
    bare_differs = logits_of(gpt2)
    hooks.remove_hook("zero")

    with left_as_it_was(gpt2):
        hooks.register_injection_hook(H1, torch.zeros_like, "zero")
        assert torch.equal(logits_of(gpt2), bare_differs)
        hooks.remove_all()

    assert hooks.list_hooks() == []


def test_mistakes_are_said(gpt2: Any) -> None:
    with left_as_it_was(gpt2), HookManager(gpt2) as hooks:
        hooks.register_capture_hook(H1, "h1")
        with pytest.raises(InputError, match="'h1' is set already"):
            hooks.register_capture_hook(H1, "h1")
        with pytest.raises(UnknownPartError, match=r"transformer\.h\.9"):
            hooks.register_capture_hook("transformer.h.9")
        with pytest.raises(HookError, match="has not fired"):
            hooks.get_captured("h1")
        with pytest.raises(HookError, match="No capture hook 'h2'"):
            hooks.get_captured("h2")
        with pytest.raises(HookError, match="No hook 'h2'"):
            hooks.remove_hook("h2")
        assert hooks.list_hooks() == ["h1"]


@pytest.mark.parametrize("wrong", [lambda h: h[..., :3], lambda h: None, lambda h: 3.0])
def test_an_answer_of_another_shape_is_refused(gpt2: Any, wrong: Any) -> None:
    with left_as_it_was(gpt2), HookManager(gpt2) as hooks:
        hooks.register_injection_hook(H1, wrong)
        with pytest.raises(EditError, match=r"transformer\.h\.1"):
            logits_of(gpt2)


def test_an_answer_in_another_dtype_is_taken_back(gpt2: Any) -> None:
    with HookManager(gpt2) as hooks:
        hooks.register_injection_hook(H1, lambda hidden: hidden.double())
        assert logits_of(gpt2).dtype == torch.float32


def test_hooks_of_the_user_stay_and_are_seen(gpt2: Any) -> None:
    gpt2.transformer.h[1].register_forward_hook(lambda module, args, output: output * 3)
    gpt2.transformer.h[1].register_forward_pre_hook(lambda module, args: (args[0] + 1, *args[1:]))
    gpt2.transformer.h[0].mlp.c_proj.register_forward_pre_hook(lambda module, args: (args[0] * 0,))

    with left_as_it_was(gpt2):
        snapshots = SnapshotCapture(gpt2).run(prompt(), layers="layer_0,layer_1,ffn_0.neurons", keep=True)
        assert sweep(gpt2) == 0

    recorded: dict[str, Any] = {}
    gpt2.transformer.h[1].register_forward_hook(lambda module, args, output: recorded.update(out=output, into=args[0]))
    logits_of(gpt2)
    assert torch.equal(snapshots["layer_1"].hidden, recorded["out"])
    assert torch.equal(snapshots["layer_0"].hidden + 1, recorded["into"])
    assert not snapshots["ffn_0.neurons"].hidden.any()


def test_writers_come_before_the_users_hooks_in_the_order_they_were_opened(gpt2: Any) -> None:
    order: list[str] = []

    def noting(name: str) -> Any:
        return lambda hidden: order.append(name) or hidden

    gpt2.transformer.h[1].register_forward_hook(lambda module, args, output: order.append("user"))
    with HookManager(gpt2) as outer, HookManager(gpt2) as inner:
        outer.register_injection_hook(H1, noting("first"), "a")
        inner.register_injection_hook(H1, noting("second"))
        outer.register_injection_hook(H1, noting("third"), "b")
        logits_of(gpt2)

    assert order == ["first", "second", "third", "user"]


def test_hooks_are_deaf_in_other_threads(gpt2: Any) -> None:
    bare, answers = logits_of(gpt2), []

    with HookManager(gpt2) as hooks:
        hooks.register_injection_hook(H1, torch.zeros_like)
        thread = Thread(target=lambda: answers.append(logits_of(gpt2)))
        thread.start()
        thread.join()
        assert not torch.equal(logits_of(gpt2), bare)

    assert torch.equal(answers[0], bare)


def test_hooks_of_a_dead_thread_stay_deaf(gpt2: Any) -> None:
    """The next thread is often given the same number by the system."""
    bare, answers, hooks = logits_of(gpt2), [], HookManager(gpt2)
    opener = Thread(target=lambda: hooks.register_injection_hook(H1, torch.zeros_like))
    opener.start()
    opener.join()

    for _ in range(5):
        thread = Thread(target=lambda: answers.append(logits_of(gpt2)))
        thread.start()
        thread.join()
    hooks.remove_all()

    assert all(torch.equal(answer, bare) for answer in answers)
    assert hooks_on(gpt2) == {}


@pytest.mark.parametrize("inside", [False, True])
def test_compiled_models_are_refused(inside: bool) -> None:
    model = tiny("gpt2", layers=1)
    if inside:
        model.transformer.h[0].compile(backend="eager")
    compiled = model if inside else torch.compile(model, backend="eager")

    with pytest.raises(UnsupportedModelError, match="compiled"):
        HookManager(compiled).register_capture_hook("transformer.h.0" if inside else "_orig_mod.transformer.h.0")
