"""The embedded models, the little language they speak, and the trainer that made them. Imports nothing slow."""

from .card import Card as Card
from .corpus import floor as floor
from .corpus import items as items
from .domains import DOMAINS as DOMAINS
from .item import Item as Item
from .shelf import card as card
from .shelf import names as names
from .shelf import path as path
