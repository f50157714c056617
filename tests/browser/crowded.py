"""Widgets with as much in them as there may be, and what is wrong with how it stands on a page."""

from __future__ import annotations

from typing import Any

import numpy as np

from garage_nb.garage import Garage
from garage_nb.widgets import (
    AttentionView,
    Composer,
    DebateChamber,
    LayerPicker,
    LensView,
    SparsityScope,
    TuningBench,
)

NAME = "organisation/" + "long-name-" * 9
LAYERS, HEADS, TOKENS, SIDE = 48, 32, 256, 24
TEXTS = [f" token{i}" * (1 + i % 3) for i in range(TOKENS)]
PROMPT = "The capital of France is"

# Texts that are cut without an ellipsis, that stand on each other or outside of the panel, or make it scroll.
TROUBLE = """panel => {
  const found = [], all = [...panel.querySelectorAll('*')], edge = panel.getBoundingClientRect();
  const told = node => `${node.className} “${node.textContent.slice(0, 24)}”`, range = document.createRange();
  const bounds = node => { range.selectNodeContents(node); return range.getBoundingClientRect(); };
  const shared = (a, b) => ({ left: Math.max(a.left, b.left), right: Math.min(a.right, b.right),
    top: Math.max(a.top, b.top), bottom: Math.min(a.bottom, b.bottom) });
  const some = (box, px) => box.right - box.left > px && box.bottom - box.top > px;
  const beyond = (box, clip, px) => box.left < clip.left - px || box.right > clip.right + px;
  const path = node => node === panel.parentElement ? [] : [node, ...path(node.parentElement)];
  if (panel.scrollWidth > panel.clientWidth + 1) found.push(`scrolls: ${panel.scrollWidth} in ${panel.clientWidth}`);
  const texts = all.filter(node => node.tagName !== 'OPTION' && node.checkVisibility({ visibilityProperty: true })
    && [...node.childNodes].some(one => one.nodeType === 3 && one.textContent.trim()));
  const boxes = texts.map(node => {
    const whole = bounds(node), above = path(node), styles = above.map(one => getComputedStyle(one));
    const shortened = styles.some(style => style.textOverflow === 'ellipsis');
    let box = whole;
    above.forEach((one, i) => {
      if (styles[i].overflowX === 'visible') return;
      const clip = one.getBoundingClientRect(), fixed = ['hidden', 'clip'].includes(styles[i].overflowX);
      const begins = !one.scrollLeft && whole.left < clip.left - 1 && whole.right > clip.left;
      if (!shortened && (fixed ? beyond(whole, clip, 1) : begins)) found.push(`cut: ${told(node)}`);
      box = shared(box, clip); });
    return { node, box, stuck: styles.filter(style => style.position === 'sticky').length };
  }).filter(({ box }) => some(box, 0.5));
  for (const { node, box } of boxes) if (beyond(box, edge, 0.5)) found.push(`outside: ${told(node)}`);
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {  // what sticks to an edge stands above what passes under it
    if (a.stuck === b.stuck && !a.node.contains(b.node) && some(shared(a.box, b.box), 2))
      found.push(`overlap: ${told(a.node)} and ${told(b.node)}`); }));
  const fields = all.filter(node => node.matches('input:not([type=range])') && node.value && node.clientWidth);
  for (const node of fields) if (node.scrollWidth > node.clientWidth + 1) found.push(`cut: ${node.ariaLabel}`);
  return { texts: boxes.length, found }; }"""


def crowded(name: str, garage: Garage) -> tuple[Any, dict[str, Any]]:
    """A widget that has answered, and what to put in place of its state."""
    return MADE[name](garage)


def attention(garage: Garage) -> tuple[Any, dict[str, Any]]:
    view = AttentionView(garage, PROMPT)
    parts = [{"name": f"attention_{i}", "size": [HEADS, SIDE, SIDE]} for i in range(LAYERS)]
    squares = np.arange(LAYERS * HEADS * SIDE * SIDE, dtype=np.int64).astype(np.uint8).tobytes()
    weights = np.tril(np.ones((TOKENS, TOKENS), np.float32)) / np.arange(1, TOKENS + 1, dtype=np.float32)[:, None]
    shown = {"head": "attention_47.head_31", "queries": TEXTS, "keys": TEXTS}
    state = {"_parts": parts, "_thumbnails": squares, "_shown": shown, "_weights": weights.tobytes()}
    return view, {**state, "head": "attention_47.head_31", "_changes": 12}


