"""Building: a sheet under the hand, from which a plain model is made of parts of several, and what it is worth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ..analyze.judging.evaluation import Evaluation
from ..analyze.judging.judge import judge
from ..answers.sheet import SheetFile
from ..compose.assembly.build import build
from ..compose.assembly.heal import Healing, heal
from ..compose.assembly.hybrid import Hybrid
from ..compose.assembly.reopening import reopened
from ..compose.blends.methods import blend_from
from ..compose.graft import Adapt, Graft, Merge, Stack, Swap
from ..compose.layout.check import Check, check
from ..compose.sheet import BuildSheet
from ..compose.sheet_files import open_sheet, save_sheet
from ..compose.sources import brought
from ..errors import InputError
from ..registry.lift import Lifted, lift
from ..verbs import verb
from .session import Session
from .showroom_texts import showroom_exercises, showroom_texts

FITTED_ON = 60  # texts of each of the showroom's domains


class Building(Session):
    _bench: tuple[Lifted | None, tuple[BuildSheet, ...]] = (None, ())
    _known: Mapping[str, Lifted] = {}

    @property
    def planned(self) -> BuildSheet:
        """The sheet in the works, with the model on the lift as its base and the recipe in force as its edits."""
        owner, sheets = self._bench
        if owner is not self.lifted or not sheets:
            return BuildSheet(self.spec.model_id, edits=self.edits.edits)
        return replace(sheets[-1], edits=self.edits.edits)

    @verb(session=True, sheet=True)
    def donor(self, name: str, source: Any) -> Check:
        """Name another model for the build sheet. One that `load` takes by name needs none.

        Args:
            name: the name that grafts call it by
            source: what load takes, @model, @part, or a part file
        """
        return self._planned(replace(self.planned, donors={**self.planned.donors, name: source}))

    @verb(session=True, sheet=True)
    def stack(self, layers: str) -> Check:
        """Say which layers the model to be built has, from bottom to top: its own, those of donors, or some twice.

        Args:
            layers: in quotes, 0:4 for its own and b[2:6] for a donor's: "0:4 showroom-llama-sorting[2:5]", "0:4 2:6"
        """
        return self._with(Stack.of(layers))

    @verb(session=True, sheet=True)
    def swap(self, place: str, source: Any, *, adapter: Literal["none", "fit", "untrained"] = "none") -> Check:
        """Put a part of a donor in the place of one of the model's.

        Args:
            place: attention_2, ffn_*, layer_3, embedding, output_head
            source: a donor for the same place there, b[attention_5] for another, @part, or a part file
            adapter: linear maps around it: fit, by least squares on texts, or untrained
        """
        sheet, ref = brought(self.planned, source)
        return self._with(Swap(place, ref, adapter), sheet)

    @verb(session=True, sheet=True)
    def merge(
        self,
        places: str,
        sources: str,
        *,
        method: Literal[
            "linear", "slerp", "task_arithmetic", "ties", "dare_linear", "dare_ties", "passthrough"
        ] = "linear",
        weight: str | None = None,
        t: str | None = None,
        density: str | None = None,
        normalize: str | None = None,
        scale: str | None = None,
        seed: int | None = None,
    ) -> Check:
        """Blend the weights of places with those of donors.

        Args:
            places: all for every weight, or layer_*, attention_*, 0:4
            sources: donors, with commas between them; or b[2:6] for other layers there
            method: how; what stands at a place is the base of methods that have one, the first model of the others
            weight: of each model: 0.5,0.3; along the layers 0..0.5..1; by names self_attn=0.2/mlp=0.4/0.5
            t: of slerp, 0 for what stands there and 1 for the donor
            density: of ties and dare, the share of changes that is kept
            normalize: of linear and ties, whether weights are divided by their sum: true or false
            scale: of passthrough
            seed: of dare
        """
        said = {
            "weight": weight, "t": t, "density": density, "normalize": normalize, "scale": scale, "seed": seed
        }  # fmt: skip
        blend = blend_from(method, {name: value for name, value in said.items() if value is not None})
        sheet, refs = self.planned, []
        for text in _BETWEEN.split(sources):
            sheet, ref = brought(sheet, text.strip())
            refs.append(ref)
        return self._with(Merge(places, tuple(refs), blend), sheet)

    @verb(session=True, sheet=True)
    def adapt(self, folder: str, *, scale: float = 1.0) -> Check:
        """Multiply an adapter of PEFT's into the weights, after all other grafts.

        Args:
            folder: the one with adapter_config.json
            scale: how many times what it adds
        """
        return self._with(Adapt(folder, scale))

    @verb(session=True, sheet=True)
    def sheet(
        self, action: Literal["show", "undo", "clear", "save", "open"] = "show", file: str | None = None
    ) -> Check | SheetFile:
        """Show what is going to be built and whether it can be; take grafts back, save them, or open saved ones.

        Args:
            action: show, undo, clear, save or open
            file: a .json, or a .yml for a recipe of mergekit's; for open also the folder of a hybrid
        """
        if (action in ("save", "open")) != (file is not None):
            raise InputError(f"sheet {action} {'needs a' if file is None else 'takes no'} FILE.", _USAGE)
        owner, sheets = self._bench
        if action == "save":
            return SheetFile(save_sheet(self.planned, str(file)), self.planned)
        if action == "open":
            return self._planned(open_sheet(str(file)))
        if action != "show":
            if owner is not self.lifted or not sheets:
                raise InputError("There is no graft to take back.", 'Begin with one: stack "0:4 2:6"')
            self._bench = (owner, sheets[:-1] if action == "undo" else ())
        return check(self._live(self.planned))

    @verb(model=False)
    def build(self, sheet: Any = None, *, to: str | None = None, texts: Any = None, name: str = "hybrid") -> Hybrid:
        """Build what the sheet says, and prove it: a plain model that shares memory with its donors.

        Args:
            sheet: a .yml (mergekit's) or .json file, a hybrid's folder, or @sheet; the one in the works when left out
            to: a folder to save it in, for AutoModelForCausalLM.from_pretrained
            texts: @texts that adapters are fitted on; the showroom's own when left out
            name: what it is called
        """
        hybrid = build(self._asked(sheet, texts, name))
        return hybrid if to is None else hybrid.saved(to)

    @verb(model=False)
    def heal(
        self,
        sheet: Any = None,
        *,
        to: str | None = None,
        texts: Any = None,
        steps: int = 100,
        rate: float = 1e-3,
        seed: int = 0,
        name: str = "hybrid",
    ) -> Hybrid:
        """Build what the sheet says with its adapters trained a little: nothing else of the model learns.

        Args:
            sheet: as for build; it must have adapters
            to: as for build
            texts: @texts that adapters are fitted and trained on; every fifth is held out to see what that brought
            steps: of AdamW, on eight texts each
            rate: the learning rate
            seed: for drawing texts
            name: what it is called
        """
        asked = self._asked(sheet, texts, name)
        hybrid = heal(check(asked), asked.texts, Healing(steps=steps, rate=rate, seed=seed))
        return hybrid if to is None else hybrid.saved(to)

    @verb()
    def judge(self, against: Any, *, texts: Any = None, items: Any = None, seed: int = 0) -> Evaluation:
        """Judge the model beside those it was made of: on texts, on items with a right answer, and by what it costs.

        Args:
            against: a model or hybrid as load takes it, names with commas, or @donors, a dict from name to model
            texts: @texts, or a dict from domain to texts; the showroom's held-out ones when both are left out
            items: a .json or .csv file of prompt, answer and domain, or @items, pairs or dicts; the showroom's too
            seed: for the intervals
        """
        alone = texts is None and items is None
        return judge(
            self.lifted,
            _rivals(against),
            self.edits,
            texts=showroom_texts() if alone else texts,
            exercises=showroom_exercises() if alone else items,
            seed=seed,
        )

    def _asked(self, sheet: Any, texts: Any, name: str) -> BuildSheet:
        found = (
            self._live(self.planned) if sheet is None else sheet if isinstance(sheet, BuildSheet) else open_sheet(sheet)
        )
        fitted = any(isinstance(graft, Swap) and graft.adapter != "none" for graft in found.grafts)
        if texts is not None:
            found = replace(found, texts=(texts,) if isinstance(texts, str) else tuple(texts))
        elif fitted and not found.texts:
            said = showroom_texts("train", FITTED_ON)
            found = replace(found, texts=tuple(text for each in said.values() for text in each))
        return replace(found, name=name)

    def _with(self, graft: Graft, sheet: BuildSheet | None = None) -> Check:
        return self._planned((sheet or self.planned) + graft)

    def _planned(self, sheet: BuildSheet) -> Check:
        """BuildError for a graft that does not fit: the sheet stays as it was."""
        checked = check(self._live(sheet))
        checked.demand()
        self._known = {**self._known, **_lifted_by_name(sheet, checked)}
        owner, sheets = self._bench
        self._bench = (self.lifted, (*(sheets if owner is self.lifted else ()), sheet))
        return checked

    def _live(self, sheet: BuildSheet) -> BuildSheet:
        """With the model on the lift for its base, and donors that were opened before as they are in memory."""
        base = {sheet.base: self.lifted} if sheet.base == self.spec.model_id else {}
        names = [sheet.base, *(ref.donor for graft in sheet.grafts for ref in graft.refs if ref.donor)]
        known = {name: self._known[said] for name in names if (said := sheet.donors.get(name, name)) in self._known}
        return replace(sheet, donors={**sheet.donors, **known, **base})


def _lifted_by_name(sheet: BuildSheet, checked: Check) -> dict[str, Lifted]:
    said = {name: sheet.donors.get(name, name) for name in checked.donors if name}
    lifted = {name: checked.donors[name].lifted for name in said}
    return {text: found for name, text in said.items() if isinstance(text, str) and (found := lifted[name]) is not None}


_BETWEEN = re.compile(r",(?![^\[]*\])")  # sources, not the parts of one
_USAGE = "Write: sheet, sheet undo, sheet save plan.json, sheet open merge.yml"


def _rivals(against: Any) -> dict[str, Lifted]:
    if isinstance(against, str):
        return {name.strip(): _lifted(name.strip()) for name in against.split(",") if name.strip()}
    named = against if isinstance(against, dict) else {"donor": against}
    return {str(name): model if isinstance(model, Lifted) else _lifted(model) for name, model in named.items()}


def _lifted(source: Any) -> Lifted:
    model, tokenizer, _ = reopened(source, None)
    return lift(model, tokenizer=tokenizer)
