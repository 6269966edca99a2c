"""Speech by built-in and by cloned voices, judged: words, similarity, naturalness.

Each voice says 20 of 50 sentences, another 20 each time (``sentences.tsv``: Harvard sentences, IEEE
1969, with phonemes from misaki's dictionary, Apache-2.0), so that the text front has no part in the
figures.
"""

from __future__ import annotations

import csv
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from autovoice.bench.tables import table
from autovoice.engine import Builders, Engine
from autovoice.eval.scorer import Scorer
from autovoice.speak.utterance import Utterance
from benchmarks.page import Section

log = logging.getLogger("benchmarks")
SENTENCES = Path(__file__).with_name("sentences.tsv")
EACH = 20
PAUSE_S = 0.3
BUILTIN = ("alpha", "gongitsune", "nezumi", "tebukuro", "kumo")
CLONED = (
    "libri_testother_367",
    "libri_testother_1688",
    "libri_testother_2414",
    "libri_testother_3005",
    "ravdess_actor21",
    "ravdess_actor22",
    "nemo_MP0",
    "speechocean_0461",
    "speechocean_0024",
)
FIGURES = ("cer", "similarity_target", "distillmos", "distillmos_reference")
GOALS = "goals: CER <= 0.03, similarity >= 0.80, DistillMOS >= 4.0"


def sentences() -> list[Utterance]:
    """Return the 50 sentences with their phonemes."""
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Utterance(text, phonemes, PAUSE_S) for text, phonemes in rows]


def front(
    text: str | Iterable[str],
    *,
    language: str,  # noqa: ARG001 - the protocol of a text front
    lexicon: Mapping[str, str] | None,  # noqa: ARG001
    ssml: bool | None,  # noqa: ARG001
) -> Iterator[Utterance]:
    """Stand in for the text front: lines that are sentences of the list."""
    known = {utterance.text: utterance for utterance in sentences()}
    return (known[line] for line in ([text] if isinstance(text, str) else text))


def spoken(eval_folder: Path, *, device: str = "cpu") -> Section:
    """Let every voice speak and judge each.

    Args:
        eval_folder: of the evaluation audio, for the cloned voices.
        device: as for ``autovoice speak``. Default ``cpu``.
    """
    engine, scorer = Engine(device, builders=Builders(text=front)), Scorer(device=device)
    lines = itertools.cycle(utterance.text for utterance in sentences())
    voices: list[tuple[str, str | Path]] = [(name, name) for name in BUILTIN]
    voices += [(name, eval_folder / f"{name}.flac") for name in CLONED]
    found = {}
    for name, voice in voices:
        found[name] = judge(engine, scorer, voice, list(itertools.islice(lines, EACH)))
        log.info("%s: %s", name, found[name])
    rows = [[name, *_cells(figures)] for name, figures in found.items()]
    for title, names in (("built-in, mean", BUILTIN), ("cloned, mean", CLONED)):
        rows.append([f"**{title}**", *_cells(_mean([found[name] for name in names]))])
    headings = ["voice", "CER", "similarity", "DistillMOS", "of the reference", "x real time"]
    body = f"{GOALS}. Each voice says {EACH} sentences.\n\n{table(headings, rows)}"
    return Section("spoken", "Speech, voice by voice", body, {"voices": found})


def judge(
    engine: Engine, scorer: Scorer, voice: str | Path, lines: list[str]
) -> dict[str, float | None]:
    """Speak lines in a voice and return the figures."""
    from autovoice import io

    speech = engine.speak(lines, voice)
    reference: Any = io.read(voice) if isinstance(voice, Path) else engine.voice(voice).embedding
    card = scorer.text_card(speech, " ".join(lines), reference)
    if card.words is not None:
        log.info("heard: %s", card.words.output)
    made_s = speech.timings["total"] - speech.timings["load"]
    return {**{key: card.value(key) for key in FIGURES}, "realtime": made_s / speech.seconds}


def _cells(figures: Mapping[str, float | None]) -> list[str]:
    return ["-" if value is None else f"{value:.3f}" for value in figures.values()]


def _mean(found: list[dict[str, float | None]]) -> dict[str, float | None]:
    means: dict[str, float | None] = {}
    for key in found[0]:
        known = [value for each in found if (value := each[key]) is not None]
        means[key] = sum(known) / len(known) if known else None
    return means
