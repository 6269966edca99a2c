"""Write ``models/index.json``: size, SHA-256, licence and model card of each bundled file.

Usage: ``python scripts/index_models.py [--check]``. Licence, attribution and card of a file that
is listed already are kept; a new file is MIT, by the AutoVoice contributors, its card the
``MODEL_CARD.md`` in the folder of its name (without the number of a part).
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MODELS = Path(__file__).resolve().parents[1] / "models"
INDEX = "index.json"
SUFFIXES = frozenset({".safetensors", ".voice", ".json", ".npz", ".bin"})
PART = re.compile(r"-\d+$")
LARGEST_FILE_BYTES = 50_000_000
LARGEST_TOTAL_BYTES = 90_000_000


def build_index(folder: Path, old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the index of ``folder``, keeping what people wrote into the ``old`` one."""
    files = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in SUFFIXES or path.name == INDEX:
            continue
        data = path.read_bytes()
        files[path.name] = {
            "licence": "MIT",
            "attribution": "AutoVoice contributors",
            "card": f"{PART.sub('', path.stem)}/MODEL_CARD.md",
            **old.get("files", {}).get(path.name, {}),
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    return {"format": 1, "files": files}


def faults(folder: Path, index: Mapping[str, Any]) -> list[str]:
    """Return what breaks the rules: files too large, or without a model card."""
    sizes = {name: int(item["size_bytes"]) for name, item in index["files"].items()}
    found = [f"{n}: {s} bytes, at most 50 MB" for n, s in sizes.items() if s > LARGEST_FILE_BYTES]
    if sum(sizes.values()) > LARGEST_TOTAL_BYTES:
        found.append(f"together {sum(sizes.values())} bytes, at most 90 MB")
    cards = {name: str(item["card"]) for name, item in index["files"].items()}
    found += [f"{n}: no model card {c}" for n, c in cards.items() if not (folder / c).is_file()]
    return found


def main(arguments: Sequence[str], folder: Path = MODELS) -> int:
    """Write the index, or with ``--check`` tell whether it is up to date."""
    path = folder / INDEX
    text = path.read_text(encoding="utf-8") if path.is_file() else "{}"
    index = build_index(folder, json.loads(text))
    wanted = json.dumps(index, indent=2, sort_keys=True) + "\n"
    found = faults(folder, index)
    if "--check" in arguments:
        if text != wanted:
            found.append(f"{path} is out of date: run python scripts/index_models.py")
    else:
        path.write_text(wanted, encoding="utf-8")
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
