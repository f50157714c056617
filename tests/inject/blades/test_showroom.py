"""From the showroom's models to a folder and back: a blade is fitted, measured, saved, loaded, and speaks."""

from __future__ import annotations

from pathlib import Path

import torch

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.core.seed import seeded
from garage_nb.garage import Garage
from garage_nb.inject.blades.edit import BladeEdit, in_force
from garage_nb.inject.blades.evidence import Arm, Evidence
from garage_nb.inject.blades.files import load_blade, save_blade
from garage_nb.inject.blades.fitting.captures import data_hash
from garage_nb.inject.blades.fitting.lessons import Lessons, lessons_of
from garage_nb.inject.blades.fitting.training import Training
from garage_nb.inject.blades.kinds.gated import fit_gated
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import Lifted
from garage_nb.showroom.corpus import items


def lessons(split: str, count: int) -> Lessons:
    found = items("arithmetic", split, count, level="hard")
    return Lessons(tuple(item.prompt for item in found), tuple(item.answer for item in found))


def log_probs(target: Lifted, asked: Lessons, *edits: BladeEdit) -> torch.Tensor:
    """Of each answer."""
    scores = []
    for lesson in lessons_of(asked, target):
        batch = prepare(lesson.ids, target.model)
        said = logits(target.model, batch, Recipe(edits).taps(target.spec))[0].log_softmax(dim=-1)
        scores.append(said[:-1].gather(1, lesson.ids[1:, None])[lesson.wanted[1:]].sum())
    return torch.stack(scores)


def test_from_a_fit_to_a_folder_and_back(tmp_path: Path) -> None:
    garage, source = Garage("showroom-llama"), Garage("showroom-llama-arithmetic").lifted
    target, held = garage.lifted, lessons("test", 24)

    blade = fit_gated(
        "sums", target, "layer_-2", source, lessons("train", 48), gate="vector", how=Training(steps=25, rate=0.1)
    )
    gain = log_probs(target, held, in_force(blade, source=source)) - log_probs(target, held)
    drawn = gain[torch.randint(len(gain), (500, len(gain)), generator=seeded(0))].mean(dim=1)
    low, high = (float(drawn.quantile(share)) for share in (0.025, 0.975))
    evidence = Evidence(
        metric="log-prob, nats",
        arms=(Arm(name="blade", n=len(gain), effect=float(gain.mean()), low=low, high=high),),
        models={"target": blade.target.weights, "source": blade.source.weights if blade.source else ""},
        data=data_hash(held.texts),
        forwards=2,
    )
    save_blade(blade.measured(evidence), tmp_path)
    edit = in_force(load_blade(tmp_path), source=source)

    assert low > 0
    assert torch.equal(log_probs(target, held, edit), log_probs(target, held, in_force(blade, source=source)))
    garage.apply(Recipe((edit,)))
    spoken = garage.generate(held.prompts[0], tokens=4)
    assert "%garage blade @value_1 --at layer_3 --alpha 1.0 --source @value_2" in garage.recipe().magic
    assert set(spoken.written) == {"tuned", "untouched"}
    assert garage.verify()
