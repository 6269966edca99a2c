"""Write THIRD_PARTY.md: every weight of the registry and every package needed at run time.

Usage: ``python scripts/third_party.py [--check]``. Licences of packages are read from what is
installed, so run it in .venv.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from autovoice.weights.catalogue import load_catalogue

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "THIRD_PARTY.md"
RUNTIME_EXTRAS = ("server", "train", "eval")
# What the licence file says, where a package's metadata does not.
READ_BY_HAND = {"pyworld": "MIT", "webrtcvad-wheels": "MIT AND BSD-3-Clause"}
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
}
HEAD = """\
# Third-party notices

AutoVoice itself is MIT (see LICENSE). This page lists what it uses; `make docs` writes it.

## Model weights

They are fetched from the pinned wheels as data, checked by sha256 and never imported. The weights
under `models/` are AutoVoice's own: their cards name the data and its licences.

| name | what | licence | whose | wheel |
|---|---|---|---|---|
"""
MIDDLE = """
## Packages

What AutoVoice needs at run time with the extras `server`, `train` and `eval`, as Linux and Python
3.11 install it. All of it is permissive but for `soxr` and the libsndfile inside `soundfile`
(LGPL-2.1-or-later) and parts of `tqdm` (MPL-2.0): separate packages, used as they are published.
The extras `chinese` (pypinyin and rjieba, MIT) and `japanese` (pyopenjtalk-plus, MIT; SudachiPy and
SudachiDict, Apache-2.0) are permissive too; espeak-ng (GPL-3.0) is neither required nor shipped.

| package | licence | home |
|---|---|---|
"""


def requirements(name: str, extras: Iterable[str] = ()) -> Iterator[Requirement]:
    """Yield what an installed distribution needs here, with the given extras."""
    for line in metadata.requires(name) or ():
        needed = Requirement(line)
        marker = needed.marker
        if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
            yield needed


def closure(name: str, extras: Iterable[str]) -> list[str]:
    """Return all that ``name`` needs, directly or not, sorted, without itself."""
    waiting = list(requirements(name, extras))
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        needed = waiting.pop()
        key = (canonicalize_name(needed.name), frozenset(needed.extras))
        if key not in seen:
            seen.add(key)
            waiting.extend(requirements(*key))
    return sorted({package for package, _ in seen} - {name})


def licence(name: str) -> str:
    """Return the licence of an installed package, in one line."""
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    fields = metadata.metadata(name)
    for key in ("License-Expression", "License"):
        value = str(fields[key] or "").strip() if key in fields else ""
        if value and "\n" not in value and value != "UNKNOWN":
            return SPDX.get(value, value)
    prefix = "License :: "
    classes = [c for c in fields.get_all("Classifier") or () if str(c).startswith(prefix)]
    names = (str(c).rpartition(" :: ")[2] for c in classes)
    return ", ".join(SPDX.get(name, name) for name in names) or "unknown"


def page(name: str) -> str:
    """Return the home page of an installed package, empty where it names none."""
    fields = metadata.metadata(name)
    links = [str(link).partition(", ") for link in fields.get_all("Project-URL") or ()]
    wanted = ("homepage", "home", "repository", "source", "source code", "github")
    ranked = {label.lower(): url for label, _, url in links}
    found = (ranked[label] for label in wanted if label in ranked)
    home = str(fields["Home-page"]) if "Home-page" in fields else ""
    return next(found, home)


def package_rows() -> Iterator[str]:
    """Yield one table row per package."""
    for name in closure("autovoice", RUNTIME_EXTRAS):
        yield f"| {name} | {licence(name)} | {page(name)} |"


def weight_rows() -> Iterator[str]:
    """Yield one table row per entry of the weights registry."""
    for model in load_catalogue().models.values():
        wheels = ", ".join(sorted({member.wheel for member in model.members}))
        what = f"{model.use}: {model.what}"
        yield f"| {model.name} | {what} | {model.licence} | {model.attribution} | {wheels} |"


def render() -> str:
    """Return the whole page."""
    weights, packages = "\n".join(weight_rows()), "\n".join(package_rows())
    return f"{HEAD}{weights}\n{MIDDLE}{packages}\n"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with ``--check`` return 1 where it is not current."""
    text = render()
    if "--check" not in arguments:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("THIRD_PARTY.md is not current: run 'make docs'", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
