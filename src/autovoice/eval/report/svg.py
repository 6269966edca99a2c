"""Small pieces of SVG; every attribute and text is escaped."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def number(value: float) -> str:
    """Return a coordinate with a tenth of a pixel.

    >>> number(12.04), number(12.06)
    ('12', '12.1')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def tag(name: str, *content: str, **attributes: str | float) -> Markup:
    """Return an element.

    Args:
        name: of the element.
        content: text, escaped unless it is Markup.
        attributes: by name; ``_`` stands for ``-``, and a last ``_`` is dropped (``class_``).

    >>> tag("text", "a < b", x=1.25, class_="tick")
    Markup('<text x="1.2" class="tick">a &lt; b</text>')
    """
    parts = [name]
    for key, value in attributes.items():
        shown = value if isinstance(value, str) else number(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    inside = "".join(escape(each) for each in content)
    return Markup(f"<{' '.join(parts)}>{inside}</{name}>")  # noqa: S704 - all parts are escaped


def group(parts: Iterable[str], **attributes: str | float) -> Markup:
    """Return a ``g`` of elements."""
    return tag("g", *parts, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def label(x: float, y: float, words: str, *, anchor: str = "start", class_: str = "tick") -> Markup:
    """Return a text; ``anchor`` is start, middle or end."""
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_=class_)
