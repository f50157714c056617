"""%garage in a real shell: each line is its Python twin, and gives the object itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from garage_nb.analyze.judging.evaluation import Evaluation
from garage_nb.analyze.judging.exercise import Exercise
from garage_nb.answers.slicing import Slicing
from garage_nb.errors import EditError, GarageError, InputError, UnknownPartError
from garage_nb.garage import Garage
from garage_nb.inject.mask import Mask
from garage_nb.inject.recipe import Recipe
from garage_nb.methods.blades.blade_card import BladeCard
from garage_nb.pipelines.slim.slimmed import Slimmed
from garage_nb.showroom.corpus import items
from garage_nb.verbs import find, verbs_of
from garage_nb.view.figure import Plot
from tests.families import tiny
from tests.restored import hooks_on

Run = Callable[[str], Any]
FRANCE = "The capital of France is"
JAPAN = "The capital of Japan is"
DIRECTION, MODULE = torch.linspace(-1, 1, 128), torch.nn.Tanh()


def margin(logits: torch.Tensor) -> torch.Tensor:
    return logits[:, 7] - logits[:, 8]


TWINS: dict[str, Callable[[Garage], Any]] = {
    "": lambda g: g.help(),
    "help scale": lambda g: g.help("scale"),
    "load showroom --dtype bfloat16 --device cpu": lambda g: g.load("showroom", dtype="bfloat16", device="cpu"),
    "status": lambda g: g.status(),
    "parts attention_*": lambda g: g.parts("attention_*"),
    "report": lambda g: g.report(),
    f'capture "{FRANCE}" --layers 0,-1 --keep --tau 0.2': lambda g: g.capture(
        FRANCE, layers="0,-1", keep=True, tau=0.2
    ),
    f'analyze "{FRANCE}" --layers ffn_1.neurons': lambda g: g.capture(FRANCE, layers="ffn_1.neurons"),
    f'plot "{FRANCE}" --statistic entropy': lambda g: g.plot(FRANCE, statistic="entropy"),
    f'attention "{FRANCE}" --layers 0,-1': lambda g: g.attention(FRANCE, layers="0,-1"),
    f'lens "{FRANCE}" --layers layer_* --top 3 --target " Paris"': lambda g: g.lens(FRANCE, top=3, target=" Paris"),
    f'heads "{FRANCE}" --layers 0,-1 --threshold 0.3': lambda g: g.heads(FRANCE, layers="0,-1", threshold=0.3),
    "heads --length 5 --seed 3": lambda g: g.heads(length=5, seed=3),
    f'attribution "{FRANCE}" --target " Paris" --foil " Rome" --by heads': lambda g: g.attribution(
        FRANCE, target=" Paris", foil=" Rome", by="heads"
    ),
    "scan @texts --layers layer_*,ffn_1.neurons --growth 2 --rare 0.5 --tau 0.2": lambda g: g.scan(
        [FRANCE, JAPAN], layers="layer_*,ffn_1.neurons", growth=2, rare=0.5, tau=0.2
    ),
    "neurons --layers 0,-1 --relabellings 20 --seed 3": lambda g: g.neurons(layers="0,-1", relabellings=20, seed=3),
    f'similarity "{FRANCE}" --layers 0,-1': lambda g: g.similarity(FRANCE, layers="0,-1"),
    f'similarity "{FRANCE}" --against "The capital of Spain is"': lambda g: g.similarity(
        FRANCE, against="The capital of Spain is"
    ),
    "thresholds @texts --layers ffn_0.neurons,ffn_1 --shares 0,0.5 --control random --seed 3": lambda g: g.thresholds(
        [FRANCE, JAPAN], layers="ffn_0.neurons,ffn_1", shares="0,0.5", control="random", seed=3
    ),
    "weights --layers 0,-1 --tau 0.2": lambda g: g.weights(layers="0,-1", tau=0.2),
    f'patching "{FRANCE}" "{JAPAN}" --layers 0,ffn_1 --tokens -1 --target " Paris" --method both': lambda g: g.patching(
        FRANCE, JAPAN, layers="0,ffn_1", tokens="-1", target=" Paris", method="both"
    ),
    f'patching "{FRANCE}" "{JAPAN}" --metric @margin': lambda g: g.patching(FRANCE, JAPAN, metric=margin),
    "patching @texts @others --layers 0,1 --tokens -1 --seed 3": lambda g: g.patching(
        [FRANCE, JAPAN], [JAPAN, FRANCE], layers="0,1", tokens="-1", seed=3
    ),
    f'path "{FRANCE}" "{JAPAN}" --senders attention_0.head_* --receiver ffn_1': lambda g: g.path(
        FRANCE, JAPAN, senders="attention_0.head_*", receiver="ffn_1"
    ),
    f'robustness "{FRANCE}" --layers 0,-1 --stds 0,0.5 --draws 2': lambda g: g.robustness(
        FRANCE, layers="0,-1", stds="0,0.5", draws=2
    ),
    "ablation @texts --layers 0,ffn_* --how resample --metric probability --seed 3": lambda g: g.ablation(
        [FRANCE, JAPAN], layers="0,ffn_*", how="resample", metric="probability", seed=3
    ),
    "diagnose --texts @texts --quick --seed 3": lambda g: g.diagnose(texts=[FRANCE, JAPAN], quick=True, seed=3),
    "scale layer_1,-1 -0.5": lambda g: g.scale("layer_1,-1", -0.5),
    "add layer_1 @direction": lambda g: g.add("layer_1", DIRECTION),
    "add layer_1 0.5": lambda g: g.add("layer_1", 0.5),
    "noise layer_1 0.2 --seed 3": lambda g: g.noise("layer_1", 0.2, seed=3),
    "steer layer_1 @direction -2 --tokens -1": lambda g: g.steer("layer_1", DIRECTION, -2, tokens="-1"),
    f'ablate ffn_1 mean --reference "{FRANCE}"': lambda g: g.ablate("ffn_1", "mean", reference=FRANCE),
    f'patch layer_1 "{FRANCE}" --positions -1 --tokens 0,2': lambda g: g.patch(
        "layer_1", FRANCE, positions="-1", tokens="0,2"
    ),
    "mask attention_* --drop 0,-1": lambda g: g.mask("attention_*", drop="0,-1"),
    "threshold ffn_*.neurons 0.2 --tokens not_first": lambda g: g.threshold("ffn_*.neurons", 0.2, tokens="not_first"),
    "bias gate_0 -10 --expert 0,2 --strength 0.5": lambda g: g.bias("gate_0", -10, expert="0,2", strength=0.5),
    "routers @by_domain --layers gate_0,ffn_-1 --relabellings 20 --seed 3": lambda g: g.routers(
        {"france": [FRANCE], "japan": [JAPAN]}, layers="gate_0,ffn_-1", relabellings=20, seed=3
    ),
    "calibrate @asked --layers gate_1 --sets 5 --relabellings 50 --seed 3": lambda g: g.calibrate(
        asked(), layers="gate_1", sets=5, relabellings=50, seed=3
    ),
    "claim": lambda g: g.claim(),
    "survey @texts --stats norm,loss --layers 0 --neurons ffn_1 --on here": lambda g: g.survey(
        [FRANCE, JAPAN], stats="norm,loss", layers="0", neurons="ffn_1", on="here"
    ),
    "fit_blade direction --items @sides --domain facts --at sweep --name north": lambda g: g.fit_blade(
        "direction", items=sides(), domain="facts", at="sweep", name="north"
    ),
    "measure_blade @north --items @sides --domain facts --seed 3": lambda g: g.measure_blade(
        north(), items=sides(), domain="facts", seed=3
    ),
    "blade_card @north": lambda g: g.blade_card(north()),
    "blade @north --at layer_2 --alpha 0.5": lambda g: g.blade(north(), at="layer_2", alpha=0.5),
    "specialise facts --items @sides --steps 1": lambda g: g.specialise("facts", items=sides(), steps=1),
    f'debate "{FRANCE}" --at layer_1 --blocks 2 --reconciliation confidence --perspectives 3 --steps 2': lambda g: (
        g.debate(FRANCE, at="layer_1", blocks=2, reconciliation="confidence", perspectives=3, steps=2)
    ),
    "fit_gate @texts --at layer_1 --divergence projection --steps 2 --seed 3": lambda g: g.fit_gate(
        [FRANCE, JAPAN], at="layer_1", divergence="projection", steps=2, seed=3
    ),
    "debates @asked --at layer_1 --strength 0.3 --draws 1 --seed 3": lambda g: g.debates(
        asked(), at="layer_1", strength=0.3, draws=1, seed=3
    ),
    "pathways @asked --layers ffn_0 --fill mean --seed 3": lambda g: g.pathways(
        asked(), layers="ffn_0", fill="mean", seed=3
    ),
    "tradeoff @asked --layers ffn_0 --keep 0.25,0.5 --seed 3": lambda g: g.tradeoff(
        asked(), layers="ffn_0", keep="0.25,0.5", seed=3
    ),
    "slice @masks --name small": lambda g: g.slice(masks(), name="small"),
    "isolate gate_1 2 --tokens not_first": lambda g: g.isolate("gate_1", 2, tokens="not_first"),
    "experts gate_0,gate_1 --drop -1": lambda g: g.experts("gate_0,gate_1", drop=-1),
    "reroute gate_* random --seed 3": lambda g: g.reroute("gate_*", "random", seed=3),
    "through layer_1 @module": lambda g: g.through("layer_1", MODULE),
    "recipe": lambda g: g.recipe(),
    "undo": lambda g: g.undo(),
    "redo": lambda g: g.redo(),
    "reset": lambda g: g.reset(),
    f'generate "{FRANCE}" --tokens 4 --temperature 0.7 --seed 5': lambda g: g.generate(
        FRANCE, tokens=4, temperature=0.7, seed=5
    ),
    f'watch "{FRANCE}" --tokens 3 --layers 0,-1 --statistic norm --tau 0.05': lambda g: g.watch(
        FRANCE, tokens=3, layers="0,-1", statistic="norm", tau=0.05
    ),
    f'sweep "{FRANCE}" --parts layer_1,-1 --factors 0:1:0.5 --tokens not_first': lambda g: g.sweep(
        FRANCE, parts="layer_1,-1", factors="0:1:0.5", tokens="not_first"
    ),
    f'compare --prompt "{FRANCE}"': lambda g: g.compare(prompt=FRANCE),
    "compare @other": lambda g: g.compare(tiny("llama")),
    "compare showroom-llama showroom-llama-seed1": lambda g: g.compare("showroom-llama", "showroom-llama-seed1"),
    "extract attention --layer 1": lambda g: g.extract("attention", layer=1),
    "shelf @shelf": lambda g: g.shelf(kept("shelf")),
    "shelf @lora": lambda g: g.shelf(kept("lora")),
    "borrow @directions --strength 2 --at layer_1": lambda g: g.borrow(
        kept("directions.safetensors"), strength=2, at="layer_1"
    ),
    "donor sorter showroom-llama-sorting": lambda g: g.donor("sorter", "showroom-llama-sorting"),
    'stack "0:3 showroom-llama-sorting[3:5] -1"': lambda g: g.stack("0:3 showroom-llama-sorting[3:5] -1"),
    "swap attention_1 showroom-llama-sorting[attention_2]": lambda g: g.swap(
        "attention_1", "showroom-llama-sorting[attention_2]"
    ),
    "swap ffn_1 @guest --adapter untrained": lambda g: g.swap("ffn_1", tiny("llama"), adapter="untrained"),
    "merge ffn_*,layer_norm_final showroom-llama-sorting --method slerp --t 0..1": lambda g: g.merge(
        "ffn_*,layer_norm_final", "showroom-llama-sorting", method="slerp", t="0..1"
    ),
    "adapt @lora --scale 0.5": lambda g: g.adapt(kept("lora"), scale=0.5),
    "sheet": lambda g: g.sheet(),
    "build --name twin": lambda g: g.build(name="twin"),
    "heal --texts @told --steps 2 --seed 3": lambda g: g.heal(texts=told(), steps=2, seed=3),
    "judge @donors --texts @texts --averaged b,c --seed 3": lambda g: g.judge(
        rivals(), texts=[FRANCE, JAPAN], averaged="b,c", seed=3
    ),
    "stitching showroom --part ffn_0,ffn_1 --texts @texts --seed 3": lambda g: g.stitching(
        "showroom", part="ffn_0,ffn_1", texts=[FRANCE, JAPAN], seed=3
    ),
    "slim --loss 2 --by layers --texts @told --seed 3": lambda g: g.slim(loss=2, by="layers", texts=told(), seed=3),
    "launch \"capture 'Hi' --layers 0,attention_*\" --ranks 2": lambda g: g.launch(
        "capture 'Hi' --layers 0,attention_*", ranks=2
    ),
    "verify": lambda g: g.verify(),
    "registry list": lambda g: g.registry("list"),
    "spec": lambda g: g.spec,
    "models": lambda g: g.models(),
    "show": lambda g: g.show(),
    "stop": lambda g: g.stop(),
    "config tau 0.2": lambda g: g.config("tau", 0.2),
    "doctor": lambda g: g.doctor(),
    "inject layer_1 @module": lambda g: g.through("layer_1", MODULE),
    "open showroom-llama": lambda g: g.load("showroom-llama"),
}


ROUTED = {"bias", "routers", "calibrate", "isolate", "experts", "reroute"}
BUILDING = {"launch", "donor", "stack", "swap", "merge", "adapt", "sheet", "build", "heal", "judge", "shelf", "slim"}
BEFORE: dict[str, tuple[str, Callable[[Garage], Any]]] = {
    "redo": ("undo", lambda g: g.undo()),
    "slim": ("reset", lambda g: g.reset()),
    "fit_blade": ("reset", lambda g: g.reset()),
    "measure_blade": ("reset", lambda g: g.reset()),
    "specialise": ("reset", lambda g: g.reset()),
    "sheet": ('stack "0:2"', lambda g: g.stack("0:2")),
    "build": ('stack "0:2"', lambda g: g.stack("0:2")),
    "slice": ("reset", lambda g: g.reset()),
    "heal": (
        "swap ffn_2 showroom-llama-seed1 --adapter fit",
        lambda g: g.swap("ffn_2", "showroom-llama-seed1", adapter="fit"),
    ),
}


@cache
def kept(name: str) -> str:
    """A file or folder for verbs that read one, made once."""
    place = Path(mkdtemp()) / name
    garage = Garage("showroom-llama")
    if name == "lora":
        from peft import LoraConfig, get_peft_model

        adapted = get_peft_model(garage.model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
        adapted.save_pretrained(place)
    elif name == "shelf":
        garage.extract("attention_1", to=str(place))
    else:
        garage.steer("layer_1", DIRECTION)
        garage.recipe("save", str(place))
    return str(place)


@cache
def rivals() -> dict[str, Any]:
    return {name: Garage(f"showroom-llama-{kind}").lifted for name, kind in (("b", "sorting"), ("c", "seed1"))}


@cache
def asked() -> list[Exercise]:
    return [item.exercise for item in items("facts", "test", 8)]


def masks() -> Recipe:
    return Recipe(tuple(Mask(f"ffn_{layer}", keep="0:64") for layer in range(6)))


@cache
def sides() -> list[Exercise]:
    return [one.exercise for domain in ("facts", "sorting") for one in dict.fromkeys(items(domain, "train", 16))]


@cache
def north() -> BladeCard:
    """Measured on the items it was fitted beside, whatever else is on the lift."""
    return Garage("showroom").fit_blade("direction", items=sides(), domain="facts", at="layer_1", name="north")


@cache
def told() -> list[str]:
    return [item.text for item in items("stories", "train", 40)]


def steady(answer: Any) -> str:
    """Without what is measured by the clock."""
    if isinstance(answer, Slimmed):
        return str(answer.frame())
    if isinstance(answer, Slicing):
        return repr(answer.made.proofs)
    if not isinstance(answer, Evaluation):
        return repr(answer)
    frame = answer.frame().reset_index()
    return str(frame[frame["measure"] != "milliseconds"])


def test_every_verb_has_a_twin_here() -> None:
    verbs = verbs_of(Garage)

    tried = {find(verbs, line.split()[0] if line else "help").name for line in TWINS}

    assert tried == set(verbs)


@pytest.mark.parametrize("line", TWINS)
def test_a_line_is_its_python_twin(shell: InteractiveShell, run: Run, line: str) -> None:
    verb = line.split()[0] if line else ""
    model = "showroom-moe" if verb in ROUTED else "showroom-llama" if verb in BUILDING else "showroom"
    garage = Garage(model)
    garage.scale("attention_1", 0.5)
    shell.push({"direction": DIRECTION, "module": MODULE, "other": tiny("llama")})
    shell.push({"margin": margin, "texts": [FRANCE, JAPAN], "others": [JAPAN, FRANCE]})
    run(f"%garage load {model}")
    run("%garage scale attention_1 0.5")
    if found := BEFORE.get(verb):
        run(f"%garage {found[0]}")
        found[1](garage)
    shell.push({"lora": kept("lora"), "shelf": kept("shelf"), "directions": kept("directions.safetensors")})
    shell.push({"by_domain": {"france": [FRANCE], "japan": [JAPAN]}, "asked": asked(), "told": told()})
    shell.push({"masks": masks(), "guest": tiny("llama"), "donors": rivals()})
    shell.push({"sides": sides(), "north": north()})

    said, called = run(f"%garage {line}"), TWINS[line](garage)

    assert type(said).__qualname__ == type(called).__qualname__  # anywidget gives each widget a class of its own
    assert steady(said) == steady(called)
    assert run("%garage status").recipe == garage.status().recipe
    if isinstance(said, Plot):
        pairs = zip(said.axes.get_lines(), called.axes.get_lines(), strict=True)
        assert all(list(a.get_ydata()) == list(b.get_ydata()) for a, b in pairs)


def test_an_assignment_gets_the_object(shell: InteractiveShell, run: Run) -> None:
    run("%garage load showroom")
    run(f'shots = %garage capture "{FRANCE}" --layers 0,-1  # two of them')

    assert len(shell.user_ns["shots"]) == 2
    assert shell.user_ns["shots"].frame().shape[0] == 2


PROMPTS = [
    "{n} {undefined} {1:02d} {}",
    "$n $5 $$",
    r"$\frac{\alpha}{2}$ \n \\ b",
    "don't # stop; now",
    "naïve 日本語 🚗",
    "/etc/passwd",
    "https://example.org/a?b=1#c",
    "--tokens 5",
    "@n",
    "<b>&amp;</b>",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_quoted_prompt_arrives_byte_for_byte(shell: InteractiveShell, run: Run, prompt: str) -> None:
    shell.push({"n": 3})
    run("%garage load showroom")

    assert run(f'%garage generate "{prompt}" --tokens 1').prompt == prompt


@pytest.mark.parametrize("prompt", ["two\nlines", "NUL \x00 inside", "both ' and \"", "-x", '"""', "  padded  "])
def test_a_prompt_in_a_variable_arrives_byte_for_byte(shell: InteractiveShell, run: Run, prompt: str) -> None:
    shell.push({"prompt": prompt})
    run("%garage load showroom")

    assert run("%garage generate {prompt} --tokens 1").prompt == prompt
    assert run("%garage generate @prompt --tokens 1").prompt == prompt


