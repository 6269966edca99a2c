"""One conversion through the command line: its files checked, its sound scored."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autovoice import io
from autovoice.eval.card import Kind
from autovoice.types import Audio, FloatArray
from e2e import checks
from e2e.commands import CommandFailed, Done
from e2e.records import Case, Verdict
from e2e.setting import Setting

STEMS = ("vocals", "backing", "converted")
# What a card of each kind must be able to judge: a gate that says "not applicable" because
# nothing could be tracked must not let a broken result through.
MUST_JUDGE: dict[Kind, tuple[str, ...]] = {
    "song": ("pitch_rmse_hz", "similarity_target"),
    "speech": ("pitch_rmse_hz", "similarity_target"),
    "copy": ("pitch_rmse_hz", "stoi"),
    "text": ("similarity_target", "cer"),
}
MOST_PAGE_MB = 3.0
# What a browser would fetch. Links that a person may follow are no part of the page.
_OUTSIDE = re.compile(r"""(?:src=|<link[^>]*href=|url\()["']?(?:https?:)?//[^"')\s]+""")
Scoring = Literal["process", "report", "eval"]


@dataclass(frozen=True)
class Job:
    """What to convert, and how to judge it.

    Args:
        name: of the case.
        song: the source.
        voice: for ``--voice``.
        reference: a recording of the target, or the embedding of a voice that has none.
        kind: the protocol.
        mixed: take the voice out of a mix first.
        semitones: for ``--semitones``.
        scored_by: who makes the card: this process, whose networks are loaded already, or a
            command, where it is the command that is to be tested.
    """

    name: str
    song: Path
    voice: str | Path
    reference: Path | FloatArray
    kind: Kind = "song"
    mixed: bool = False
    semitones: str = "auto"
    scored_by: Scoring = "process"


def convert(setting: Setting, job: Job) -> Case:
    """Convert, check what was written, and score the voice."""
    folder = setting.folder / slug(job.name)
    cover, stems = folder / "cover.wav", folder / "stems"
    words: list[object] = ["convert", job.song, "--voice", job.voice, "-o", cover]
    words += ["--semitones", job.semitones, "--device", setting.device, "--json"]
    words += ["--stems", stems] if job.mixed else ["--no-separate"]
    words += ["--report", folder / "report"] if job.scored_by == "report" else []
    done = setting.autovoice(*words)
    result = done.json()
    song = io.read(job.song)  # as the converter reads it: no peak over full scale
    verdicts = checks.file_checks(checks.read(cover), song)
    if job.mixed:
        verdicts += _stem_checks(song, cover, stems)
    ours = (stems / "converted.wav", stems / "vocals.wav") if job.mixed else (cover, job.song)
    return scored(setting, job, ours, result, verdicts=verdicts, done=done)


def scored(
    setting: Setting,
    job: Job,
    recordings: tuple[Path, Path],
    result: Mapping[str, Any],
    *,
    verdicts: list[Verdict],
    done: Done,
    share: float = 1.0,
) -> Case:
    """Return the case of a conversion: its checks, and the gates of its score card.

    Args:
        setting: of the run.
        job: what was asked for.
        recordings: the new vocal and the one that it was made of.
        result: what ``--json`` printed.
        verdicts: the checks of the files.
        done: the command.
        share: of its time that this case took.
    """
    begin = time.perf_counter()
    missing = ", ".join(path.name for path in recordings if not path.is_file())
    there = checks.truth("card: its recordings exist", not missing, "files", f"without {missing}")
    verdicts = [*verdicts, there]
    if missing:
        return Case(job.name, tuple(verdicts), commands=(done.words,))
    card, more = _carded(setting, job, recordings, result)
    timings = {"command": done.seconds * share, "command, cpu": done.cpu_s * share}
    timings["scoring"] = time.perf_counter() - begin
    timings |= {f"scoring: {name}": s for name, s in card.get("timings", {}).items()}
    notes = (f"{result['semitones']:+d} semitones", *result["notes"], *card.get("notes", ()))
    return Case(
        job.name,
        (*verdicts, *more, *judged(card, job.kind), *card_verdicts(card)),
        card["figures"],
        (done.words,),
        timings,
        notes,
    )


def _carded(
    setting: Setting, job: Job, recordings: tuple[Path, Path], result: Mapping[str, Any]
) -> tuple[Mapping[str, Any], list[Verdict]]:
    """Return the score card of a conversion, made the way that its job asks for."""
    if job.scored_by == "report":
        return reported(result)
    if job.scored_by == "eval":
        return evaluated(setting, job, recordings, result["semitones"])
    card = setting.judge(
        *recordings,
        job.reference,
        semitones=result["semitones"],
        kind=job.kind,
        language=setting.materials.language(job.song),
    )
    return card, []


def reported(result: Mapping[str, Any]) -> tuple[dict[str, Any], list[Verdict]]:
    """Return the card that ``convert --report`` wrote, and the checks of its page."""
    files = result.get("card", {})
    card = json.loads(Path(files["json"]).read_text(encoding="utf-8"))
    page = Path(files["page"]).read_text(encoding="utf-8")
    size, wanted = len(page.encode()) / 1e6, f"<= {MOST_PAGE_MB:g} MB"
    outside = sorted(set(_OUTSIDE.findall(page)))
    return card, [
        checks.at_most("report: size of the page", size, MOST_PAGE_MB, wanted),
        checks.truth(
            "report: opens without a network", not outside, "nothing from outside", str(outside)
        ),
    ]


def evaluated(
    setting: Setting, job: Job, recordings: tuple[Path, Path], semitones: float
) -> tuple[dict[str, Any], list[Verdict]]:
    """Return the card that ``autovoice eval`` prints, and whether ``--gate`` tells the truth."""
    output, source = recordings
    language = setting.materials.language(job.song)
    done = setting.autovoice(
        "eval", output, "--source", source, "--reference", job.reference, "--kind", job.kind,
        "--semitones", semitones, *(["--language", language] if language else []),
        "--device", setting.device, "--gate", "--json", expect=None,
    )  # fmt: skip
    if done.code not in {0, 1}:
        raise CommandFailed(f"{done.words}: exit code {done.code}\n{done.stderr[-1500:]}")
    card = done.json()
    found = {gate["status"] for gate in card["gates"]}
    wanted = int("fail" in found or "pass" not in found)
    told = checks.truth(
        "eval: exit code of --gate", done.code == wanted, str(wanted), str(done.code)
    )
    return card, [told]


def card_verdicts(card: Mapping[str, Any]) -> list[Verdict]:
    """Return the gates of a card."""
    return [
        Verdict(
            gate["name"],
            "quality",
            gate["wanted"],
            gate["value"],
            gate["status"],
            gate.get("why", ""),
            gate.get("protocol", ""),
        )
        for gate in card["gates"]
    ]


def judged(card: Mapping[str, Any], kind: Kind) -> list[Verdict]:
    """Check that the figures which a card of this kind must have are there."""
    verdicts = []
    for key in MUST_JUDGE[kind]:
        figure = card["figures"].get(key, {"value": None, "why_not": "it is not on the card"})
        there = figure["value"] is not None
        why = figure.get("why_not", "")
        verdicts.append(checks.truth(f"card: {key} was measured", there, "a number", why))
    return verdicts


def _stem_checks(song: Audio, cover: Path, folder: Path) -> list[Verdict]:
    found = {name: checks.read(folder / f"{name}.wav") for name in STEMS}
    missing = ", ".join(name for name, audio in found.items() if audio is None)
    there = checks.truth("stems: exist", not missing, ", ".join(STEMS), f"without {missing}")
    mix = checks.read(cover)
    parts = [audio for audio in found.values() if audio is not None]
    if mix is None or len(parts) < len(STEMS):
        return [there]
    vocals, backing, converted = parts
    return [there, *checks.stem_checks(song, mix, vocals, backing, converted)]


def slug(name: str) -> str:
    """Return a name for files.

    >>> slug("demo song -> kumo")
    'demo-song-kumo'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
