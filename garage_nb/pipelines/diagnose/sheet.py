"""The sheet of a report: its type, its colours in light and dark, and how it is printed."""

from __future__ import annotations

SHEET = """
:root { --ink: #1d2126; --muted: #5b6470; --rule: #d9dde2; --ground: #ffffff; --link: #1f5fa8; --alarm: #b3261e;
  --jp-content-font-color1: var(--ink); --jp-content-font-color2: var(--muted); --jp-border-color2: var(--rule);
  --jp-brand-color1: #3b82c4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --muted: #9aa4b1; --rule: #363c44; --ground: #16191d;
  --link: #7db3ec; --alarm: #ff8a80; } }
body { background: var(--ground); color: var(--ink); margin: 0; font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 40px 24px 64px; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 3px; }
header .kind { margin: 0; color: var(--muted); font-size: 13px; }
h1 { font-size: 30px; line-height: 1.2; font-weight: 600; margin: 2px 0 16px; overflow-wrap: anywhere; }
h2 { font-size: 19px; line-height: 1.3; font-weight: 600; margin: 0 0 6px; }
header dl { display: flex; flex-wrap: wrap; gap: 8px 32px; margin: 0; font-size: 13px; }
header dt { color: var(--muted); }
header dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
section { border-top: 1px solid var(--rule); margin-top: 40px; padding-top: 24px; scroll-margin-top: 8px; }
.says { max-width: 76ch; margin: 0 0 12px; }
.says span, .rule, .more, figcaption { color: var(--muted); }
.summary ol { list-style: none; margin: 16px 0 0; padding: 0; counter-reset: told; }
.summary li { counter-increment: told; display: grid; grid-template-columns: 28px 1fr; padding: 10px 0; }
.summary li + li { border-top: 1px solid var(--rule); }
.summary li::before { content: counter(told); grid-row: span 2; font-size: 19px; line-height: 24px; color: var(--muted);
  font-variant-numeric: tabular-nums; }
.summary p { margin: 0; overflow-wrap: anywhere; }
.summary .said { font-weight: 500; max-width: 88ch; }
.summary .grave .said { color: var(--alarm); }
.rule { font-size: 13px; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 28px 0 0; padding: 0;
  font-size: 14px; }
.state { font-size: 12px; font-weight: normal; color: var(--muted); border: 1px solid var(--rule); border-radius: 3px;
  padding: 0 5px; vertical-align: 1px; white-space: nowrap; }
.trouble { border-left: 3px solid var(--rule); padding-left: 12px; margin: 0 0 12px; overflow-wrap: anywhere; }
.remarks { margin: 0 0 12px; padding-left: 20px; max-width: 88ch; }
.remarks li { overflow-wrap: anywhere; margin: 2px 0; }
.body { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 20px 32px;
  align-items: start; }
.body .wide { grid-column: 1 / -1; min-width: 0; }
figure { margin: 0; min-width: 0; }
.body figure { max-height: none !important; overflow: visible !important; }
figcaption { font-size: 12px; line-height: 1.4; margin-top: 4px; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--link); font-size: 14px; }
.more { font-size: 13px; margin: 12px 0 0; }
code { font: 12.5px/1.4 ui-monospace, monospace; }
@media print {
  :root { color-scheme: light; --ink: #000; --muted: #4a4f57; --rule: #c8ccd1; --ground: #fff; --link: #000;
    --alarm: #8c1d18; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  section { margin-top: 20px; padding-top: 14px; }
  h2, .says, .remarks { break-after: avoid; }
  figure, tr, li, .summary { break-inside: avoid; }
  .body { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .gnb-scroll { overflow: visible; }
  .gnb-table.gnb-table, .gnb-card, .gnb-above { font-size: 8pt; }
  .gnb-table.gnb-table :is(th, td) { padding-right: 8px; }
  .gnb-table.gnb-table td.gnb-t { white-space: normal; }
  .gnb-bar, svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details::details-content { content-visibility: visible; block-size: auto; }
  nav, .more { display: none; }
}
"""