def test_live_objects_of_the_wrong_kind_are_refused(shell: InteractiveShell, run: Run) -> None:
    import pandas as pd

    shell.push({"model": tiny("llama"), "table": pd.DataFrame({"a": [1, 2]})})
    run("%garage load @model")

    for line in ("load @table", "capture @table", "capture @model", "add layer_0 @table", "through layer_0 @table"):
        with pytest.raises(GarageError, match=r"DataFrame|LlamaForCausalLM") as caught:
            run(f"%garage {line}")
        assert str(caught.value).count("\n") == 1
    assert run("%garage status").recipe.edits == ()


ERRORS = {
    "status": GarageError,
    "scael layer_0 1": InputError,
    'generate "open': InputError,
    "undo": EditError,
}


@pytest.mark.parametrize("line", ERRORS)
def test_an_error_is_two_lines(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str) -> None:
    result = shell.run_cell(f"%garage {line}")

    shown = capsys.readouterr().out.strip().split("\n")
    assert type(result.error_in_exec) is ERRORS[line]
    assert len(shown) == 2
    assert shown[0].startswith(f"{ERRORS[line].__name__}: ")


def test_an_error_changes_nothing(run: Run) -> None:
    run("%garage load showroom")
    run("%garage scale layer_0 0.5")

    for line in ("scale layer_0 nan", "scale layer_0", "scale layer_99 0.5", "load /no/such"):
        with pytest.raises((GarageError, UnknownPartError)):
            run(f"%garage {line}")

    assert str(run("%garage status").recipe) == "scale layer_0 0.5"


