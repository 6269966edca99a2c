"""Pages that show how good a conversion is."""

from autovoice.eval.report.styles import css
from autovoice.eval.report.template import render, write_text

__all__ = ["css", "render", "write_text"]
