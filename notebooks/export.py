"""nbconvert's settings for `make demo`: run the notebook, and write one page that needs neither network nor kernel."""

from typing import Any

settings: Any = globals()["get_config"]()
settings.ExecutePreprocessor.store_widget_state = False  # so that widgets leave their picture, not an empty box
settings.ExecutePreprocessor.timeout = 600
settings.HTMLExporter.require_js_url = ""
settings.HTMLExporter.jquery_url = ""
settings.HTMLExporter.mathjax_url = ""
