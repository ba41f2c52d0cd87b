"""Templates of pages and cards, with the filters that all of them use."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from curation.report.facts import percent, setting_percent


def templates_in(directory: Path, *, is_html: bool) -> Environment:
    """Return the templates of a folder; texts among the values are escaped for HTML."""
    templates = Environment(
        loader=FileSystemLoader(directory),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["percent"] = percent
    templates.filters["setting_percent"] = setting_percent
    templates.filters["count"] = "{:,}".format
    return templates
