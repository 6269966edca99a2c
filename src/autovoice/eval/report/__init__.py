"""Pages that show how good a conversion is."""

from autovoice.eval.report.page import card_page, write_card
from autovoice.eval.report.styles import css
from autovoice.eval.report.template import render, write_text

__all__ = ["card_page", "css", "render", "write_card", "write_text"]
