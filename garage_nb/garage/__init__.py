"""A model on the lift, the recipe in force, and every verb."""

from .garage import Garage as Garage
from .session import Layers as Layers
