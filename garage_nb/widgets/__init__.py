"""Widgets: thin faces over the garage. One .py and one static/*.js each, on the frame in `panel`. Imports anywidget."""

from .attention import AttentionView as AttentionView
from .bench import TuningBench as TuningBench
from .chamber import DebateChamber as DebateChamber
from .composer import Composer as Composer
from .dashboard import Dashboard as Dashboard
from .lens import LensView as LensView
from .picker import LayerPicker as LayerPicker
from .scope import SparsityScope as SparsityScope
from .survey import SurveyView as SurveyView
