"""The style sheet that the pages of the evaluation share."""

from __future__ import annotations

from pathlib import Path


def css() -> str:
    """Return the style sheet, to be put into a page's ``<style>``; its head lists the classes."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")