def lens(garage: Garage) -> tuple[Any, dict[str, Any]]:
    view, top = LensView(garage, PROMPT), 5
    shares = np.linspace(0, 1, LAYERS * TOKENS * top, dtype=np.float32)
    guesses = (np.arange(LAYERS * TOKENS * top) % TOKENS).astype(np.int32)
    measures = np.tile(np.array([123.456, 0.00001, 0.5, 50_000], np.float32), LAYERS * TOKENS)
    state = {"_tokens": TEXTS, "_texts": TEXTS, "_layers": [f"layer_{i}" for i in range(LAYERS)], "_top": top}
    numbers = {"_guesses": guesses.tobytes(), "_shares": shares.tobytes(), "_measures": measures.tobytes()}
    return view, {**state, **numbers, "_following": " a token that is followed", "_changes": 12}


def debate(garage: Garage) -> tuple[Any, dict[str, Any]]:
    """Four perspectives of a deep model, with long words."""
    view, lanes = DebateChamber(garage, PROMPT, perspectives=4), 4
    words = [[TEXTS[i] * 4, 0.5 / (i + 1)] for i in range(5)]
    apart = [[123.456 * (i != j) for i in range(lanes)] for j in range(lanes)]
    likeness = [[1 - layer * (lane + 1) / LAYERS / lanes for lane in range(lanes)] for layer in range(LAYERS)]
    step = {"reconciled": words, "perspectives": [words] * lanes, "agreed": False, "shares": [0.97, 0.01, 0.01, 0.01]}
    step |= {"cosines": [-0.123] * 6, "apart": apart, "likeness": likeness}
    layers = [f"encoder_layer_{i}" for i in range(LAYERS)]
    status = "gate of another debate; perturb-and-merge noise: nothing ran between parting and meeting"
    return view, {"_shown": {"layers": layers, "status": status, "steps": [step] * 64}, "_changes": 12}


def scope(garage: Garage) -> tuple[Any, dict[str, Any]]:
    view, rows, columns = SparsityScope(garage, PROMPT, tokens=2), 96, 1_024
    view.wait(60)
    parts, tokens = [f"layer_norm_{i}_attention" for i in range(rows)], [f" token{i}" for i in range(columns)]
    shown = {**view._shown, "parts": parts, "tokens": tokens, "changed": [i % 9 == 4 for i in range(rows)]}
    values = np.linspace(0, 1, rows * columns, dtype=np.float32).tobytes()
    return view, {"_shown": {**shown, "low": 0.0, "high": 1.0}, "_values": values, "_left": True, "_changes": 12}


def bench(garage: Garage) -> tuple[Any, dict[str, Any]]:
    view = TuningBench(
        garage, PROMPT + " not what it was before" * 3, "layer_*,attention_*,ffn_*,attention_3.head_*", tokens=40
    )
    view.factors = {part: 1.25 - 0.05 * i for i, part in enumerate(view.parts)}
    return view, {}


def picker(garage: Garage) -> tuple[Any, dict[str, Any]]:
    view = LayerPicker(garage, "attention_*.head_1,ffn_2")
    view.shade(
        {name: 10.0**i for i, name in enumerate(garage.spec.parts)}, "a statistic with a long name, in nats a token"
    )
    return view, {}


def composer(garage: Garage) -> tuple[Any, dict[str, Any]]:
    view = Composer(garage, {"b": garage.model, "other": "showroom-llama"})
    view.wait(60)
    for layer in range(6):
        view.place("b", f"layer_{layer}", f"gap_{layer}")
        view.place("b", f"attention_{layer}", f"attention_{layer + 6}")
    view.wait(60)
    refused = [
        "swap attention_1 other[attention_2]",
        "refused",
        "attention_2 of other does not fit: " + "a reason, " * 9,
    ]
    state = {**view._sheet, "grafts": [*view._sheet["grafts"], refused]}
    table = {"heads": ["hybrid", NAME], "names": ["accuracy, " + NAME], "cells": [["0.5", "worse"]], "caption": NAME}
    return view, {"_sheet": state, "_proofs": [["✓", "claim " * 9, "found " * 20]] * 3, "_judged": table, "_told": NAME}


def survey(garage: Garage) -> tuple[Any, dict[str, Any]]:
    """A deep model, a corpus with a long name, and twenty texts set aside for long reasons."""
    view, rows = garage.survey([PROMPT], on="here", live=True), 200
    over = f"sparsity of a token, share of |x| ≤ 0.1 σ, mean over 123,456,789 tokens of {NAME}"
    shown = {"statistics": ["sparsity"], "parts": [f"encoder_layer_norm_{i}_attention.neurons" for i in range(rows)]}
    aside = [f"line {i}: {NAME * 2}" for i in range(20)]
    state = {"_shown": {**shown, "over": {"sparsity": over}}, "_values": np.linspace(-1e9, 1e9, rows).tobytes()}
    return view, {**state, "_share": 0.5, "_aside": aside, "_left_out": 12_345, "_about": NAME * 2, "_changes": 12}


MADE = {
    "picker": picker, "bench": bench, "scope": scope, "attention": attention, "lens": lens, "debate": debate,
    "composer": composer, "survey": survey,
}  # fmt: skip
