"""Texts that try to be more than text, and every kind of answer with one of them wherever a text can stand."""

from __future__ import annotations

import unicodedata
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from garage_nb.analyze.debates.debates import Debates
from garage_nb.analyze.debates.study import debates
from garage_nb.analyze.judging.judge import judge
from garage_nb.analyze.pathways.answer import FoundPathways
from garage_nb.analyze.pathways.pathways import pathways
from garage_nb.analyze.pathways.tradeoff import tradeoff
from garage_nb.analyze.pathways.tradeoff_curves import TradeoffCurves
from garage_nb.analyze.routers.calibrated import Calibration
from garage_nb.analyze.routers.calibration import calibration
from garage_nb.analyze.routers.reading import routing
from garage_nb.analyze.routers.routing import Routing
from garage_nb.answers.registered import Registered
from garage_nb.answers.sheet import SheetFile
from garage_nb.answers.slicing import Slicing, slicing
from garage_nb.answers.sweep import Sweep
from garage_nb.compose.assembly.build import build
from garage_nb.compose.graft import Stack, Swap
from garage_nb.compose.layout.check import check
from garage_nb.compose.peft.parts import AdapterPart, AdapterParts
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.core.batch import prepare
from garage_nb.extract.shelf.shelf import Shelf, Shelved
from garage_nb.fleet.corpus.text import SetAside
from garage_nb.fleet.estimate import Estimate, Factor
from garage_nb.fleet.simulated.simulation import SAID, Simulation
from garage_nb.fleet.surveying.aside import LeftOut
from garage_nb.garage import Garage
from garage_nb.inject.blades.blade import Blade
from garage_nb.inject.blades.card import FitCard, ModelCard
from garage_nb.inject.blades.evidence import Arm, Evidence
from garage_nb.inject.debating.debating import Debating
from garage_nb.inject.debating.fitted import FittedGate
from garage_nb.inject.debating.gate import Gate
from garage_nb.inject.debating.held import held
from garage_nb.inject.mask import Mask
from garage_nb.inject.recipe import Recipe
from garage_nb.methods.blades.blade_card import BladeCard
from garage_nb.methods.blades.place_sweep import PlaceSweep
from garage_nb.methods.claim import Arm as TriedArm
from garage_nb.methods.claim import Claim, Role
from garage_nb.methods.claims.gated_over_identity import GATED_OVER_IDENTITY
from garage_nb.methods.claims.listed import Claims
from garage_nb.methods.outcomes import Item, Marks, Outcomes
from garage_nb.methods.rules.beats import Beats
from garage_nb.methods.stitching.matrix import StitchingMatrix
from garage_nb.methods.stitching.study import stitching
from garage_nb.methods.trial import Trial
from garage_nb.methods.trials import Trials
from garage_nb.pipelines.diagnose.diagnosis import Diagnosis
from garage_nb.pipelines.diagnose.remark import Remark
from garage_nb.pipelines.diagnose.section import Chapter, Section
from garage_nb.pipelines.slim.slim import slim
from garage_nb.pipelines.slim.slimmed import Slimmed
from garage_nb.pipelines.specialise.specialised import Specialised
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
        **_combined(text),
        **_bladed(text),
        "diagnosed": _diagnosed(text),
        **_debated(garage, text, prompt), **_surveyed(garage, text, prompt),
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
        "shares": shares, "shares plot": shares.plot(), **_thinned(garage), **_routed(text), **_spared(text),
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


@cache
def _pathways() -> tuple[FoundPathways, TradeoffCurves, Slicing]:
    lifted = lift("showroom")
    kept = [(f"The capital of {country} is", city) for country, city in (("France", "Paris"), ("Spain", "Madrid"))]
    before = {"a": ("", "So. "), "b": ("Now. ", "Yes. ")}
    items = [
        {"prompt": f"{start}{prompt}", "answer": answer, "domain": domain}
        for domain, starts in before.items()
        for start in starts
        for prompt, answer in kept
    ]
    curves = tradeoff(lifted, items, Recipe(), "ffn_0", keep=[0.5])
    masks = Recipe(tuple(Mask(f"ffn_{layer}", keep="0:4") for layer in range(lifted.spec.num_layers)))
    return pathways(lifted, items, Recipe(), "ffn_0", sampled=2), curves, slicing(lifted, masks, "small")


