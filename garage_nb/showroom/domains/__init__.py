"""The eight domains, one module each. To add one: a module with NAME, draw, draw_hard and chance, named below.

`draw(rng)` gives an item of the training range, `draw_hard(rng)` one that is longer or needs one step more, and
`chance(item)` the probability that someone who knows the format and guesses the rest gets every answer right.
"""

from types import ModuleType

from . import arithmetic, brackets, copying, facts, kinship, recall, sorting, stories

DOMAINS: dict[str, ModuleType] = {
    module.NAME: module for module in (facts, arithmetic, brackets, copying, recall, sorting, kinship, stories)
}
