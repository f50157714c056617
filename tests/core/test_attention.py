"""Inside attention: what is read there is what transformers computes, and an edit there does what it says."""

from __future__ import annotations

import copy
import gc
import random
import signal
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface
from transformers.models.llama.modeling_llama import LlamaAttention

from garage_nb.core.attach import Attached, hooks_of_ours, sweep
from garage_nb.core.attention import is_left_over
from garage_nb.core.batch import Batch, prepare
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.core.generate import generate
from garage_nb.core.run import logits, read
from garage_nb.core.sites import Read, Site, Write, everywhere
from garage_nb.core.tokens import Tokens
from garage_nb.core.undisturbed import recover
from garage_nb.errors import EditError, HookError, UnavailablePartError, UnsupportedModelError
from garage_nb.inject.edits import Add, Edit, Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt, tiny
from tests.restored import left_as_it_was, logits_of

MORE = ["gpt_oss", "stablelm", "olmo2"]
FAMILIES = ["gpt2", "llama", "mistral", "qwen2", "qwen3", "mixtral", "gemma", "gemma2", "gemma3_text", "phi", "phi3"]
POINTS = ("q", "k", "v", "pattern")
LONG = 12  # tokens, three times the window of those that have one


@pytest.fixture(autouse=True)
def transformers_is_left_as_it_was() -> Iterator[None]:
    before = dict(vars(ALL_ATTENTION_FUNCTIONS)["_local_mapping"])

    yield

    assert vars(ALL_ATTENTION_FUNCTIONS) == {"_local_mapping": before}
    assert not is_left_over()


def batch_of(model: Any, padded: str = "") -> Batch:
    """Two rows of LONG tokens; the second has five of padding on the side named."""
    ids = torch.arange(2 * LONG).reshape(2, LONG) % 50 + 3
    mask = torch.ones_like(ids)
    if padded:
        mask[1, slice(5) if padded == "left" else slice(-5, None)] = 0
    return prepare({"input_ids": ids, "attention_mask": mask}, model)


def inside(model: Any, batch: Batch, *names: str, edits: tuple[Edit, ...] = ()) -> list[Tensor]:
    found: dict[str, Tensor] = {}
    spec = spec_of(model)
    reads = [Read(spec.site(name), lambda hidden, name=name: found.__setitem__(name, hidden.clone())) for name in names]  # type: ignore[misc]
    read(model, batch, [*Recipe(edits).taps(spec), *reads])
    return [found[name] for name in names]


def eager_copy(model: Any) -> Any:
    """The same model with the attention that can say what it did."""
    other = copy.deepcopy(model)
    other.set_attn_implementation("eager")
    return other


@torch.no_grad()
def recorded(model: Any, batch: Batch) -> tuple[Tensor, ...]:
    return eager_copy(model)(**batch.inputs(), use_cache=False, output_attentions=True).attentions


@pytest.mark.parametrize("padded", ["", "left", "right"])
@pytest.mark.parametrize("family", [*FAMILIES, *MORE])
def test_the_pattern_is_what_transformers_records(family: str, padded: str) -> None:
    model = tiny(family)
    batch = batch_of(model, padded)

    patterns = inside(model, batch, *(f"attention_{layer}.pattern" for layer in range(3)))

    real = batch.attention_mask.bool()[:, None, :, None]
    for own, theirs in zip(patterns, recorded(model, batch), strict=True):
        assert own.shape == theirs.shape
        assert float(((own - theirs) * real).abs().max()) <= 1e-6


@pytest.mark.parametrize("padded", ["", "left", "right"])
@pytest.mark.parametrize("family", [*FAMILIES, *MORE])
def test_reading_leaves_every_bit_of_the_logits(family: str, padded: str) -> None:
    model = tiny(family)
    batch, spec = batch_of(model, padded), spec_of(model)
    names = [f"attention_{layer}.{point}" for layer in range(3) for point in POINTS]
    with torch.no_grad():
        bare = model(**batch.inputs(), use_cache=False).logits

    with left_as_it_was(model):
        seen = logits(model, batch, [Read(spec.site(name), lambda hidden: None) for name in names])

    assert torch.equal(seen, bare)


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3", "phi"])
def test_queries_and_keys_make_the_pattern_and_values_the_heads(family: str) -> None:
    """Heads that share a key-value head stand beside each other."""
    model = tiny(family)

    q, k, v, pattern, heads = inside(
        model, batch_of(model), *(f"attention_1.{point}" for point in POINTS), "attention_1.heads"
    )

    shared = q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(shared, dim=2), v.repeat_interleave(shared, dim=2)
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / q.shape[-1] ** 0.5
    visible = torch.ones(LONG, LONG, dtype=torch.bool).tril()
    assert shared == (1 if family in ("gpt2",) else 2)
    assert torch.allclose(scores.masked_fill(~visible, -torch.inf).softmax(-1), pattern, atol=1e-6)
    assert torch.allclose(torch.einsum("bhqk,bkhd->bqhd", pattern, v).flatten(2), heads, atol=1e-5)


