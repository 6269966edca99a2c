"""A score is sung by a built-in voice, and its notes are found again; a broken score is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from autovoice.eval.harvest import harvest
from autovoice.speak.score import Note, read_score
from autovoice.types import Audio
from e2e import checks
from e2e.records import Case, Verdict
from e2e.setting import Setting

TUNE = Path(__file__).parents[2] / "benchmarks" / "scores" / "twinkle.musicxml"
VOICES, MORE_VOICES = ("kumo",), ("alpha", "gongitsune", "nezumi", "tebukuro")
TAIL_S = 0.5
LEAST_WITHIN_50_CENTS, LEAST_VOICED = 0.97, 0.9
# Of a note, what is neither glide nor consonant.
HEAD_S, TAIL_OF_NOTE_S = 0.12, 0.15


def run(setting: Setting) -> Iterator[Case]:
    """Sing a tune with built-in voices, and measure its notes."""
    for voice in (*VOICES, *MORE_VOICES) if setting.full else VOICES:
        yield _sung(setting, voice)
    yield _broken(setting)


def _sung(setting: Setting, voice: str) -> Case:
    path = setting.folder / f"twinkle-{voice}.wav"
    done = setting.autovoice(
        "sing", TUNE, "--voice", voice, "-o", path, "--device", setting.device, "--json"
    )
    result, audio, score = done.json(), checks.read(path), read_score(TUNE)
    wanted = round((score.seconds + TAIL_S) * 24_000)
    verdicts: list[Verdict] = [checks.exists(audio)]
    if audio is not None:
        verdicts += checks.file_checks(audio, audio)
        found = audio.length_samples
        verdicts.append(
            checks.truth("length of the score", found == wanted, f"{wanted} samples", str(found))
        )
        verdicts += _notes(audio, score.notes, result["semitones"])
    name = f"Twinkle, Twinkle, Little Star -> {voice}"
    timings = {"command": done.seconds}
    return Case(name, tuple(verdicts), {}, (done.words,), timings, tuple(result["notes"]))


def _notes(audio: Audio, notes: tuple[Note, ...], semitones: float) -> list[Verdict]:
    """Find the notes of the score in what was sung."""
    (f0_hz,) = harvest([(audio.mono(), audio.sample_rate_hz)])
    times_s = np.arange(len(f0_hz)) / 100
    near, sung, frames = 0, 0, 0
    for note in notes:
        inside = (times_s >= note.start_s + HEAD_S) & (times_s < note.end_s - TAIL_OF_NOTE_S)
        voiced = f0_hz[inside & (f0_hz > 0)]
        wanted_hz = 440.0 * 2.0 ** ((note.key + semitones - 69) / 12)
        near += int((np.abs(1200 * np.log2(voiced / wanted_hz)) < 50).sum())
        sung, frames = sung + len(voiced), frames + int(inside.sum())
    return [
        checks.at_least(
            "notes: within 50 cents", near / max(sung, 1), LEAST_WITHIN_50_CENTS,
            f">= {LEAST_WITHIN_50_CENTS:g}",
        ),
        checks.at_least(
            "notes: voiced", sung / max(frames, 1), LEAST_VOICED, f">= {LEAST_VOICED:g}"
        ),
    ]  # fmt: skip


def _broken(setting: Setting) -> Case:
    """Refuse a score that breaks off."""
    score, path = setting.folder / "broken.musicxml", setting.folder / "broken.wav"
    score.write_bytes(TUNE.read_bytes()[:2_000])
    done = setting.autovoice("sing", score, "--voice", VOICES[0], "-o", path, expect=None)
    verdicts = (
        checks.truth("exit code", done.code == 2, "2 (bad input)", str(done.code)),
        checks.truth("nothing is written", not path.exists(), "no file", "a file"),
        checks.truth("the error says why", "XML" in done.stderr, "a reason", done.stderr[-200:]),
    )
    return Case("a score that breaks off", verdicts, {}, (done.words,))