def test_a_cell_that_is_interrupted_leaves_no_hook(shell: InteractiveShell, run: Run) -> None:
    def interrupt(hidden: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt

    model = tiny("llama")
    shell.push({"model": model, "interrupt": interrupt})
    run("%garage load @model")
    run("%garage through layer_1 @interrupt")
    shell.push({"ids": [1, 2, 3]})

    result = shell.run_cell("%garage capture @ids")

    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    assert hooks_on(model) == {}
    assert run("%garage verify").ok


def test_a_semicolon_at_the_end_of_a_cell_shows_nothing(
    shell: InteractiveShell, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("%garage load showroom;  # quiet")
    assert run("1\n%garage   parts layer_0 ;") is None
    assert capsys.readouterr().out == ""

    run("x = %garage parts layer_0;")
    assert shell.user_ns["x"].names == ("layer_0",)
    assert run('%garage parts layer_0 # ";"') is not None


def test_with_debug_set_every_error_is_whole(
    shell: InteractiveShell, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("%garage config debug on")

    shell.run_cell("%garage status")

    assert len(capsys.readouterr().out.strip().split("\n")) > 2


def test_a_line_may_be_continued(run: Run) -> None:
    run("%garage load showroom")

    assert run("%garage parts \\\n    layer_0,-1").names == ("layer_0", "layer_5")


NEAREST = {
    "scael layer_0 1": "scale",
    "scale laeyr_0 1": "layer_0",
    'generate "a" --token 3': "--tokens",
    'capture "a" --layer 0': "--layers",
    "load showrom": "showroom",
    "ablate layer_0 zreo": "zero",
}


@pytest.mark.parametrize("line", NEAREST)
def test_what_is_mistyped_gets_the_nearest(run: Run, line: str) -> None:
    run("%garage load showroom")

    with pytest.raises(GarageError) as caught:
        run(f"%garage {line}")

    assert NEAREST[line] in str(caught.value)
    assert str(caught.value).count("\n") == 1