def test_without_queries_all_visible_tokens_weigh_the_same(llama: Any) -> None:
    (pattern,) = inside(llama, batch_of(llama), "attention_1.pattern", edits=(Scale("attention_1.q", 0.0),))

    even = torch.ones(LONG, LONG).tril() / torch.arange(1, LONG + 1)[:, None]
    assert torch.allclose(pattern, even.expand_as(pattern), atol=1e-6)


def test_without_values_the_heads_are_silent(llama: Any) -> None:
    pattern, heads = inside(
        llama, batch_of(llama), "attention_1.pattern", "attention_1.heads", edits=(Scale("attention_1.v", 0.0),)
    )

    assert not heads.any()
    assert torch.equal(pattern, inside(llama, batch_of(llama), "attention_1.pattern")[0])


@pytest.mark.parametrize("family", [*FAMILIES, *MORE])
@pytest.mark.parametrize("point", ["q", "k", "v"])
def test_an_edit_acts_and_an_edit_by_one_does_not(family: str, point: str) -> None:
    model = tiny(family)
    place, bare = f"attention_1.{point}", logits_of(model)

    def under(factor: float) -> Tensor:
        taps = Recipe((Scale(place, factor),)).taps(spec_of(model))
        return logits(model, prepare(prompt(), model), taps)

    with left_as_it_was(model):
        assert torch.equal(under(1.0), bare)
        assert not torch.equal(under(0.0), bare)


@pytest.mark.parametrize("padded", ["", "left", "right"])
def test_a_token_range_touches_its_tokens_alone(llama: Any, padded: str) -> None:
    """The third real token of each row, wherever padding puts it."""
    batch = batch_of(llama, padded)
    names = ("attention_1.q", "attention_1.k", "attention_1.v")
    edits = tuple(Add(name, 1.0, tokens=Tokens("2")) for name in names)

    bare, edited = inside(llama, batch, *names), inside(llama, batch, *names, edits=edits)

    third = torch.zeros(2, LONG, dtype=torch.bool)
    third[0, 2] = third[1, 7 if padded == "left" else 2] = True
    for before, after in zip(bare, edited, strict=True):
        assert torch.equal(after, torch.where(third[..., None, None], before + 1.0, before))


SPANS = [Tokens("all"), Tokens("prompt"), Tokens("generated"), Tokens("-3:"), Tokens("1,4")]


@pytest.mark.parametrize("family", ["gpt2", "llama", "mistral", "gemma3_text", "qwen3"])
@pytest.mark.parametrize("point", ["q", "k", "v"])
@pytest.mark.parametrize("tokens", SPANS, ids=str)
def test_generation_with_a_cache_is_generation_without(family: str, point: str, tokens: Tokens) -> None:
    """Keys and values in the cache are edited anew at every step; in a sliding window they are the last ones."""
    model = tiny(family)
    spec = spec_of(model)
    taps = Recipe((Scale(f"attention_1.{point}", -3.0, tokens=tokens),)).taps(spec)
    options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 2}

    uncached = generate(model, prepare(prompt(), model), taps, **options, use_cache=False)

    for _ in range(2):  # the second time the block below is answered with what was kept
        assert torch.equal(generate(model, prepare(prompt(), model), taps, **options, chain=spec.chain), uncached)


def test_a_cache_of_fixed_length_is_masked_where_its_tokens_are(llama: Any) -> None:
    edit = Scale("attention_1.k", -3.0, tokens=Tokens("1:4"))
    taps = Recipe((edit,)).taps(spec_of(llama))
    options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 2}

    fixed = generate(
        llama, prepare(prompt(), llama), taps, **options, cache_implementation="static", disable_compile=True
    )

    assert torch.equal(fixed, generate(llama, prepare(prompt(), llama), taps, **options))


def test_a_reader_sees_what_a_writer_wrote(llama: Any) -> None:
    (bare,) = inside(llama, batch_of(llama), "attention_1.q")

    (edited,) = inside(
        llama, batch_of(llama), "attention_1.q", edits=(Scale("attention_1.q", 2.0), Add("attention_1.q", 1.0))
    )

    assert torch.equal(edited, bare * 2.0 + 1.0)


