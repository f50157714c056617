"""Heads, neurons and experts on their own: the oracle is what enters the last projection in the model, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from garage_nb.core.hooks import HookManager
from garage_nb.core.sites import leaving
from garage_nb.errors import InputError, UnknownPartError
from garage_nb.extract.description import Form
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.registry.models import spec_of
from tests.families import prompt, tiny

EXPERTS = {"num_experts_per_tok": 2, "head_dim": 8}
CHANGES: dict[str, dict[str, Any]] = {
    "qwen3_moe": {**EXPERTS, "num_experts": 4, "moe_intermediate_size": 16},
    "gpt_oss": {**EXPERTS, "num_local_experts": 4},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
}
ATTENTION = [
    "gpt2", "llama", "gemma2", "gemma3_text", "mixtral", "qwen3_moe", "phi", "phi3", "bloom", "falcon", "gpt_neox",
    "opt", "gpt_oss", "mpt", "olmoe",
]  # fmt: skip
MASKED = {"bloom", "mpt", "olmoe"}  # alibi for all heads; a norm over all heads
FFN = ["gpt2", "llama", "gemma2", "gemma3_text", "phi", "phi3", "bloom", "falcon", "gpt_neox", "mpt"]
MOE = ["mixtral", "qwen3_moe", "gpt_oss", "olmoe"]
ROUNDING = 2e-6  # float32 against float64, of values of about 1


def made(family: str) -> Any:
    return tiny(family, **CHANGES.get(family, {}))


def hidden_states(seq: int = 6, batch: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(batch, seq, 32, generator=torch.Generator().manual_seed(seed))


def in_the_model(model: nn.Module, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """What enters the part, what enters its last projection, and what leaves that."""
    part = spec_of(model).parts[name]
    with HookManager(model) as hooks, torch.no_grad():
        hooks.register_capture_hook(part.module_path, "part", capture_input=True)
        hooks.register_capture_hook(part.extra_info["projection"], "last", capture_input=True)
        model(prompt(), use_cache=False)
    given, last = hooks.get_captured("part")["input"], hooks.get_captured("last")
    shape = (*given.shape[:-1], -1)
    return given, last["input"].reshape(shape), last["output"].reshape(shape)


def projection(model: nn.Module, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Weight (in, out) and bias, float64."""
    module = model.get_submodule(spec_of(model).parts[name].extra_info["projection"])
    weight = module.weight.detach().double().numpy()
    bias = getattr(module, "bias", None)
    return weight.T if isinstance(module, nn.Linear) else weight, 0 if bias is None else bias.detach().double().numpy()


@pytest.mark.parametrize(("family", "name"), [(f, "attention_1") for f in ATTENTION] + [(f, "ffn_1") for f in FFN])
def test_units_give_their_columns_through_the_last_projection(family: str, name: str) -> None:
    model = made(family)
    given, entered, left = in_the_model(model, name)
    weight, bias = projection(model, name)
    part = spec_of(model).parts[name]
    unit, width = ("head", part.head_dim) if name.startswith("attention") else ("neuron", 1)
    extractor, total = PyTorchExtractor(model), 0
    assert width is not None

    for index in range(part.num_heads or 6):
        columns = slice(index * width, (index + 1) * width)
        expected = entered[..., columns].double().numpy() @ weight[columns]
        taken = extractor.extract_component(f"{name}.{unit}_{index}")
        with torch.no_grad():
            found = taken(given).double().numpy()
        total = total + found
        assert found.shape == given.shape
        np.testing.assert_allclose(found, expected, atol=ROUNDING * max(1, abs(expected).max()))
    if unit == "head":
        np.testing.assert_allclose(total + bias, left.double().numpy(), atol=ROUNDING * max(1, left.abs().max()))


