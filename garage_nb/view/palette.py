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
PLOT_MORE = ("#16917c", "#c4527f")  # 3.9:1 and 4.8:1, 4.3:1 and 4.4:1; a fourth and a fifth subject beside others
PLOT_AMOUNTS = "cividis"  # perceptually even, and the same to every kind of eye


def _stops(hexadecimal: str) -> tuple[str, ...]:
    return tuple(f"#{stop}" for stop in hexadecimal.split())


# The same for pages, least first, to be joined by straight lines; and signed change: less, none, more.
AMOUNTS = _stops("""
00224e 00285b 002e6a 053371 1a386f 273e6e 32436d 3b496c 434e6c 4b546c 535a6d
5a5f6e 61656f 686a71 6f7073 767676 7d7c78 848279 8c8878 938e78 9b9476 a39a74
aba072 b4a76f bcae6c c4b468 cdbb63 d5c25e dec958 e7d150 f0d846 f9e03a fee838
""")
CHANGES = _stops("2b66b0 6080be 889ccc adb9da d1d6e7 f5f5f5 ecd2c2 e0af92 d08d63 bd6c35 a74a00")

CSS_INK = "var(--jp-content-font-color1, var(--vscode-editor-foreground, CanvasText))"
CSS_MUTED = "var(--jp-content-font-color2, var(--vscode-descriptionForeground, GrayText))"
CSS_RULE = "var(--jp-border-color2, var(--vscode-panel-border, #8884))"
CSS_BAR = "var(--jp-brand-color1, var(--vscode-charts-blue, #3b82c4))"
