"""A part that is several modules of a block runs alone as one, and goes back where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.core.skeleton import skeleton
from garage_nb.core.stored import stored
from garage_nb.extract.chain import Chain, home, links
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.extract.shelf.loading import load_part
from garage_nb.extract.shelf.saving import save_part
from tests.coverage.zoo import build, entries, inputs
from tests.families import prompt, tiny

ZOO = {
    "masked-bert": ("intermediate.dense", "output.dense"),
    "causal-biogpt": ("fc1", "fc2"),
    "masked-albert": ("ffn", "ffn_output"),
}


def of_the_zoo(name: str) -> Any:
    return build(next(entry for entry in entries() if str(entry) == name))


def seen_by_torch(model: Any, first: Any, last: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What entered the first module and left the last, when they were last called."""
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        first.register_forward_pre_hook(lambda _, args: seen.update(given=args[0].clone())),
        last.register_forward_hook(lambda _, args, left: seen.update(gave=left.clone())),
    ]
    with torch.no_grad():
        model(**inputs(model))
    for hook in hooks:
        hook.remove()
    return seen["given"], seen["gave"]


@pytest.mark.parametrize("entry", ["causal-opt", "causal-biogpt", "masked-bert", "seq2seq-bart"])
def test_it_gives_bit_for_bit_what_it_gives_in_the_model(entry: str) -> None:
    model = of_the_zoo(entry)
    name = "encoder_ffn_1" if entry.startswith("seq2seq") else "ffn_1"

    part = PyTorchExtractor(model).extract_component(name)

    known = part.spec.part(name)
    given, gave = seen_by_torch(model, *(model.get_submodule(links(known)[place]) for place in (0, -1)))
    assert isinstance(part.module, Chain)
    with torch.no_grad():
        assert torch.equal(part(given).reshape(gave.shape), gave)
    assert part.description.error == 0
    assert part.description.input_dim == part.description.output_dim == 32
    assert part.test().ok
    names = {f"{home(known)}.{own.removeprefix('module.')}": one for own, one in part.state_dict().items()}
    inside = model.state_dict()
    assert all(torch.equal(one, inside[path]) for path, one in names.items())
    assert len(names) == 4


@pytest.mark.parametrize("entry", ZOO)
def test_its_neurons_and_its_bias_add_up_to_it(entry: str) -> None:
    extractor = PyTorchExtractor(of_the_zoo(entry))
    whole = extractor.extract_component("ffn_1")
    hidden = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))

    count = whole.spec.part("ffn_1").intermediate_dim or 0
    halves = [extractor.extract_component(f"ffn_1.neurons[{which}]") for which in (f"0:{count // 2}", f"{count // 2}:")]

    with torch.no_grad():
        bias = whole.module.get_submodule(ZOO[entry][1]).bias
        torch.testing.assert_close(halves[0](hidden) + halves[1](hidden) + bias, whole(hidden), rtol=1e-4, atol=1e-5)
    assert [half.description.unlike for half in halves] == ["", ""]


@pytest.mark.parametrize("entry", ["causal-opt", "causal-biogpt", "causal-xglm"])
def test_saved_and_loaded_it_rebuilds_the_model(entry: str, tmp_path: Path) -> None:
    model = tiny("opt", word_embed_proj_dim=32, ffn_dim=64) if entry == "causal-opt" else of_the_zoo(entry)
    extractor = PyTorchExtractor(model)
    rebuilt = skeleton(type(model), model.config, dtype=torch.float32)
    filled = set()

    for name in (name for name in extractor.list_components() if name.startswith("ffn_")):
        part = load_part(save_part(extractor.extract_component(name), tmp_path))
        around = home(part.spec.part(name))
        rebuilt.get_submodule(around).load_state_dict(part.module.state_dict(), strict=False, assign=True)
        filled |= {f"{around}.{own}" for own in part.module.state_dict()}
    rest = {path: one for path, one in stored(model) if path not in filled}
    rebuilt.load_state_dict(rest, strict=False, assign=True)

    assert len(filled) == 4 * 3
    with torch.no_grad():
        assert torch.equal(rebuilt(prompt()).logits, model(prompt()).logits)


def test_what_is_changed_in_the_copy_stays_there() -> None:
    model = of_the_zoo("causal-opt")
    before = {name: one.clone() for name, one in model.state_dict().items()}

    part = PyTorchExtractor(model).extract_component("ffn_1")
    with torch.no_grad():
        for weight in part.parameters():
            weight.zero_()

    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
