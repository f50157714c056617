"""What may be written next on a line of the language: knowledge of the language, whichever face asks for it."""

from .line import offers as offers
from .offer import Offer as Offer
from .offer import Scene as Scene
from .outline import outlined as outlined
from .page import page as page
