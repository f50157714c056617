"""What a capture keeps: how much that is, said before any of it is there; and that padding is no part of any number."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from garage_nb.core.batch import prepare
from garage_nb.core.tensor import TensorUtils
from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.registry.room import bytes_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.zoo import Entry, build
from tests.families import FAMILIES, tiny

RAGGED = [[3, 1, 4, 1, 5, 9, 2, 6, 53, 58, 9], [7], [11, 12, 13], [40, 3, 3, 3, 3, 8, 60, 21, 5, 5, 6, 17]]
EVERY = "layer_0.before,layer_*,attention_*,ffn_*"
INSIDE = "layer_*.mid,attention_*.heads,attention_*.q,attention_*.k,attention_*.pattern,ffn_*.neurons"


def padded(side: str) -> dict[str, torch.Tensor]:
    longest = max(map(len, RAGGED))
    ids, mask = torch.zeros(len(RAGGED), longest, dtype=torch.long), torch.zeros(len(RAGGED), longest, dtype=torch.long)
    for row, text in enumerate(RAGGED):
        place = slice(longest - len(text), longest) if side == "left" else slice(len(text))
        ids[row, place], mask[row, place] = torch.tensor(text), 1
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral", "phi3"])
def test_a_padded_batch_has_the_numbers_of_its_texts_one_by_one(family: str, side: str) -> None:
    camera = SnapshotCapture(tiny(family))
    alone = [camera.run([text], EVERY, keep=True) for text in RAGGED]

    together = camera.run(padded(side), EVERY)

    assert together.tokens == sum(map(len, RAGGED))
    for name, shot in together.items():
        pooled = torch.cat([one[name].hidden.reshape(len(text), -1) for one, text in zip(alone, RAGGED, strict=True)])
        expected = TensorUtils.stats(pooled)
        for statistic, value in shot.statistics.as_dict().items():
            near = pytest.approx(expected[statistic], rel=1e-6, abs=1e-6 * expected["std"])
            assert value == near, (name, statistic)


@pytest.mark.filterwarnings("ignore::garage_nb.errors.PartsLeftOut")
@pytest.mark.parametrize("family", [*FAMILIES, "bloom", "t5", "mamba"])
def test_the_estimate_is_no_less_than_what_is_kept(family: str) -> None:
    classes = {"bloom": "BloomForCausalLM", "mamba": "MambaForCausalLM", "t5": "T5ForConditionalGeneration"}
    task = "seq2seq" if family == "t5" else "causal"
    model = build(Entry(task, family, classes[family])) if family in classes else tiny(family)
    camera = SnapshotCapture(model)
    names = [name for name in camera.spec.available() if name not in ("rotary_emb", "position_embedding")]
    inside = [name for wanted in INSIDE.split(",") for name in _inside(camera, wanted)]

    found = camera.run(_given(family), [*names, *inside], keep=True)

    held = {name: shot.hidden.numel() * shot.hidden.element_size() for name, shot in found.items()}
    for name, size in held.items():
        estimate = bytes_of(camera.spec, [name], _batch(camera, family), 4)
        exact = not re.search(r"\.[qk]$|_norm$", name)  # fewer keys than queries, or a norm of each head
        assert estimate == size if exact else estimate >= size, name
    assert found.kept >= sum(held.values())


def _given(family: str) -> dict[str, Any]:
    written = {"decoder_input_ids": [[0, 5], [0, 6]]} if family == "t5" else {}
    return {"input_ids": [[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]], **written}


def _batch(camera: SnapshotCapture, family: str) -> Any:
    return prepare(_given(family), camera.model)


def _inside(camera: SnapshotCapture, wanted: str) -> list[str]:
    try:
        return [name for name in camera.spec.select(wanted) if not camera.spec.why_not(name)]
    except LookupError:
        return []


def test_the_estimate_stands_in_the_answer(gpt2: Any) -> None:
    kept, not_kept = (SnapshotCapture(gpt2).run([[3, 1, 4]], keep=keep) for keep in (True, False))

    assert (kept.kept, not_kept.kept) == (3 * 3 * 32 * 4, 0)
    assert "hidden states kept: about 1.1 KiB" in repr(kept)
    assert "kept" not in repr(not_kept)


def test_what_is_too_large_is_refused_before_the_model_runs(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("garage_nb.snapshot.capture.KEPT", 800)
    calls: list[int] = []
    gpt2.register_forward_pre_hook(lambda *_: calls.append(1))
    garage = Garage(gpt2)
    calls.clear()

    with pytest.raises(InputError) as caught:
        garage.capture([3, 1, 4], keep=True)

    assert calls == []
    assert caught.value.what == "The hidden states of 3 parts over 3 tokens take 1.1 KiB, more than 800 bytes."
    assert "Name fewer parts" in caught.value.hint
    assert garage.capture([3, 1, 4])["layer_0"].hidden is None
    assert garage.capture([3, 1, 4], keep=True, layers="0,1").kept == 2 * 3 * 32 * 4


def test_half_precision_takes_half_the_room(llama: Any) -> None:
    assert SnapshotCapture(llama.bfloat16()).run([[3, 1, 4]], keep=True).kept == 3 * 3 * 32 * 2
