"""Recipes: mergekit files over three saved models of four layers, `{a}`, `{b}` and `{c}`, which are folders."""

from __future__ import annotations

LAYERS = 4

PASSTHROUGH = {
    "one model, its layers said twice": """
merge_method: passthrough
slices:
- sources: [{model: "{a}", layer_range: [0, 3]}]
- sources: [{model: "{a}", layer_range: [1, 4]}]
""",
    "two models": """
merge_method: passthrough
slices:
- sources: [{model: "{a}", layer_range: [0, 3]}]
- sources: [{model: "{b}", layer_range: [2, 4]}]
dtype: float32
""",
    "the base gives the config alone": """
merge_method: passthrough
base_model: "{c}"
slices:
- sources: [{model: "{a}", layer_range: [1, 3]}]
- sources: [{model: "{b}", layer_range: [0, 1]}]
- sources: [{model: "{c}", layer_range: [3, 4]}]
""",
    "scaled by names and by depth": """
merge_method: passthrough
slices:
- sources: [{model: "{a}", layer_range: [0, 2]}]
- sources:
  - model: "{b}"
    layer_range: [1, 4]
    parameters: {scale: [{filter: mlp, value: [0, 0.5]}, {filter: layers.1., value: 3}, {value: 1}]}
parameters: {scale: 0.9}
""",
    "layers dropped": """
merge_method: passthrough
slices:
- sources: [{model: "{a}", layer_range: [0, 1]}]
- sources: [{model: "{a}", layer_range: [3, 4]}]
""",
}

LINEAR = {
    "linear": """
merge_method: linear
models:
- {model: "{a}", parameters: {weight: 0.7}}
- {model: "{b}", parameters: {weight: 1e-1}}
- {model: "{c}", parameters: {weight: [0.1, 0.9, 0.4]}}
""",
    "linear, the base among others": """
merge_method: linear
base_model: "{b}"
models:
- {model: "{a}"}
- {model: "{b}", parameters: {weight: [{filter: mlp, value: -0.2}, {filter: norm, value: [1, 2]}]}}
parameters: {weight: 0.3, normalize: false}
""",
    "linear, by slices": """
merge_method: linear
slices:
- sources:
  - {model: "{b}", layer_range: [0, 2], parameters: {weight: 0.25}}
  - {model: "{a}", layer_range: [2, 4], parameters: {weight: [0.5, 0.75]}}
- sources: [{model: "{a}", layer_range: [0, 1]}, {model: "{c}", layer_range: [3, 4]}]
  parameters: {weight: [2, 3]}
out_dtype: bfloat16
""",
}

SLERP = {
    "slerp": """
merge_method: slerp
base_model: "{b}"
models: [{model: "{a}"}, {model: "{b}"}]
parameters: {t: 0.3}
""",
    "slerp by names and depth, in bfloat16": """
merge_method: slerp
base_model: "{a}"
slices:
- sources: [{model: "{a}", layer_range: [0, 4]}, {model: "{b}", layer_range: [0, 4]}]
parameters:
  t:
  - {filter: self_attn, value: [0, 0.5, 0.3, 0.7, 1]}
  - {filter: mlp, value: [1, 0.5, 0.7, 0.3, 0]}
  - {value: 0.5}
dtype: bfloat16
""",
    "slerp of models nearly alike": """
merge_method: slerp
base_model: "{a}"
models: [{model: "{c}"}]
parameters: {t: [0.1, 0.9]}
""",
}

DELTAS = {
    "task arithmetic": """
merge_method: task_arithmetic
base_model: "{c}"
models: [{model: "{a}", parameters: {weight: 0.4}}, {model: "{b}", parameters: {weight: -0.2}}]
parameters: {lambda: 1.3}
""",
    "task arithmetic, normalized, out of bfloat16": """
merge_method: task_arithmetic
base_model: "{c}"
models: [{model: "{a}", parameters: {weight: 0.4}}, {model: "{b}", parameters: {weight: 0.3}}]
parameters: {normalize: true}
dtype: bfloat16
out_dtype: float32
""",
    "ties": """
merge_method: ties
base_model: "{c}"
models:
- {model: "{a}", parameters: {density: [1, 0.7, 0.1], weight: 1.0}}
- {model: "{b}", parameters: {density: 0.33, weight: [{filter: mlp, value: 0.5}, {value: 0}]}}
- {model: "{c}"}
parameters: {normalize: true, int8_mask: true}
""",
    "ties, rescaled, by slices": """
merge_method: ties
base_model: "{c}"
slices:
- sources:
  - {model: "{c}", layer_range: [0, 2]}
  - {model: "{a}", layer_range: [2, 4], parameters: {weight: 0.5}}
  - {model: "{b}", layer_range: [0, 2], parameters: {weight: 0.9}}
- sources: [{model: "{b}", layer_range: [0, 3]}, {model: "{c}", layer_range: [1, 4]}]
  parameters: {weight: 0.8, lambda: [0.5, 2]}
parameters: {density: 0.4, rescale: true}
dtype: bfloat16
""",
}

DRAWN = {
    "dare_ties": """
merge_method: dare_ties
base_model: "{c}"
models:
- {model: "{a}", parameters: {density: 0.5, weight: 0.6}}
- {model: "{b}", parameters: {density: [0.2, 1], weight: 0.3}}
parameters: {int8_mask: true}
""",
    "dare_linear, not rescaled, in bfloat16": """
merge_method: dare_linear
base_model: "{c}"
models: [{model: "{a}", parameters: {density: 0.5}}, {model: "{b}", parameters: {density: 0.25}}]
parameters: {weight: 0.5, rescale: false, normalize: true, lambda: 0.5}
dtype: bfloat16
""",
    "dare_ties, by slices": """
merge_method: dare_ties
slices:
- sources: [{model: "{a}", layer_range: [0, 2]}, {model: "{b}", layer_range: [0, 2]}]
  base_model: "{a}"
- sources: [{model: "{a}", layer_range: [2, 4]}, {model: "{b}", layer_range: [2, 4]}]
  base_model: "{b}"
parameters: {weight: 0.5, density: 0.5}
""",
}

RECIPES = {**PASSTHROUGH, **LINEAR, **SLERP, **DELTAS, **DRAWN}

# The real mergekit leaves the config's list of layer types as it was when their number changes, and cannot save it.
_OTHER_DEPTH = {"linear, by slices", "ties, rescaled, by slices"}
SAME_DEPTH = [name for name in [*LINEAR, *SLERP, *DELTAS, *DRAWN] if name not in _OTHER_DEPTH]


def recipe(name: str, folders: dict[str, str]) -> str:
    """With the folders of the models in their places."""
    text = RECIPES[name]
    for letter, folder in folders.items():
        text = text.replace(f"{{{letter}}}", folder)
    return text
