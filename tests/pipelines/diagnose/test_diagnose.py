"""The whole report: what it says is what the analyses say, on one page that needs nothing; nothing is changed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb import Garage
from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.errors import CancelledError, InputError
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.pipelines.diagnose.case import QUICK, case
from garage_nb.pipelines.diagnose.chapters.lens import LENS
from garage_nb.pipelines.diagnose.chapters.model import MODEL
from garage_nb.pipelines.diagnose.chapters.scores import SCORES
from garage_nb.pipelines.diagnose.chapters.stream import STREAM
from garage_nb.pipelines.diagnose.chapters.weights import WEIGHTS
from garage_nb.pipelines.diagnose.diagnosis import Diagnosis
from garage_nb.pipelines.diagnose.section import Chapter, read
from garage_nb.registry.lift import lift
from tests.coverage.zoo import build, entries
from tests.families import tiny

TEXTS = {
    "capitals": [
        "The capital of France is Paris.",
        "The capital of Spain is Madrid.",
        "The capital of Japan is Tokyo.",
    ],
    "sums": ["2 + 2 = 4", "3 + 5 = 8", "1 + 6 = 7"],
}
ITEMS = [("The capital of France is", "Paris"), ("The capital of Japan is", "Tokyo"), ("2 + 2 =", "4")]
VOID = {"meta", "img", "br", "path", "rect"}
OPEN = {"li", "dt", "dd"}


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage("showroom")


@pytest.fixture(scope="module")
def report(garage: Garage) -> Diagnosis:
    return garage.diagnose(texts=TEXTS, items=ITEMS, quick=True)


class Page(HTMLParser):
    """Tags as they are opened and closed, and whatever names something else."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.named: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.ids += [str(found["id"])] if "id" in found else []
        self.named += [str(found[name]) for name in ("src", "href", "srcset", "action", "data") if name in found]
        assert not [name for name in found if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_section_was_read_or_says_why_not(report: Diagnosis) -> None:
    assert {one.chapter.key: one.state for one in report.sections if one.state != "read"} == {"routers": "n/a"}
    assert report.section("routers").trouble == ("showroom has no routers.", "Only a mixture of experts has some.")


def test_it_says_what_was_diagnosed_and_by_what(garage: Garage, report: Diagnosis) -> None:
    assert report.about["weights"] == garage.lifted.baseline.at_rest.digest
    assert report.about["read by"].startswith("6 texts of ")
    assert report.about["read by"].endswith(" tokens in 2 domains, 3 items")
    assert (report.about["mode"], report.about["seed"], report.about["in force"]) == ("quick", "0", "nothing changed")


def test_items_without_texts_are_read_domain_by_domain(garage: Garage) -> None:
    asked = [
        {"prompt": prompt, "answer": answer, "domain": "sums" if "+" in prompt else "facts"} for prompt, answer in ITEMS
    ]

    said = garage.diagnose(items=asked, quick=True).about["read by"]

    assert said.startswith("3 texts of ")
    assert said.endswith(" tokens in 2 domains, 3 items")


def test_a_remark_has_the_number_of_the_analysis(garage: Garage, report: Diagnosis) -> None:
    prompts = [prompt for prompt, _ in ITEMS]
    scan = garage.ablation(prompts, how="mean", metric="divergence")

    (remark,) = (one for one in report.section("parts").remarks if one.threshold == 0.1)

    idle = float((scan.interval.high <= 0.01).double().mean())
    shares = [one.value for one in report.section("parts").remarks if one.rule.startswith("share of parts")]

    assert remark.value == float(scan.interval.mean.max())
    assert shares == ([idle] if idle >= 0.1 else [])
    assert scan.parts[int(scan.interval.mean.argmax())] in remark.said


def test_blocks_that_do_not_add_up_are_told_by_their_share() -> None:
    lifted = lift(build(next(entry for entry in entries() if str(entry) == "causal-mllama")))

    (remark,) = read(MODEL, case(lifted, Recipe(), None, (), QUICK, 0)).remarks

    assert remark.value == 1 / 3
    assert remark.said.startswith("Of 3 blocks 1 cannot be shown to add up")


def test_the_lens_says_from_which_layer_on(garage: Garage, report: Diagnosis) -> None:
    seen = garage.lens(ITEMS[0][0])
    said = [seen.best(layer)[0][0] for layer in seen.layers]
    settled = min(place for place in range(len(said)) if len(set(said[place:])) == 1) + 1

    remarks = report.section("lens").remarks

    assert [one.value for one in remarks] == ([settled / len(said)] if settled / len(said) <= 0.5 else [])


def test_the_frame_has_every_remark_and_every_section_that_was_not_read(report: Diagnosis) -> None:
    frame = report.frame()

    assert len(frame) == sum(len(one.remarks) for one in report.sections) + 1
    assert frame.loc["routers", "rule"] == "n/a"
    told = frame[frame["times"].notna() & ~frame["grave"]]
    assert told["times"].is_monotonic_decreasing
    assert (told["times"] >= 1).all()


def test_the_page_needs_nothing_else(report: Diagnosis) -> None:
    page = Page(report.html())

    assert page.open == []
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert all(one.startswith(("data:image/png;base64,", "#")) for one in page.named)
    assert len(report.html()) < 3_000_000
    assert not re.search(r"url\(|@import", report.html())


def test_every_link_leads_to_a_section(report: Diagnosis) -> None:
    page = Page(report.html())

    assert len(set(page.ids)) == len(page.ids)
    assert {one[1:] for one in page.named if one.startswith("#")} <= set(page.ids)
    assert {section.chapter.key for section in report.sections} <= set(page.ids)


def without_times(report: Diagnosis) -> str:
    return report.html().partition('<section id="cost"')[0]


def test_the_same_seed_gives_the_same_report_and_leaves_all_as_it_was(garage: Garage, report: Diagnosis) -> None:
    before, state = Fingerprint.of(garage.model), torch.random.get_rng_state()

    again = garage.diagnose(texts=TEXTS, items=ITEMS, quick=True)

    assert without_times(again) == without_times(report)
    assert repr(again) == repr(report)
    assert Fingerprint.of(garage.model) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(("chapter", "acts"), [(STREAM, True), (LENS, True), (SCORES, True), (WEIGHTS, False)])
def test_what_is_in_force_acts_but_on_weights(garage: Garage, chapter: Chapter, acts: bool) -> None:
    recipes = (Recipe(), Recipe((Scale("layer_0", 3),)))

    plain, edited = (read(chapter, case(garage.lifted, recipe, TEXTS, (), QUICK, 0)) for recipe in recipes)

    assert plain.state == edited.state == "read"
    assert (plain.html != edited.html) is acts


def test_it_is_written_whole(report: Diagnosis, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("an older one")

    written = report.to_html(file)

    assert file.read_text(encoding="utf-8") == report.html()
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert written.path == file
    assert str(file) in written.picture().caption


@pytest.mark.parametrize("name", ["report.txt", "report", "no/such/folder/report.html", "."])
def test_a_file_that_cannot_be_is_refused_before_anything_runs(garage: Garage, tmp_path: Path, name: str) -> None:
    ran: list[int] = []
    handle = garage.model.register_forward_pre_hook(lambda *_: ran.append(1))
    try:
        with pytest.raises(InputError, match="A report cannot be written"):
            garage.diagnose(to=str(tmp_path / name), texts=TEXTS, quick=True)
    finally:
        handle.remove()

    assert ran == []
    assert list(tmp_path.iterdir()) == []


def test_cancelling_leaves_no_file(garage: Garage, tmp_path: Path) -> None:
    before, cancel, runs = Fingerprint.of(garage.model), Cancel(), list[int]()

    def ask(*_: Any) -> None:
        runs.append(1)
        if len(runs) == 20:
            cancel.ask()

    handle = garage.model.register_forward_pre_hook(ask)
    try:
        with cancellable(cancel), pytest.raises(CancelledError):
            garage.diagnose(to=str(tmp_path / "report.html"), texts=TEXTS, quick=True)
    finally:
        handle.remove()

    assert 20 <= len(runs) <= 21
    assert list(tmp_path.iterdir()) == []
    assert Fingerprint.of(garage.model) == before


HOSTILE = '<img src=x onerror="alert(1)"></section><script>alert(1)</script>'


def test_hostile_names_show_as_text() -> None:
    model = tiny("llama", 2)
    model.config._name_or_path = HOSTILE
    rows = [[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]]

    page = Page(Garage(model).diagnose(texts={HOSTILE: rows, "plain": rows[::-1]}, quick=True).html())

    assert page.open == []
    assert "script" not in page.tags
    assert all(one.startswith(("data:image/png;base64,", "#")) for one in page.named)


def encoder() -> Any:
    from transformers import BertConfig, BertForMaskedLM

    return BertForMaskedLM(BertConfig(**_SMALL)).eval()


def headless() -> Any:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**_SMALL)).eval()