def test_other_threads_and_models_meet_nothing_of_it(llama: Any) -> None:
    other, bare = tiny("llama", seed=1), logits_of(llama)
    expected, answers = logits_of(other), []

    with LayerInjector(llama) as injector:
        injector.inject_scaling("attention_1.q", 0.0)
        thread = threading.Thread(target=lambda: answers.append(logits_of(llama)))
        thread.start()
        thread.join()

        assert not torch.equal(logits_of(llama), bare)
        assert torch.equal(logits_of(other), expected)
    assert torch.equal(answers[0], bare)
    assert torch.equal(logits_of(llama), bare)


def test_runs_side_by_side_never_take_the_redirection_from_each_other() -> None:
    """Each thread edits its own model over and over; a missed edit or a foreign one would show."""
    models = [tiny("llama", layers=1, seed=seed) for seed in (0, 1)]
    taps = [Recipe((Scale("attention_0.v", 0.0),)).taps(spec_of(model)) for model in models]
    expected = [logits(model, prepare(prompt(), model), tap) for model, tap in zip(models, taps, strict=True)]
    wrong: list[int] = []

    def again(which: int) -> None:
        for _ in range(100):
            answer = logits(models[which], prepare(prompt(), models[which]), taps[which])
            if not torch.equal(answer, expected[which]):
                wrong.append(which)

    threads = [threading.Thread(target=again, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_the_config_stays_and_a_change_of_it_is_followed(llama: Any) -> None:
    """An edit that stands acts under whatever implementation the user turns to."""
    with LayerInjector(llama) as injector:
        injector.inject_scaling("attention_1.v", 0.0)
        assert llama.config._attn_implementation == "sdpa"
        under_sdpa = logits_of(llama)
        llama.set_attn_implementation("eager")
        under_eager = logits_of(llama)

    assert torch.allclose(under_sdpa, under_eager, atol=1e-5)
    assert not torch.allclose(under_eager, logits_of(llama), atol=1e-5)


def test_an_attention_function_of_the_users_own_is_the_one_that_runs(
    llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def mine(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return AttentionInterface._global_mapping["sdpa"](*args, **kwargs)

    monkeypatch.setitem(AttentionInterface._global_mapping, "mine", mine)
    llama.set_attn_implementation("mine")

    (q,) = inside(llama, batch_of(llama), "attention_2.q")

    assert len(calls) >= 2
    assert q.shape == (2, LONG, 4, 8)
    with pytest.raises(HookError, match="under mine"):
        inside(llama, batch_of(llama), "attention_0.pattern")


class OwnAttention(LlamaAttention):
    """A subclass in a file that knows nothing of attention functions."""


def test_a_subclass_elsewhere_is_read_too(llama: Any) -> None:
    (expected,) = inside(llama, batch_of(llama), "attention_1.pattern")
    other = tiny("llama")
    for block in other.model.layers:
        block.self_attn.__class__ = OwnAttention

    (pattern,) = inside(other, batch_of(other), "attention_1.pattern")

    assert torch.equal(pattern, expected)


@pytest.mark.parametrize("point", POINTS)
def test_where_attention_takes_another_way_it_says_what_to_read_instead(point: str) -> None:
    model = tiny("bloom", n_head=4)

    with pytest.raises(UnavailablePartError) as caught:
        spec_of(model).site(f"attention_1.{point}")

    assert str(caught.value).splitlines() == [
        f"attention_1.{point} of BloomForCausalLM is n/a: its attention does not go through transformers' attention "
        "interface.",
        "Read attention_1.heads instead: what enters its output projection, head beside head.",
    ]


def test_a_module_that_does_not_attend_is_refused_before_anything_is_set(llama: Any) -> None:
    taps = [Read(Site("model.layers.0"), lambda hidden: None), Read(Site("model", "query"), lambda hidden: None)]
    bloom = tiny("bloom", n_head=4)

    with left_as_it_was(bloom), pytest.raises(UnsupportedModelError, match="attention interface"):
        Attached(bloom, [Read(Site("transformer.h.0.self_attention", "query"), lambda hidden: None)])
    with left_as_it_was(llama), pytest.raises(HookError, match="query of model"):
        read(llama, batch_of(llama), taps)


def test_a_pattern_can_be_read_and_not_changed(llama: Any) -> None:
    with left_as_it_was(llama), LayerInjector(llama) as injector:
        with pytest.raises(EditError, match=r"attention_1\.pattern.* can be read, not changed"):
            injector.inject_scaling("attention_1.pattern", 0.5)
        assert injector.list_injections() == []


@pytest.mark.parametrize("wrong", [lambda hidden: hidden[..., :3], lambda hidden: None])
def test_an_answer_of_another_shape_is_refused(llama: Any, wrong: Any) -> None:
    tap = Write(spec_of(llama).site("attention_1.k"), everywhere(wrong), "mine")

    with left_as_it_was(llama), pytest.raises(EditError, match="mine"):
        logits(llama, batch_of(llama), [tap])


def test_what_an_interrupt_left_is_seen_and_swept(llama: Any) -> None:
    """Ended and not closed, as an interrupt at the edge of a run leaves it."""
    baseline, bare = Fingerprint.of(llama), logits_of(llama)
    attached = Attached(llama, Recipe((Scale("attention_1.q", 0.0),)).taps(spec_of(llama)))
    attached.hold()
    attached.end()
    attention = llama.model.layers[1].self_attn

    assert torch.equal(logits_of(llama), bare)
    assert hooks_of_ours(attention) == 1
    assert "model.layers.1.self_attn" in baseline.differences(Fingerprint.of(llama))["hooks"]
    sweep(llama)

    assert hooks_of_ours(attention) == 0
    assert baseline.differences(Fingerprint.of(llama)) == {}


def test_a_redirection_that_serves_nobody_is_seen_and_swept(llama: Any) -> None:
    """Its model is gone, and with it the door; the sweep of any other model takes the rest away."""
    baseline, other = Fingerprint.of(llama), tiny("llama")
    attached = Attached(other, Recipe((Scale("attention_1.q", 0.0),)).taps(spec_of(other)))
    attached.hold()
    attached.end()
    left = weakref.ref(other)
    del other, attached
    gc.collect()

    assert left() is None  # nothing in this process keeps a model for its door
    assert is_left_over()
    assert "attention interface" in baseline.differences(Fingerprint.of(llama))["hooks"]
    sweep(llama)

    assert baseline.differences(Fingerprint.of(llama)) == {}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts")
def test_interrupts_at_any_instant_leave_nothing(llama: Any) -> None:
    baseline, spec, rng = Fingerprint.of(llama), spec_of(llama), random.Random(0)
    taps = Recipe((Scale("attention_1.q", 0.5), Scale("layer_1.mid", 0.5))).taps(spec)
    reads = [Read(spec.site(f"attention_{layer}.pattern"), lambda hidden: None) for layer in range(3)]
    before = signal.signal(signal.SIGALRM, _interrupt)
    interrupted = 0

    try:
        for _ in range(200):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 3e-3))
                logits(llama, batch_of(llama), [*taps, *reads])
                signal.setitimer(signal.ITIMER_REAL, 0)  # inside the `try`: it goes off once, perhaps only now
            except KeyboardInterrupt:
                interrupted += 1
            recover(llama)
            assert sum(map(hooks_of_ours, llama.modules())) == 0
            assert not is_left_over()
    finally:
        signal.signal(signal.SIGALRM, before)

    assert interrupted > 50
    assert baseline.differences(Fingerprint.of(llama)) == {}


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_statistics_of_a_padded_pattern_are_those_of_the_texts_alone() -> None:
    """As many tokens as heads: the two must not be taken for each other."""
    model = tiny("llama")
    ids = torch.tensor([[5, 6, 7, 8], [2, 2, 9, 10]])
    mask = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])
    names = ["attention_1.q", "attention_1.pattern"]

    both = SnapshotCapture(model).run({"input_ids": ids, "attention_mask": mask}, layers=names)

    alone = [SnapshotCapture(model).run(row, layers=names) for row in (ids[:1], ids[1:, 2:])]
    for name, counts in (("attention_1.q", (16, 8)), ("attention_1.pattern", (16, 8))):
        norms = [shot[name].statistics.norm for shot in alone]
        expected = sum(norm * count for norm, count in zip(norms, counts, strict=True)) / sum(counts)
        assert both[name].statistics.norm == pytest.approx(expected, abs=1e-6)
    assert both["attention_1.pattern"].shape == (2, 4, 4, 4)


def test_all_patterns_are_captured_in_one_pass(llama: Any) -> None:
    camera, passes = SnapshotCapture(llama), []
    llama.register_forward_pre_hook(lambda *_: passes.append(1))

    shots = camera.run(prompt(), layers="attention_*.pattern", keep=True)

    assert list(shots) == [f"attention_{layer}.pattern" for layer in range(3)]
    assert passes == [1]
    assert all(torch.allclose(shot.hidden.sum(-1), torch.ones(1, 4, 10), atol=1e-6) for shot in shots.values())  # type: ignore[union-attr]