@pytest.mark.parametrize("family", FFN)
def test_neurons_in_groups_add_up_to_the_part_and_its_bias(family: str) -> None:
    model = made(family)
    extractor, bias = PyTorchExtractor(model), projection(model, "ffn_1")[1]
    hidden = hidden_states()

    with torch.no_grad():
        parts = [extractor.extract_component(f"ffn_1.neurons[{which}]") for which in ("0:20", "20,21", "22:")]
        total = sum(part(hidden).double().numpy() for part in parts)
        whole = extractor.extract_component("ffn_1")(hidden).double().numpy()

    np.testing.assert_allclose(total + bias, whole, atol=ROUNDING * max(1, abs(whole).max()))


@pytest.mark.parametrize("family", ATTENTION)
@pytest.mark.parametrize("heads", [(0, 1), (0, 2), (1, 2, 3)])
def test_heads_in_groups_give_what_they_give_one_by_one(family: str, heads: tuple[int, ...]) -> None:
    """Two that share a key–value head, two that do not, and two that do beside one that does not."""
    extractor, hidden = PyTorchExtractor(made(family)), hidden_states()
    names = [f"attention_1.head_{head}" for head in heads]
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])

    with torch.no_grad():
        for given in ((hidden,), (hidden, mask)):
            together = extractor.extract_component(names)(*given)
            alone = sum(extractor.extract_component(name)(*given) for name in names)
            torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ATTENTION)
def test_a_head_holds_its_own_weights_or_says_that_it_does_not(family: str) -> None:
    model = made(family)
    part = PyTorchExtractor(model).extract_component("attention_1.head_2")
    spec = spec_of(model).parts["attention_1"]
    whole = sum(one.numel() for one in model.get_submodule(spec.module_path).parameters())
    known = part.description

    assert known.parameters == sum(one.numel() for one in part.parameters())
    assert known.error is not None
    assert known.error < 1e-5
    if family in MASKED:
        assert known.form is Form.MASKED
        assert "the other heads masked" in known.share
        return
    own = 4 * 32 * (spec.head_dim or 0)  # q, k, v and out
    biases = sum(one.numel() for name, one in part.named_parameters() if one.ndim == 1)
    assert known.form is Form.CUT
    assert known.parameters - biases == own
    assert known.parameters < whole / 2
    assert known.share == "their own share of attention_1, without its output bias"


@pytest.mark.parametrize("family", FFN)
def test_a_neuron_holds_its_own_weights(family: str) -> None:
    part = PyTorchExtractor(made(family)).extract_component("ffn_1.neuron_3")
    weights = dict(part.named_parameters())

    assert part.description.form is Form.CUT
    assert all(1 in one.shape or one.numel() <= 2 * 32 for one in weights.values())
    assert part.description.parameters <= 3 * 32 + 2


