"""What the development protocol converts: a cappella sources, speech targets."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Beside the repository; by default, as it may be anywhere (``--eval-folder``).
EVAL_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "eval"
SOURCES = (
    "vocadito_1_acap",
    "smstools_singing_female",
    "gtsinger_en_alto2_acap",
    "gtsinger_en_tenor1_acap",
    "gtsinger_zh04_acap",
    "gtsinger_jp03_acap",
    "gtsinger_kr05_acap",
    "gtsinger_fr03_acap",
)
# Two women (367, actor 22) and two men (2414, actor 21), of two recording conditions each.
TARGETS = ("libri_testother_367", "libri_testother_2414", "ravdess_actor21", "ravdess_actor22")


@dataclass(frozen=True)
class Item:
    """A file of the evaluation set; ``language`` is empty where it is not known."""

    name: str
    path: Path
    language: str


def items(folder: Path, names: Iterable[str]) -> list[Item]:
    """Find files of the evaluation set by name, with their language from its manifest.

    Raises:
        SystemExit: a name that is not there.
    """
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        languages = {Path(row["file"]).stem: row["language"] for row in csv.DictReader(file)}
    found = []
    for name in names:
        if name not in languages:
            raise SystemExit(f"{name!r} is not in {folder}; there are: {', '.join(languages)}")
        # "en?" is a guess and "en(zh L1)" an accent: what stands first is what is sung.
        language = languages[name].partition("(")[0].rstrip("?")
        found.append(Item(name, folder / f"{name}.flac", language))
    return found
