"""What holds in every test: no network, no file outside the test's own folders, one thread for tiny models."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import pytest
import torch

from tests.families import FAMILIES, tiny

_LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "", None}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected lives to the end: a million objects in which the collector of garbage need not look again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for a host that is not this machine fails the test that asks."""
    resolve = socket.getaddrinfo

    def only_here(host: Any, *args: Any, **options: Any) -> Any:
        if host not in _LOCAL and host != socket.gethostname():
            pytest.fail(f"this test asked the network for {host!r}")
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)


@pytest.fixture(autouse=True)
def grad_mode() -> Iterator[None]:
    """No test leaves gradients switched off for the next one."""
    yield
    left_on = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    assert left_on


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Spec files land in a folder of this run, never in the user's cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GARAGE_NB_CACHE", str(tmp_path_factory.mktemp("specs")))
    yield
    patch.undo()


@pytest.fixture(params=FAMILIES)
def any_model(request: pytest.FixtureRequest) -> Any:
    """A fresh tiny model of every family in turn."""
    return tiny(request.param)


@pytest.fixture
def gpt2() -> Any:
    return tiny("gpt2")


@pytest.fixture
def llama() -> Any:
    return tiny("llama")