def _spared(text: str) -> dict[str, Shown]:
    """Of a model and a domain of that name."""
    found, curves, sliced = _pathways()
    found = replace(found, model_id=text, domains=(text, "plain"))
    curves = replace(curves, model_id=text, domains=(text, "plain"))
    sliced = replace(sliced, made=replace(sliced.made, name=text))
    return {
        "pathways": found, "pathways plot": found.plot(), "together plot": found.plot("together"),
        "tradeoff": curves, "tradeoff plot": curves.plot(), "sliced": sliced,
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


def _surveyed(garage: Garage, text: str, prompt: str) -> dict[str, Shown]:
    """Of a corpus of that name, in which a text so called was set aside."""
    plain = Garage(garage.model, tokenizer=garage.tokenizer)
    found = plain.survey([prompt], stats="norm,loss", layers="0,1", on="here")
    aside = LeftOut([SetAside(text, text, text)])
    told = replace(found, corpus=text, aside=aside)
    return {"survey": told, "survey plot": told.plot(), "left out": aside, **_foretold(text)}


def _foretold(text: str) -> dict[str, Shown]:
    """Of a cluster that is not there: numbers, and where they come from."""
    factors = {one.name: Factor(1.0, "s", text) for one in fields(Estimate)}
    return {"simulated": Simulation(workers=1, **dict.fromkeys(SAID, 1)), "estimate": Estimate(**factors)}


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
    return {
        "tried": trial,
        "tried plot": trial.plot(),
        "runs": runs,
        "trials": Trials.of([trial], {text: text}),
        "claims": _claims(text),
    }


def _bladed(text: str) -> dict[str, Shown]:
    """A blade of that name, made for such a model, in such a domain, in such a file, and a reason of that text."""
    model = ModelCard(
        model_id=text, model_class=text, hidden_size=8, layers=2, vocabulary=9, tokenizer=text, weights=text
    )
    blade = Blade(
        name=text, kind="direction", place="layer_1", width=8, tensors={}, settings={"method": text}, target=model,
        source=model, source_place="layer_1", fit=FitCard(data=text, n=3, loss=1.0), evidence=evidence(text),
    )  # fmt: skip
    items, arms = [Item(domain, str(one)) for domain in (text, "plain") for one in range(6)], ("target", "layer_1")
    marks = Marks(right=torch.arange(12) % 3 > 0, log_probs=-torch.arange(12.0))
    sweep = PlaceSweep(
        blades=(blade,), outcomes=Outcomes.of("place", text, items, {0: dict.fromkeys(arms, marks)}), domain=text
    )
    named = tuple(TriedArm(name, role) for name, role in _ROLES.items())
    rule = Beats(treatment="the blade", controls=("target",), margin=0.1)
    claim = Claim(
        key="blade", statement=text, source=text, protocol=text, arms=named, rule=rule, target=(text,)
    )  # fmt: skip
    runs = Outcomes.of("blade", text, items, {0: dict.fromkeys(_ROLES, marks)})
    card = BladeCard(blade=blade, sweep=sweep, trial=Trial(claim=claim, outcomes=runs, model_id=text))
    special = Specialised(sweeps={"direction": sweep}, left_out={"gated": text}, card=card)
    bare = BladeCard(blade=replace(blade, evidence=None), saved=Path(text.replace("\0", "")))
    return {
        "blade": card, "bare blade": bare, "places": sweep, "places plot": sweep.plot(),
        "specialised": special, "specialised plot": special.plot(),
    }  # fmt: skip


_ROLES = {"target": Role.NO_OP, "the blade": Role.TREATMENT, "source": Role.BASELINE}


def _claims(text: str) -> Claims:
    """One whose words are the text; it is never tried."""
    one = replace(GATED_OVER_IDENTITY, statement=text, source="somewhere", needs=(text,))
    return Claims([one])


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


@cache
def _stitched_and_slimmed() -> tuple[StitchingMatrix, Slimmed]:
    lifted = lift(tiny("llama", 2))
    rows = [[number % 60, 7 * number % 61, 3, 5 + number] for number in range(1, 50)]
    texts = {"law": torch.tensor(rows), "plain": torch.tensor(rows)[:, :3]}
    return stitching(lifted, lifted, Recipe(), texts=texts), slim(lifted, texts, loss=9.0, by="layers")


def _combined(text: str) -> dict[str, Shown]:
    """Of models of that name, with the text as a reason why not and as a domain."""
    matrix, slimmed = _stitched_and_slimmed()
    matrix = replace(matrix, model_id=text, guest_id=f"{text}.", reasons={("layer_0", "layer_1"): text})
    marks = slimmed.evaluation.texts
    assert marks is not None
    named = replace(marks, domains=tuple(text if domain == "law" else domain for domain in marks.domains))
    evaluation = replace(slimmed.evaluation, texts=named)
    made = replace(slimmed.made, name=text)
    slimmed = replace(slimmed, made=made, model_id=text, notes=(text,), evaluation=evaluation)
    return {"stitched": matrix, "stitched plot": matrix.plot(), "slimmed": slimmed}


def _debated(garage: Garage, text: str, prompt: str) -> dict[str, Shown]:
    """With the text as a model, a domain, and the place of a gate's file."""
    one, how = garage.debate(prompt, blocks=1, steps=2), Debating("layer_0", 0)
    study = replace(_study(), model_id=text, domains=(text, "plain"))
    batch = prepare("The capital of France is", garage.model, garage.tokenizer)
    fit = FitCard(data=text, n=3, loss=1.0)
    gate = Gate(torch.zeros(2, 8), torch.zeros(2), fit, text, replace(ModelCard.of(garage.lifted), model_id=text))
    fitted = FittedGate(
        model_id=text, debating=replace(how, reconciliation="gated", gate=gate), saved=Path(text.replace("\0", ""))
    )
    return {
        "debated": one, "debated plot": one.plot("weight"), "debates": study, "debates plot": study.plot(),
        "held": held(garage.model, garage.spec, batch, how), "fitted gate": fitted,
    }  # fmt: skip


@cache
def _study() -> Debates:
    items = [(f"The capital of {country} is", "Paris") for country in ("France", "Spain")]
    return debates(lift("showroom"), items, Debating("layer_0", 1), Recipe(), draws=1)


def _diagnosed(text: str) -> Diagnosis:
    """With the text in everything that a section can say."""
    told = Remark(said=text, rule=text, value=2, threshold=1)
    chapter = Chapter(key="hostile", title=text, shows=text, hides=text, verb="scan", read=lambda case: iter(()))
    found = Section(chapter=chapter, html="", remarks=(told,), state="failed", trouble=(text, text), seconds=1)
    return Diagnosis(model_id=text, seed=0, about={text: text}, sections=(found,), path=Path(text))


def _each(garage: Garage, prompt: str) -> Sweep:
    return garage.sweep(prompt, parts="0", factors="0", tokens="each")


def _function_named(name: str) -> Any:
    def same(hidden: Any) -> Any:
        return hidden

    same.__name__ = name
    return same
