"""What a recipe says becomes grafts; what is not understood is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from garage_nb.compose.mergekit.reading import sheet_from
from garage_nb.errors import RecipeFileError

ONE: dict[str, Any] = {"merge_method": "linear", "models": [{"model": "org/a"}], "parameters": {"weight": 1}}
TWO: dict[str, Any] = {
    "merge_method": "slerp",
    "base_model": "org/a",
    "models": [{"model": "org/a"}, {"model": "org/b@v2"}],
    "parameters": {"t": 0.5},
}
TIES: dict[str, Any] = {**TWO, "merge_method": "ties", "parameters": {"weight": 1}}
STACK: dict[str, Any] = {
    "merge_method": "passthrough",
    "slices": [
        {"sources": [{"model": "org/a", "layer_range": [0, 24]}]},
        {"sources": [{"model": "org/a", "layer_range": [8, 32]}]},
    ],
}


def lines(said: Any, seed: int = 0) -> list[str]:
    return [str(graft) for graft in sheet_from(said, seed).grafts]


def sliced(bounds: list[Any], **more: Any) -> dict[str, Any]:
    return {"merge_method": "passthrough", "slices": [{"sources": [{"model": "a", "layer_range": bounds}], **more}]}


def test_depth_up_scaling_is_one_graft() -> None:
    sheet = sheet_from(STACK)

    assert [str(graft) for graft in sheet.grafts] == ["stack a[0:24] a[8:32]"]
    assert (sheet.base, dict(sheet.donors)) == ("a", {"a": "org/a"})


def test_whole_models_are_one_graft() -> None:
    sheet = sheet_from({**TWO, "dtype": "bfloat16", "out_dtype": "torch.float16", "tokenizer_source": "base"})

    assert [str(graft) for graft in sheet.grafts] == ["merge all b --method slerp --t 0.5"]
    assert dict(sheet.donors) == {"a": "org/a", "b": "org/b@v2"}
    assert (sheet.dtype, sheet.out_dtype, sheet.tokenizer) == ("bfloat16", "float16", "a")


def test_the_base_is_blended_first_wherever_it_is_named_and_added_where_it_is_not() -> None:
    swapped = {**TWO, "models": TWO["models"][::-1]}
    unnamed = {**TWO, "models": TWO["models"][1:]}

    assert lines(swapped) == lines(unnamed) == lines(TWO)
    assert sheet_from(swapped) == sheet_from(TWO)


def test_linear_keeps_the_order_of_the_file_and_takes_the_config_of_the_base() -> None:
    said = {**ONE, "models": [{"model": "org/a"}, {"model": "org/b"}], "base_model": "org/b"}

    assert sheet_from(said).base == "b"
    assert lines(said) == [
        "stack a[all]", "swap bottom a", "swap top a", "merge all b --method linear --weight 1",
    ]  # fmt: skip


def test_what_is_outside_the_blocks_comes_from_the_first_and_the_last_slice() -> None:
    said = {
        **TWO,
        "base_model": "org/c",
        "merge_method": "linear",
        "models": None,
        "slices": [
            {"sources": [{"model": "org/a", "layer_range": [0, 2]}, {"model": "org/b", "layer_range": [1, 3]}]},
            {"sources": [{"model": "org/b", "layer_range": [3, 4]}]},
        ],
        "parameters": {"weight": 0.5},
    }

    assert lines(said) == [
        "stack a[0:2] b[3:4]",
        "swap bottom a",
        "swap top b",
        "merge bottom b --method linear --weight 0.5",
        "merge 0:2 b[1:3] --method linear --weight 0.5",
        "merge 2:3  --method linear --weight 0.5",
        "merge top  --method linear --weight 0.5",
    ]


def test_sources_go_before_slices_and_slices_before_the_whole() -> None:
    def source(model: str, **parameters: Any) -> dict[str, Any]:
        return {"model": model, "layer_range": [0, 2], "parameters": parameters}

    said = {
        "merge_method": "ties",
        "base_model": "org/c",
        "slices": [
            {
                "sources": [
                    {"model": "org/c", "layer_range": [0, 2]},
                    source("org/a", weight=[{"filter": "mlp", "value": 0.1}], density="2e-1"),
                    source("org/b"),
                ],
                "parameters": {"weight": [{"filter": "attn", "value": [0.2, 0.3]}], "normalize": False},
            }
        ],
        "parameters": {"weight": 0.4, "normalize": True, "lambda": 2, "int8_mask": True},
    }

    assert lines(said)[2] == (
        "merge 0:2 a[0:2],b[0:2] --method ties --weight mlp=0.1/attn=0.2..0.3/0.4,attn=0.2..0.3/0.4 "
        "--lambda 2 --normalize false --density 0.2,1"
    )


def test_names_tell_models_apart() -> None:
    models = ["org/m", "other/m@v1", "other/m@v2", "/home/me/a b;c/", "12", "all"]
    said = {**ONE, "models": [{"model": model} for model in models]}

    assert list(sheet_from(said).donors) == ["m", "m_2", "m_3", "a_b_c", "model_12", "model_all"]


def test_the_config_donor_does_not_depend_on_the_order_of_a_set() -> None:
    said = {**ONE, "models": [{"model": f"org/{name}"} for name in "zyxabc"]}

    assert sheet_from(said).base == "z"


def test_the_seed_is_said_beside_the_recipe() -> None:
    said = {**TWO, "merge_method": "dare_ties", "parameters": {"weight": 0.5}}

    assert lines(said, seed=3) == ["merge all b --method dare_ties --weight 0.5 --seed 3"]


REFUSED = {
    "modules": ({**ONE, "modules": {}}, "The recipe has 'modules'"),
    "an unknown key": ({**ONE, "name": "x"}, "The recipe has 'name'"),
    "chat_template": ({**ONE, "chat_template": "auto"}, "The recipe has 'chat_template'"),
    "models and slices": ({**STACK, "models": ONE["models"]}, "either models or slices"),
    "no method": ({"models": ONE["models"]}, "The recipe has no merge_method."),
    "an unknown method": ({**ONE, "merge_method": "karcher"}, "merge_method is 'karcher'"),
    "an empty list": ({**ONE, "models": []}, "models is '[]'"),
    "an adapter": ({**ONE, "models": [{"model": "org/a+org/lora"}]}, "asks for an adapter"),
    "a model by parts": ({**ONE, "models": [{"model": {"path": "org/a"}}]}, "is no model"),
    "two revisions": ({**ONE, "models": [{"model": "org/a@b@c"}]}, "is no model"),
    "union": ({**TWO, "tokenizer_source": "union"}, "the union of the tokenizers"),
    "a tokenizer's tokens": ({**TWO, "tokenizer": {"source": "base", "tokens": {}}}, "tokenizer has 'tokens'"),
    "two tokenizers": ({**TWO, "tokenizer": {"source": "base"}, "tokenizer_source": "base"}, "both"),
    "a foreign tokenizer": ({**TWO, "tokenizer_source": "org/z"}, "org/z is to give the tokenizer"),
    "the base's of none": ({**ONE, "tokenizer_source": "base"}, "there is no base_model"),
    "a dtype": ({**ONE, "dtype": "int8"}, "dtype is 'int8'"),
    "a layer range": (sliced([3, 3]), "layer_range is [3, 3]"),
    "layers as truth": (sliced([False, True]), "layer_range is [False, True]"),
    "residual_weight": (sliced([0, 2], residual_weight=1), "A slice has 'residual_weight'"),
    "two in a passthrough": ({**TWO, "merge_method": "passthrough", "parameters": {}}, "takes one model as it is"),
    "three in a slerp": ({**TWO, "models": [*TWO["models"], {"model": "org/c"}]}, "slerp goes from one model"),
    "no base": ({**TWO, "base_model": None}, "slerp has no base"),
    "one model twice": ({**ONE, "models": [{"model": "a"}, {"model": "a"}]}, "A slice has a twice"),
    "no t": ({**TWO, "parameters": {}}, "slerp needs t"),
    "no weight of one": (
        {**ONE, "parameters": {}, "models": [{"model": "a", "parameters": {"weight": 1}}, {"model": "b"}]},
        "b has no weight",
    ),
    "a stray parameter": ({**TWO, "parameters": {"t": 1, "weight": 1}}, "a parameter 'weight', which slerp"),
    "t of a source": ({**TWO, "models": [{"model": "org/b", "parameters": {"t": 1}}]}, "org/b has a parameter 't'"),
    "a weight of the base": (
        {**TIES, "models": [{"model": "org/a", "parameters": {"weight": 1}}, {"model": "org/b"}]},
        "The base, org/a, has a parameter 'weight'",
    ),
    "truth by names": ({**ONE, "parameters": {"weight": 1, "normalize": [True, False]}}, "is neither true nor false"),
    "a mask that is no truth": ({**TIES, "parameters": {"weight": 1, "int8_mask": 8}}, "neither true"),
    "a density of 2": ({**TIES, "parameters": {"weight": 1, "density": 2}}, "A density of 2"),
    "no number": ({**ONE, "parameters": {"weight": "much"}}, "no finite number"),
    "words for a number": ({**ONE, "parameters": {"weight": "0..1"}}, "no finite number"),
    "a value with more keys": ({**ONE, "parameters": {"weight": [{"value": 1, "also": 2}]}}, "another 'also'"),
    "no keys": (["linear"], "has no keys"),
    "no YAML": ("a: [1", "This is no YAML"),
    "an object of Python's": ("merge_method: !!python/object/apply:os.system ['true']", "This is no YAML"),
    "two documents": ("a: 1\n---\nb: 2", "This is no YAML"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_words(case: str) -> None:
    said, what = REFUSED[case]

    with pytest.raises(RecipeFileError) as error:
        sheet_from(said)

    assert what in error.value.what
    assert error.value.hint


def test_slices_of_unlike_length_or_number_are_refused() -> None:
    def slices(*counts: int, length: int = 2) -> dict[str, Any]:
        made = [[{"model": f"m{i}", "layer_range": [0, length + i * (length > 2)]} for i in range(n)] for n in counts]
        return {**ONE, "models": None, "slices": [{"sources": sources} for sources in made]}

    with pytest.raises(RecipeFileError, match="The sources of a slice have 3 and 4 layers"):
        sheet_from(slices(2, length=3))
    with pytest.raises(RecipeFileError, match="The last slice blends more models than the first"):
        sheet_from(slices(1, 2))
    assert sheet_from(slices(2, 1)).grafts


def test_a_failed_reading_leaves_what_it_was_given() -> None:
    said = {**TWO, "parameters": {"t": 0.5, "weight": 1}}
    before = repr(said)

    with pytest.raises(RecipeFileError):
        sheet_from(said)

    assert repr(said) == before