def both() -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    size = {"d_model": 32, "d_kv": 8, "num_layers": 1, "num_heads": 4, "d_ff": 64, "vocab_size": 64}
    return T5ForConditionalGeneration(T5Config(**size, decoder_start_token_id=0)).eval()


def mixer() -> Any:
    from transformers import MambaConfig, MambaForCausalLM

    return MambaForCausalLM(MambaConfig(hidden_size=32, num_hidden_layers=1, vocab_size=64, state_size=8)).eval()


def half() -> Any:
    return tiny("llama", 2).to(torch.bfloat16)


def broken() -> Any:
    model = tiny("llama", 2)
    model.model.layers[1].mlp.down_proj.weight.data[0, 0] = float("nan")
    return model


_SMALL: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 64,
    "max_position_embeddings": 64,
}  # fmt: skip
UNFORESEEN = {"sparsity", "scores"}  # of a model without a tokenizer there are no texts
NOT_READ = {
    "gpt2": {"routers"},
    "mixtral": {"neurons"},
    "encoder": {"routers", "shares"},
    "headless": {"routers", "shares", "lens"},
    "both": {"routers"},
    "mixer": {"routers", "heads", "neurons"},
    "half": {"routers"},
}
MADE = {"encoder": encoder, "headless": headless, "both": both, "mixer": mixer, "half": half}


@pytest.mark.slow
@pytest.mark.parametrize("kind", NOT_READ)
def test_any_kind_of_model_is_read_or_said_to_be_n_a(kind: str) -> None:
    model = MADE[kind]() if kind in MADE else tiny(kind, 2)
    found = Garage(model).diagnose(quick=True)

    states = {one.chapter.key: one.state for one in found.sections if one.state != "read"}
    assert states == dict.fromkeys(NOT_READ[kind] | UNFORESEEN, "n/a")
    assert all(len(one.trouble) == 2 and all(one.trouble) for one in found.sections if one.state == "n/a")
    assert Page(found.html()).open == []
    assert found.section("whole").remarks == ()


def test_what_is_broken_comes_first() -> None:
    found = Garage(broken()).diagnose(quick=True)

    section, remark = found.first[0]
    assert (section.chapter.key, remark.grave) == ("stream", True)
    assert "NaN or infinite" in remark.said
    assert found.section("weights").state == found.section("parts").state == "failed"
    assert found.section("whole").remarks == ()
    assert "failed" in found.picture().caption
