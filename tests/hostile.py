"""Texts that try to be more than text, and every kind of answer with one of them wherever a text can stand."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from garage_nb.analyze.judging.judge import judge
from garage_nb.analyze.routers.calibrated import Calibration
from garage_nb.analyze.routers.calibration import calibration
from garage_nb.analyze.routers.reading import routing
from garage_nb.analyze.routers.routing import Routing
from garage_nb.answers.registered import Registered
from garage_nb.answers.sheet import SheetFile
from garage_nb.answers.sweep import Sweep
from garage_nb.compose.assembly.build import build
from garage_nb.compose.graft import Stack, Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.peft.parts import AdapterPart, AdapterParts
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.extract.shelf.shelf import Shelf, Shelved
from garage_nb.garage import Garage
from garage_nb.inject.blades.evidence import Arm, Evidence
from garage_nb.inject.recipe import Recipe
from garage_nb.methods.claim import Arm as TriedArm
from garage_nb.methods.claim import Claim, Role
from garage_nb.methods.outcomes import Item, Marks, Outcomes
from garage_nb.methods.rules.beats import Beats
from garage_nb.methods.trial import Trial
from garage_nb.registry.lift import Lifted, lift
from garage_nb.view.origin import origin_of
from garage_nb.view.saved import SavedResult
from garage_nb.view.shown import Shown
from tests.families import tiny

TEXTS = {
    "markup": '<img src=x onerror="alert(1)"><b>b</b> &amp;',
    "script": "</td></style></div><script>alert(1)</script>",
    "mathematics": r"$x$ and $\frac{$ and \(y\) and $$z$$",
    "direction": "abc\u202egnp.exe \u2066x\u200f",
    "controls": "nul\x00 bell\x07 \x1b[31mred\x1b[0m \x85 \ufeff",
    "lines": "one\ntwo\r\nthree\tfour\u2028five",
    "word": "x" * 110,
    "wide": "日本語の文 👨‍👩‍👧 e\u0301 नि ❤️",
    "braces": '{x} {} %s `code` "q" it\'s \\n',
    "file": __file__,
    "address": "https://example.org/?a=<b>&c#d",
}
HALF = "half \ud800 of a pair"  # which no prompt may hold, but names may
LAID_OUT = "\n\t\u200c\u200d"


def is_seen(sign: str) -> bool:
    return sign in LAID_OUT or unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def unseen(text: str) -> list[str]:
    return [ascii(sign) for sign in text if not is_seen(sign)]


@cache
def _showroom() -> tuple[Any, Any]:
    garage = Garage("showroom")
    return garage.model, garage.tokenizer


def garage_named(name: str) -> Garage:
    """A live model that calls itself so, with an edit by a function that does."""
    model, tokenizer = _showroom()
    model.config._name_or_path = name
    garage = Garage(model, tokenizer=tokenizer)
    garage.through("layer_1", _function_named(name))
    return garage


def answers(text: str, prompt: str) -> dict[str, Shown]:
    """Everything that verbs answer with, by kind."""
    garage = garage_named(text)
    generated = garage.generate(prompt, tokens=2, layers="layer_0,attention_*")
    captured, compared = garage.capture(prompt), garage.compare(prompt=prompt)
    swept, twice = garage.sweep(prompt, parts="0,1", factors="0,1"), _each(garage, prompt)
    looked, attended = garage.lens(prompt), garage.attention(prompt, layers="0,1")
    watched = garage.watch(prompt, tokens=1)
    plain = Garage(garage.model, tokenizer=garage.tokenizer)
    saved = SavedResult(origin_of(looked), looked.frame())
    return {
        "garage": garage, "status": garage.status(), "spec": garage.spec, "parts": garage.parts("attention_*"),
        "report": garage.report(), "edits": garage.noise("layer_2"), "recipe": garage.recipe(),
        "capture": captured, "snapshot": captured["layer_0"],
        "plot": garage.plot(prompt), "generation": generated, "generation plot": generated.plot(),
        "plain generation": plain.generate(prompt, tokens=2), "steps": generated.steps or plain,
        "steps plot": generated.steps.plot() if generated.steps else plain,
        "trace": watched, "trace plot": watched.plot(),
        "comparison": compared, "comparison plot": compared.plot(),
        "two models": garage.compare("showroom", prompt=prompt),
        "compatibility": garage.compare(plain.model), "sweep": swept, "sweep plot": swept.plot(), "each": twice,
        "saved": saved, "saved plot": saved.plot(),
        "lens": looked, "lens plot": looked.plot(), "attention": attended, "attention plot": attended.plot(),
        "head plot": attended.plot("attention_1.head_0"),
        **_causal(garage, prompt),
        **_scanned(garage, text, prompt),
        **_tried(text),
        **_built(text),
        "extracted": garage.extract("attention_1"), "part test": garage.extract("attention_1").test(),
        "evidence": evidence(text), "shelf": Shelf(text, (Shelved(text, None, text),)), "verified": garage.verify(),
        "registered": Registered((garage.spec,)), "help": garage.help("scale"), "manual": garage.help(),
        "settings": garage.config(), "models": garage.models(), "stopped": garage.stop(), "doctor": garage.doctor(),
    }  # fmt: skip


def evidence(text: str) -> Evidence:
    arms = (Arm(name=text, n=9, effect=0.2, low=-0.1, high=0.3), Arm(name="noise", n=9, effect=0, low=0, high=0))
    return Evidence(metric=text, arms=arms, retention=arms[:1], models={text: text}, data="0" * 64)


def _causal(garage: Garage, prompt: str) -> dict[str, Shown]:
    """Against a prompt with another last token."""
    other = [*garage.tokenizer(prompt)["input_ids"][:-1], 7]
    patched = garage.patching(prompt, other, layers="0,1", metric="divergence", method="both")
    pairs = garage.patching([prompt, prompt], [other, [*other[:-1], 9]], layers="0", tokens="-1", metric="divergence")
    ablated, noisy = garage.ablation(prompt, layers="0,1"), garage.robustness(prompt, layers="0,1", draws=2)
    return {
        "patched": patched, "patched plot": patched.plot(), "pairs": pairs, "pairs plot": pairs.plot(),
        "ablated": ablated, "ablated plot": ablated.plot(), "noisy": noisy, "noisy plot": noisy.plot(),
    }  # fmt: skip


def _scanned(garage: Garage, text: str, prompt: str) -> dict[str, Shown]:
    """With the text as the name of a domain too."""
    weighed, heads = garage.weights(layers="0"), garage.heads(prompt, layers="0,1")
    alike = garage.similarity(prompt, layers="0,1")
    pair = garage.similarity(prompt, layers="0,1", against=garage.tokenizer(prompt)["input_ids"][::-1])
    shares = garage.attribution(prompt, by="heads")
    scanned = garage.scan({text: [prompt], "plain": [prompt]}, layers="0,1", growth=0.1)
    neurons = garage.neurons({text: [prompt], "plain": ["The capital of France is"]}, layers="0", relabellings=3)
    return {
        "scan": scanned, "scan plot": scanned.plot(), "flagged": scanned.anomalies,
        "weights": weighed, "weights plot": weighed.plot(), "spectra plot": weighed.plot("layer_0"),
        "heads": heads, "heads plot": heads.plot("sink"), "similarity": alike, "similarity plot": alike.plot(),
        "resemblance": pair, "resemblance plot": pair.plot(), "neurons": neurons, "neurons plot": neurons.plot(),
        "shares": shares, "shares plot": shares.plot(), **_thinned(garage), **_routed(text),
        **_judged(garage, text, prompt),
    }  # fmt: skip


def _thinned(garage: Garage) -> dict[str, Shown]:
    texts = [f"The capital of {country} is" for country in ("France", "Spain", "Japan")]
    thinned = garage.thresholds(texts, layers="ffn_0.neurons", shares="0,0.5", control="none")
    return {"thinned": thinned, "thinned plot": thinned.plot()}


@cache
def _routers() -> tuple[Routing, Calibration]:
    moe = lift("showroom-moe")
    texts = {"law": ["The capital of France is"], "plain": ["The capital of Spain is"]}
    items = [{"prompt": each[0], "answer": "Paris", "domain": domain} for domain, each in texts.items()]
    read = routing(moe, texts, layers="gate_1", relabellings=3)
    return read, calibration(moe, items, Recipe(), "gate_1", relabellings=3)


def _routed(text: str) -> dict[str, Shown]:
    """Of a model and a domain of that name."""
    read, tried = _routers()
    read = replace(read, model_id=text, tokens={text: 5, "plain": 5})
    tried = replace(tried, model_id=text, domains=(text, "plain"))
    return {
        "routing": read, "routing plot": read.plot("gate_1"), "calibration": tried, "calibration plot": tried.plot(),
    }  # fmt: skip


def _judged(garage: Garage, text: str, prompt: str) -> dict[str, Shown]:
    """Beside a model and in a domain of that name."""
    asked = {"prompt": prompt, "answer": "Paris", "domain": text}
    judged = judge(
        garage.lifted,
        {f"{text}.": garage.lifted},
        Recipe(),
        texts={text: [prompt], "plain": ["The capital of France is"]},
        exercises=[asked, ("The capital of France is", "Paris")],
    )
    return {"judged": judged, "judged plot": judged.plot()}


def _tried(text: str) -> dict[str, Shown]:
    """With the text as the name of arms, items and a domain, and all that is said of the claim."""
    roles = {text: Role.NO_OP, f"{text}.": Role.TREATMENT, f"{text}:": Role.CONTROL}
    arms = tuple(TriedArm(name, role) for name, role in roles.items())
    rule = Beats(treatment=f"{text}.", controls=(f"{text}:",), margin=0.1)
    said = {"statement": text, "source": text, "protocol": text}
    claim = Claim(key="hostile", arms=arms, rule=rule, target=(text,), **said)
    items = tuple(Item(domain, f"{text} {number}") for domain in (text, "plain") for number in range(6))
    marks = Marks(right=torch.arange(12) % 3 > 0, log_probs=-torch.arange(12.0))
    runs = Outcomes.of("hostile", text, items, {seed: {arm.name: marks for arm in arms} for seed in (0, 1)})
    trial = Trial(claim=claim, outcomes=runs, model_id=text)
    return {"tried": trial, "tried plot": trial.plot(), "runs": runs}


def _built(text: str) -> dict[str, Shown]:
    """With the text as a place and as the name of the result."""
    donors = {"a": _donor()}
    checked = check(BuildSheet("a", donors, (Swap(text, Ref.of("[ffn_0]")),), name=text))
    hybrid = build(BuildSheet("a", donors, (Stack.of("0 0"),), name=text))
    parts = AdapterParts(text, "LoRA", text, (AdapterPart(text, text, 2, 4, 2, 8),))
    plan = SheetFile(Path(text), checked.sheet)
    return {"checked": checked, "hybrid": hybrid, "proofs": hybrid.proofs, "plan": plan, "adapter": parts}


@cache
def _donor() -> Lifted:
    return lift(tiny("llama", 1))


def _each(garage: Garage, prompt: str) -> Sweep:
    return garage.sweep(prompt, parts="0", factors="0", tokens="each")


def _function_named(name: str) -> Any:
    def same(hidden: Any) -> Any:
        return hidden

    same.__name__ = name
    return same
