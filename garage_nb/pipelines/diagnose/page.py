"""The report as one page of html: a summary on top, then a section each. No script, nothing from elsewhere."""

from __future__ import annotations

from ...view.bars import Column, Table
from ...view.markup import document, line, text
from .diagnosis import Diagnosis
from .pieces import STYLES, piece
from .remark import Remark
from .section import Section
from .sheet import SHEET

MARKS = {"read": "", "n/a": "n/a", "failed": "failed"}


def page(found: Diagnosis) -> str:
    sections = "".join(map(_section, found.sections))
    inside = f"{_head(found)}{_summary(found)}{_contents(found)}{sections}{_seconds(found)}"
    return document(f"Diagnosis of {found.model_id}", f"{STYLES}<style>{SHEET}</style><main>{inside}</main>")


def _head(found: Diagnosis) -> str:
    facts = "".join(f"<div><dt>{line(name)}</dt><dd>{line(said)}</dd></div>" for name, said in found.about.items())
    return f'<header><p class="kind">Diagnosis</p><h1>{line(found.model_id)}</h1><dl>{facts}</dl></header>'


def _summary(found: Diagnosis) -> str:
    items = "".join(_told(section, remark) for section, remark in found.first)
    none = "<p>Nothing passed a threshold of this report. That is no proof that all is well.</p>"
    what = "What lies farthest beyond a threshold, one thing of a section; remarkable is not bad."
    listed = f"<ol>{items}</ol>" if items else none
    return f'<section class="summary" id="summary"><h2>Most remarkable</h2><p class="says">{what}</p>{listed}</section>'


def _told(section: Section, remark: Remark) -> str:
    chapter = section.chapter
    rule = f'<a href="#{chapter.key}">{line(chapter.title)}</a> · {line(remark.held)}'
    grave = ' class="grave"' if remark.grave else ""
    return f'<li{grave}><p class="said">{line(remark.said)}.</p><p class="rule">{rule}</p></li>'


def _contents(found: Diagnosis) -> str:
    links = "".join(
        f'<li><a href="#{one.chapter.key}">{line(one.chapter.title)}</a>{_mark(one)}</li>' for one in found.sections
    )
    return f'<nav aria-label="Sections"><ul>{links}</ul></nav>'


def _mark(section: Section) -> str:
    said = MARKS[section.state]
    return f' <span class="state">{said}</span>' if said else ""


def _section(section: Section) -> str:
    chapter = section.chapter
    says = f'<p class="says">{line(chapter.shows)} <span>{line(chapter.hides)}</span></p>'
    told = "".join(
        f'<li>{line(remark.said)}. <span class="rule">{line(remark.held)}</span></li>' for remark in section.remarks
    )
    remarks = f'<ul class="remarks">{told}</ul>' if told else ""
    body = f'<div class="body">{section.html}</div>' if section.html else ""
    more = "" if section.state == "n/a" else f'<p class="more">More: <code>%garage {line(chapter.verb)}</code></p>'
    return (
        f'<section id="{chapter.key}"><h2>{line(chapter.title)}{_mark(section)}</h2>{says}{_trouble(section)}'
        f"{remarks}{body}{more}</section>"
    )


def _trouble(section: Section) -> str:
    if not section.trouble:
        return ""
    what, hint = (*section.trouble, "")[:2]
    return f'<p class="trouble">{text(what)}<br>{text(hint)}</p>'


def _seconds(found: Diagnosis) -> str:
    """Which vary from run to run, and so stand behind everything that does not."""
    column = Column("seconds", [section.seconds for section in found.sections], bar=True)
    table = Table([section.chapter.title for section in found.sections], [column])
    return f'<section id="seconds"><h2>What this report took</h2>{piece(table)}</section>'
