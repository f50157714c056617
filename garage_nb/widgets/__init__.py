"""Widgets: thin faces over the garage. One .py and one static/*.js each, on the frame in `panel`. Imports anywidget."""

from .picker import LayerPicker as LayerPicker
