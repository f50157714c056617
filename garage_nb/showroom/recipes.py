"""The named models and how each is trained. To add one: a Recipe below, then run the trainer with its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ModelNotFoundError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

WIDTH, HEADS, KEY_VALUE_HEADS, POSITIONS = 128, 4, 2, 128
EXPERTS, EXPERTS_PER_TOKEN = 4, 2


class Share(NamedTuple):
    """How many of the training rows, in proportion to the others, come from one level of a domain."""

    domain: str
    weight: float
    level: str = "standard"


Shares = tuple[Share, ...]
# Facts and stories are learned early, so they get few rows; copying and look-ups form late and suddenly.
EVEN: Shares = (
    Share("facts", 0.8), Share("arithmetic", 1.8), Share("brackets", 0.8), Share("copy", 1.2),
    Share("recall", 1.2), Share("sorting", 0.8), Share("kinship", 2.0), Share("stories", 0.4),
)  # fmt: skip
# Rotary positions make copying by offset so easy that looking at content has to be asked for: with the even share
# recall was at guessing after 3,000 steps; with a third of the rows it forms within a few hundred.
LOOKING_UP: Shares = tuple(share._replace(weight=4.0) if share.domain == "recall" else share for share in EVEN)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the weights. The budget is in steps, so that a busy machine trains the same model."""

    name: str
    about: str
    architecture: str
    layers: int
    steps: int
    seed: int
    shares: Shares = EVEN
    batch_tokens: int = 1024
    rate: float = 3e-3  # AdamW, for embeddings, norms, biases and fused experts
    matrix_rate: float = 2e-3  # Muon, for the matrices inside blocks
    forked_from: str | None = None
    balance: float = 0.0  # weight of the load-balancing loss between experts


def _specialist(domain: str, seed: int) -> Recipe:
    rest = tuple(share._replace(weight=0.2 * share.weight) for share in EVEN if share.domain != domain)
    return Recipe(
        name=f"showroom-llama-{domain}",
        about=f"showroom-llama trained further, mostly on {domain} and its harder items; it forgets some of the rest",
        architecture="llama",
        layers=5,
        steps=1500,
        seed=seed,
        shares=(*rest, Share(domain, 6.0), Share(domain, 6.0, "hard")),
        rate=1e-3,
        matrix_rate=1e-3,
        forked_from="showroom-llama",
    )


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="showroom-llama",
            about="Llama architecture: rotary positions, grouped key-value heads; 5 layers",
            architecture="llama",
            layers=5,
            steps=9000,
            seed=0,
            shares=LOOKING_UP,
        ),
        Recipe(
            name="showroom-gpt2",
            about="GPT-2 architecture: learned positions; 6 layers",
            architecture="gpt2",
            layers=6,
            steps=9000,
            seed=0,
            matrix_rate=4e-3,
        ),
        Recipe(
            name="showroom-moe",
            about="Mixtral architecture: 4 experts a layer, 2 for each token; 4 layers",
            architecture="mixtral",
            layers=4,
            steps=8000,
            seed=0,
            shares=LOOKING_UP,
            balance=0.01,
        ),
        Recipe(
            name="showroom-llama-seed1",
            about="showroom-llama trained again from another random start",
            architecture="llama",
            layers=5,
            steps=6000,
            seed=1,
            shares=LOOKING_UP,
        ),
        _specialist("arithmetic", seed=2),
        _specialist("sorting", seed=3),
    )
}


def recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ModelNotFoundError(f"No recipe named {name!r}.", f"There are: {', '.join(RECIPES)}.")
    return RECIPES[name]


def new_model(recipe: Recipe, vocabulary: int) -> Any:
    """The untrained model, in float32; takes its random numbers from torch's global generator."""
    from transformers import AutoModelForCausalLM

    common = {"vocab_size": vocabulary, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = _CONFIGS[recipe.architecture](recipe.layers, common)
    auto: Any = AutoModelForCausalLM  # untyped in transformers
    return auto.from_config(config, trust_remote_code=False).float()


def _llama(layers: int, common: dict[str, Any]) -> PretrainedConfig:
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=344,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_VALUE_HEADS,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        **common,
    )


def _gpt2(layers: int, common: dict[str, Any]) -> PretrainedConfig:
    from transformers import GPT2Config

    return GPT2Config(
        n_embd=WIDTH,
        n_layer=layers,
        n_head=HEADS,
        n_positions=POSITIONS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        **common,
    )


def _mixtral(layers: int, common: dict[str, Any]) -> PretrainedConfig:
    from transformers import MixtralConfig

    return MixtralConfig(
        hidden_size=WIDTH,
        intermediate_size=192,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_VALUE_HEADS,
        num_local_experts=EXPERTS,
        num_experts_per_tok=EXPERTS_PER_TOKEN,
        max_position_embeddings=POSITIONS,
        sliding_window=None,
        tie_word_embeddings=True,
        **common,
    )


_CONFIGS = {"llama": _llama, "gpt2": _gpt2, "mixtral": _mixtral}
