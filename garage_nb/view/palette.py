"""The one table of colours: tables, plots and widgets take theirs from here.

Notebook colours come first (`--jp-*`), then VS Code's, then the system's. Amber marks what the user has changed and
nothing else. Plots stand on a transparent ground in greys that read on white and on black.
"""

from __future__ import annotations

AMBER = "#b87300"  # 3.8:1 on white, 4.9:1 on JupyterLab's dark ground
PLOT_INK = "#7f8792"  # contrast about 3.7:1 on white and 4.7:1 on JupyterLab's dark ground
PLOT_GRID = "#7f879244"
PLOT_LINE = "#3b82c4"  # 4.1:1 and 4.7:1
PLOT_OTHER = "#9061c2"  # 4.5:1 and 4.2:1; a second model beside the first, where neither is changed
PLOT_AMOUNTS = "cividis"  # perceptually even, and the same to every kind of eye

CSS_INK = "var(--jp-content-font-color1, var(--vscode-editor-foreground, CanvasText))"
CSS_MUTED = "var(--jp-content-font-color2, var(--vscode-descriptionForeground, GrayText))"
CSS_RULE = "var(--jp-border-color2, var(--vscode-panel-border, #8884))"
CSS_BAR = "var(--jp-brand-color1, var(--vscode-charts-blue, #3b82c4))"