@pytest.mark.parametrize("family", MOE)
def test_experts_weighed_by_the_router_add_up_to_the_part(family: str) -> None:
    model = made(family)
    spec = spec_of(model).parts["ffn_1"]
    extractor, seen = PyTorchExtractor(model), []
    module = model.get_submodule(spec.extra_info["experts"])
    module.register_forward_hook(
        lambda m, args, kwargs, out: seen.append((args, kwargs, leaving(out))), with_kwargs=True
    )
    with torch.no_grad():
        model(prompt(), use_cache=False)
    args, kwargs, left = seen[-1]
    hidden, index, weights = (*args, *kwargs.values())[:3]
    module._forward_hooks.clear()

    total = torch.zeros_like(left)
    for number in range(spec.extra_info["num_experts"]):
        expert = extractor.extract_component(f"ffn_1.expert_{number}")
        share = (weights * (index == number)).sum(-1, keepdim=True)  # (tokens, 1)
        with torch.no_grad():
            total += share * expert(hidden)

    torch.testing.assert_close(total, left, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", MOE)
def test_an_expert_holds_one_expert(family: str) -> None:
    model = made(family)
    spec = spec_of(model).parts["ffn_1"]
    experts = model.get_submodule(spec.extra_info["experts"])
    part = PyTorchExtractor(model).extract_component("ffn_1.expert_1")

    with torch.no_grad():
        out = part(hidden_states())

    assert out.shape == (2, 6, 32)
    count = spec.extra_info["num_experts"]
    assert part.description.parameters * count == sum(one.numel() for one in experts.parameters())
    assert "without the router's weight" in repr(part)


class Listed(nn.Module):
    """Two linear experts, each a module of its own, of which the better one answers."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(32, 2, bias=False)
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(32, 16), nn.SiLU(), nn.Linear(16, 32)) for _ in range(2)])

    def forward(self, hidden: Tensor) -> Tensor:
        weights = self.gate(hidden).softmax(-1)  # (batch, seq, experts)
        each = torch.stack([expert(hidden) for expert in self.experts], -1)
        return (each * torch.where(weights == weights.amax(-1, keepdim=True), weights, 0)[..., None, :]).sum(-1)


def test_experts_that_are_modules_of_their_own_come_out_too() -> None:
    model = tiny("llama")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer in model.model.layers:
            layer.mlp = Listed().eval()
    assert spec_of(model).parts["ffn_1"].extra_info["num_experts"] == 2

    part = PyTorchExtractor(model).extract_component("ffn_1.expert_1")

    with torch.no_grad():
        assert torch.equal(part(hidden_states()), model.model.layers[1].mlp.experts[1](hidden_states()))
    with pytest.raises(UnknownPartError):
        PyTorchExtractor(model).extract_component("ffn_1.expert_2")


@pytest.mark.parametrize("component", ["attention_1.head_1", "ffn_1.neurons[3,5]"])
@pytest.mark.parametrize("family", ["gpt2", "llama", "olmoe"])
def test_the_donor_stays_as_it_was(family: str, component: str) -> None:
    if family == "olmoe":
        component = component.replace("ffn_1.neurons[3,5]", "ffn_1.expert_2")
    model = made(family)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    config = model.config.to_dict()

    part = PyTorchExtractor(model).extract_component(component)
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.zero_()

    assert model.config.to_dict() == config
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not part(hidden_states()).any()


NAMES = {
    "attention_1.head_-1": "attention_1.head_3", "attn_-1.head_0": "attention_2.head_0",
    "attention_1.head_2,attention_1.head_0": "attention_1.heads[0,2]", "attention_1.head_*": "attention_1.heads[0:4]",
    "attention_1.heads[2:]": "attention_1.heads[2:4]", "ffn_1.neurons[-1, 0:3]": "ffn_1.neurons[0:3,63]",
    "ffn_1.neurons[7]": "ffn_1.neuron_7",
}  # fmt: skip


@pytest.mark.parametrize(("asked", "name"), NAMES.items())
def test_units_go_by_many_names(asked: str, name: str) -> None:
    extractor = PyTorchExtractor(tiny("llama"))

    assert extractor.extract_component(asked).description.name == name
    assert extractor.extract_component(name).description.name == name


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (["attention_1.head_0", "attention_2.head_0"], InputError, "cannot be taken out as one"),
        (["attention_1", "ffn_1"], InputError, "cannot be taken out as one"),
        ([], InputError, "Nothing cannot be taken out"),
        ("attention_1.heads[9]", UnknownPartError, "'9' names none of 4"),
        ("attention_1.heads[1:1]", InputError, "No head of attention_1 was named"),
        ("attention_1.neurons[1]", UnknownPartError, "no neurons that could be told apart"),
        ("layer_1.heads[1]", UnknownPartError, "no heads that could be told apart"),
        ("ffn_1.expert_0", UnknownPartError, "ffn_1.expert_0"),
        ("ffn_1.neuron_64", UnknownPartError, "neuron_64"),
    ],
)
def test_units_that_are_not_there_are_refused(asked: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PyTorchExtractor(tiny("llama")).extract_component(asked)


def test_experts_do_not_come_in_groups() -> None:
    with pytest.raises(InputError, match="2 experts of ffn_1 answer for different tokens"):
        PyTorchExtractor(tiny("mixtral")).extract_component("ffn_1.experts[0:2]")
