"""Building: a sheet under the hand, from which a plain model is made of parts of several, and what it is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from ..analyze.judging.evaluation import Evaluation
from ..analyze.judging.judge import judge
from ..answers.sheet import SheetFile
from ..compose.assembly.build import build
from ..compose.assembly.heal import Healing, heal
from ..compose.assembly.hybrid import Hybrid
from ..compose.assembly.reopening import relifted
from ..compose.assembly.saving import model_folder
from ..compose.blends.methods import blend_from
from ..compose.draft import Draft
from ..compose.graft import Adapt, Graft, Merge, Stack, Swap
from ..compose.layout.check import Check, check
from ..compose.sheet import BuildSheet
from ..compose.sheet_files import open_sheet, save_sheet
from ..compose.sources import all_brought, brought
from ..errors import InputError
from ..verbs import verb
from .session import Session
from .showroom_texts import fitting_texts, showroom_exercises, showroom_texts


class Building(Session):
    _drafted: Draft | None = None

    @property
    def planned(self) -> BuildSheet:
        """The sheet in the works, with the model on the lift as its base and the recipe in force as its edits."""
        return self._draft.sheet(self.edits)

    @verb(session=True, sheet=True)
    def donor(self, name: str, source: Any) -> Check:
        """Name another model for the build sheet. One that `load` takes by name needs none.

        Args:
            name: the name that grafts call it by
            source: what load takes, @model, @part, or a part file
        """
        return self._plan(replace(self.planned, donors={**self.planned.donors, name: source}))

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
        given = {"weight": weight, "t": t, "density": density, "normalize": normalize, "scale": scale, "seed": seed}
        blend = blend_from(method, {name: value for name, value in given.items() if value is not None})
        sheet, refs = all_brought(self.planned, sources)
        return self._with(Merge(places, refs, blend), sheet)

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
        if action == "save":
            return SheetFile(save_sheet(self.planned, str(file)), self.planned)
        if action == "open":
            return self._plan(open_sheet(str(file)))
        if action != "show":
            self._drafted = self._draft.undo() if action == "undo" else self._draft.clear()
        return check(self._draft.live(self.planned))

    @verb(model=False)
    def build(self, sheet: Any = None, *, to: str | None = None, texts: Any = None, name: str = "hybrid") -> Hybrid:
        """Build what the sheet says, and prove it: a plain model that shares memory with its donors.

        Args:
            sheet: a .yml (mergekit's) or .json file, a hybrid's folder, or @sheet; the one in the works when left out
            to: a folder to save it in, for AutoModelForCausalLM.from_pretrained
            texts: @texts that adapters are fitted on; the showroom's own when left out
            name: what it is called
        """
        folder = None if to is None else model_folder(to)
        hybrid = build(self._asked(sheet, texts, name))
        return hybrid if folder is None else hybrid.saved(folder)

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
        folder = None if to is None else model_folder(to)
        asked = self._asked(sheet, texts, name)
        hybrid = heal(check(asked), asked.texts, Healing(steps=steps, rate=rate, seed=seed))
        return hybrid if folder is None else hybrid.saved(folder)

    @verb()
    def judge(
        self, against: Any, *, texts: Any = None, items: Any = None, averaged: str | None = None, seed: int = 0
    ) -> Evaluation:
        """Judge the model beside those it was made of: on texts, on items with a right answer, and by what it costs.

        Args:
            against: a model or hybrid as load takes it, names with commas, or @donors, a dict from name to model
            texts: @texts, or a dict from domain to texts; the showroom's held-out ones when both are left out
            items: a .json or .csv file of prompt, answer and domain, or @items, pairs or dicts; the showroom's too
            averaged: names with commas, whose logits' mean is judged too; those against, or of many the donors
            seed: for the intervals
        """
        alone = texts is None and items is None
        texts, items = (showroom_texts(), showroom_exercises()) if alone else (texts, items)
        names = None if averaged is None else [name.strip() for name in averaged.split(",")]
        rivals = relifted(against)
        return judge(self.lifted, rivals, self.edits, texts=texts, exercises=items, averaged=names, seed=seed)

    def _asked(self, sheet: Any, texts: Any, name: str) -> BuildSheet:
        if sheet is None:
            sheet = self._draft.live(self.planned)
        found = sheet if isinstance(sheet, BuildSheet) else open_sheet(sheet)
        if texts is None and found.is_stitched and not found.texts:
            texts = fitting_texts()
        read = found.texts if texts is None else (texts,) if isinstance(texts, str) else tuple(texts)
        return replace(found, name=name, texts=read)

    @property
    def _draft(self) -> Draft:
        return Draft(self.lifted) if self._drafted is None else self._drafted.over(self.lifted)

    def _with(self, graft: Graft, sheet: BuildSheet | None = None) -> Check:
        return self._plan((sheet or self.planned) + graft)

    def _plan(self, sheet: BuildSheet) -> Check:
        """BuildError for a graft that does not fit: the sheet stays as it was."""
        self._drafted, checked = self._draft.to(sheet)
        return checked


_USAGE = "Write: sheet, sheet undo, sheet save plan.json, sheet open merge.yml"
