"""Everything that can be under way on a model when an interrupt comes, and what must be the same afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import torch

from garage_nb.core.batch import prepare
from garage_nb.core.cancel import cancel_of
from garage_nb.core.generate import generate, streamed
from garage_nb.core.hooks import HookManager
from garage_nb.core.kept import shelf_of
from garage_nb.core.owner import in_own_run
from garage_nb.core.run import logits, read
from garage_nb.core.sites import Read, Write, everywhere
from garage_nb.core.undisturbed import lock_of, recover
from garage_nb.inject.layer import LayerInjector
from garage_nb.registry.decompose import spec_of
from tests.families import prompt, tiny
from tests.restored import hooks_on, logits_of

OPTIONS = {"max_new_tokens": 2, "min_new_tokens": 2, "do_sample": False}
STREAMING = "garage_nb generation"


class Tour:
    """One model, ways to be busy with it, and its baseline."""

    def __init__(self) -> None:
        self.model = tiny("gpt2", layers=3)
        self.model.lm_head.train()  # a flag to lose; without dropout it changes no number
        self.spec, self.batch = spec_of(self.model), prepare(prompt(), self.model)
        self.injector = LayerInjector(self.model)
        self.stops: dict[str, Callable[[], Any]] = {
            "read": partial(self._read),
            "logits": partial(logits, self.model, self.batch, self._taps()),
            "prefix": self._twice,
            "rows": partial(logits, self.model, self.batch, self._taps(), chain=self.spec.chain, rows=2),
            "generate": partial(generate, self.model, self.batch, self._taps(), chain=self.spec.chain, **OPTIONS),
            "stream": self._stream,
            "block": self._block,
            "hooks": self._hooks,
            "held": self._held,
            "users own generate": self._users_generate,
        }
        for stop in self.stops.values():  # whatever is worked out once for a model is worked out here
            stop()
        self.bare, self.hooks, self.random = logits_of(self.model), hooks_on(self.model), torch.get_rng_state()
        self.flags = [module.training for module in self.model.modules()]
        self._elsewhere = ThreadPoolExecutor(1)

    def differences(self) -> list[str]:
        """What is not as it was, once the sweep that comes after every cell has been."""
        for thread in threading.enumerate():
            if thread.name == STREAMING and thread._started.wait(0.2):  # type: ignore[attr-defined]  # or never does
                thread.join(60)
        self.injector.remove_all()
        recover(self.model)
        found = {
            "hooks": hooks_on(self.model) == self.hooks,
            "forwards": not any("forward" in vars(module) for module in self.model.modules()),
            "grad mode": torch.is_grad_enabled(),
            "train flags": [module.training for module in self.model.modules()] == self.flags,
            "random numbers": torch.equal(torch.get_rng_state(), self.random),
            "logits": torch.equal(logits_of(self.model), self.bare),
            "own run": not in_own_run() and cancel_of(self.model) is None,
            "lock": self._elsewhere.submit(self._lock_is_free).result(60),
        }
        self.model.lm_head.train()
        torch.set_grad_enabled(True)
        return [aspect for aspect, same in found.items() if not same]

    def _lock_is_free(self) -> bool:
        lock = lock_of(self.model)
        free = lock.acquire(blocking=False)
        if free:
            lock.release()
        return free

    def _taps(self) -> list[Any]:
        write = Write(self.spec.site("layer_1"), everywhere(torch.neg), by="neg")
        return [write, Write(self.spec.site("layer_2"), everywhere(torch.zeros_like), by="zeros")]

    def _read(self) -> None:
        read(self.model, self.batch, [*self._taps(), Read(self.spec.site("layer_2"), lambda hidden: None)])

    def _twice(self) -> None:
        """The first run keeps what the second one answers with."""
        shelf_of(self.model)._kept.clear()
        for _ in range(2):
            logits(self.model, self.batch, self._taps(), chain=self.spec.chain)

    def _stream(self) -> None:
        for _ in streamed(self.model, self.batch, self._taps(), **OPTIONS):
            pass

    def _block(self) -> None:
        with LayerInjector(self.model) as injector:
            injector.inject_scaling("layer_0", 0.0)
            name = injector.inject("attention_1.head_1", torch.neg)
            self.model(prompt())
            injector.remove(name)

    def _hooks(self) -> None:
        with HookManager(self.model) as hooks:
            hooks.register_capture_hook("transformer.h.1", capture_input=True)
            hooks.register_injection_hook("transformer.h.0", torch.zeros_like)
            self.model(prompt())

    def _held(self) -> None:
        """Without a block nobody can know when it has ended; `differences` takes back what this was kept from."""
        self.injector = LayerInjector(self.model)
        self.injector.remove(self.injector.inject_scaling("layer_0", 0.0))
        self.injector.inject("layer_2", torch.neg)
        self.injector.remove_all()

    def _users_generate(self) -> None:
        """torch's own `no_grad`, which transformers puts around this, may stay on when it is cut off at its edge."""
        try:
            with LayerInjector(self.model) as injector:
                injector.inject_scaling("layer_0", 0.0)
                self.model.generate(prompt(), attention_mask=torch.ones_like(prompt()), pad_token_id=2, **OPTIONS)
        finally:
            torch.set_grad_enabled(True)
