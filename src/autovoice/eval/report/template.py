"""Fill in a page: everything is escaped, the style sheet and the script are put into the page."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autovoice.errors import ResourceError
from autovoice.eval.report.styles import css

_FOLDER = Path(__file__).parent
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def render(name: str, values: Mapping[str, Any], *, folder: Path = _FOLDER) -> str:
    """Return a page made of a template, which extends ``base.html``.

    The page needs no network: its policy forbids it, and allows only its own style and script.

    Args:
        name: the template's file name.
        values: what it shows. Text is escaped; what is HTML already is a ``markupsafe.Markup``.
        folder: where the template is. Default: this folder, which holds ``base.html`` too.
    """
    environment = Environment(
        loader=FileSystemLoader([folder, _FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = css(), (_FOLDER / "page.js").read_text(encoding="utf-8")
    page = environment.get_template(name).render(
        **values,
        style=Markup(style),  # noqa: S704 - files of this package
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
    )
    return _writable(page)


def write_text(path: Path, text: str) -> Path:
    """Write a file that appears under its name only when it is whole; folders are created.

    Raises:
        ResourceError: the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise ResourceError(
            f"{path}: cannot be written ({error}); check the folder's permissions and free space"
        ) from error
    return path


def _writable(text: str) -> str:
    """Return text without what HTML and UTF-8 forbid: names of files may hold anything."""
    return _FORBIDDEN.sub("\ufffd", text)


def _policy(style: str, script: str) -> str:
    """Return a content security policy: data in the page itself and these two texts, no more."""
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            "media-src data:",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
