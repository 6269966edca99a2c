"""Singing from notes, judged: pitch, words, onsets, similarity, naturalness.

The tunes in ``scores/`` are in the public domain: Amazing Grace (New Britain, 1829), Twinkle,
Twinkle, Little Star (1761, words by Jane Taylor, 1806), Silent Night (Gruber 1818, words by J. F.
Young, 1859), Frere Jacques and its Italian Fra Martino (traditional).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autovoice import io
from autovoice.bench.tables import table
from autovoice.engine import Engine, Performance
from autovoice.eval.cer import character_error_rate
from autovoice.eval.judges import Judges, Sound
from autovoice.eval.spoken import whisper_language
from autovoice.speak.score import Note, read_score
from autovoice.speak.sung.phrases import Phrase, phrases
from autovoice.speak.sung.syllables import UNVOICED
from autovoice.types import Audio
from benchmarks.kept import Figures, KeptRows
from benchmarks.page import Section

log = logging.getLogger("benchmarks")
SCORES = Path(__file__).with_name("scores")
TUNES = {
    "amazing_grace": "en-us",
    "twinkle": "en-us",
    "silent_night": "en-us",
    "frere_jacques": "fr",
    "fra_martino": "it",
}
BUILTIN = ("alpha", "kumo")
CLONED = ("ravdess_actor22",)
# What of a note is its body: glides, and consonants at its end, are not.
HEAD_S, HEAD_SHARE, TAIL_S, TAIL_SHARE = 0.12, 0.3, 0.15, 0.35
GOALS = "goals: within 50 cents >= 0.97, CER as low as speech has it, onsets within 30 ms"


def sung(eval_folder: Path, out: Path, *, device: str = "cpu", resume: bool = False) -> Section:
    """Let voices sing every tune and judge each.

    Args:
        eval_folder: of the evaluation audio, for the cloned voice.
        out: folder that keeps each row once it is known.
        device: as for ``autovoice sing``. Default ``cpu``.
        resume: go on with a run that was cut off.
    """
    kept = KeptRows(out / "sung.json", {"device": device}, resume=resume)
    engine, judges = Engine(device), Judges("cpu", 0, None)
    voices: list[tuple[str, str | Path]] = [(name, eval_folder / f"{name}.flac") for name in CLONED]
    voices += [(name, name) for name in BUILTIN]
    found: dict[str, Figures] = {}
    for name, voice in voices:
        for tune, language in TUNES.items():
            row = f"{name}, {tune.replace('_', ' ')}"
            found[row] = kept.row(row, partial(judge, engine, judges, voice, tune, language))
            log.info("%s: %s", row, found[row])
    rows = [[name, *_cells(figures)] for name, figures in found.items()]
    rows.append(["**mean**", *_cells(_mean(list(found.values())))])
    headings = ["voice and tune", *next(iter(found.values()))]
    body = f"{GOALS}. Rows of {', '.join(kept.commits)}.\n\n{table(headings, rows)}"
    return Section("sung", "Singing from notes", body, found)


def judge(engine: Engine, judges: Judges, voice: str | Path, tune: str, language: str) -> Figures:
    """Sing a tune in a voice and return the figures."""
    path = SCORES / f"{tune}.musicxml"
    score = read_score(path)
    sung_phrases = phrases(score, language=language).phrases
    done = engine.sing(path, voice, language=language)
    f0_hz = np.asarray(judges.f0_hz(Sound(done)), np.float64)
    sung_notes = [note for p in sung_phrases for sung in p.sung for note in sung.notes]
    cents, voiced = pitch_errors(f0_hz, sung_notes, done.semitones)
    onsets_ms = 1000 * np.abs(onset_errors(done, sung_phrases))
    heard = transcript(judges, done, sung_phrases, language)
    wanted = " ".join(phrase.text for phrase in sung_phrases)
    log.info("heard: %s", heard)
    target = engine.voice(voice).embedding
    ours = judges.embedding(Sound(done))
    made_s = done.timings["total"] - done.timings["load"]
    return {
        "semitones": float(done.semitones),
        "median cents": float(np.median(cents)),
        "within 50 cents": float(np.mean(cents < 50)),
        "voiced": voiced,
        "CER": character_error_rate(heard, wanted) or 0.0,
        "onset, median ms": float(np.median(onsets_ms)),
        "onset, 90 % ms": float(np.percentile(onsets_ms, 90)),
        "similarity": float(ours @ target) if ours is not None else 0.0,
        "DistillMOS": judges.distillmos(Sound(done)),
        "x real time": made_s / done.seconds,
    }


def pitch_errors(
    f0_hz: NDArray[np.float64], notes: Sequence[Note], semitones: float
) -> tuple[NDArray[np.float64], float]:
    """Return the errors in the bodies of notes, cents, and the share of them that is voiced.

    Args:
        f0_hz: every 10 ms.
        notes: as sung.
        semitones: the shift.
    """
    times_s = np.arange(len(f0_hz)) / 100
    errors, frames = [], 0
    for note in notes:
        begin_s = note.start_s + min(HEAD_S, HEAD_SHARE * note.seconds)
        end_s = note.end_s - min(TAIL_S, TAIL_SHARE * note.seconds)
        inside = f0_hz[(times_s >= begin_s) & (times_s < end_s)]
        frames += len(inside)
        sung = inside[inside > 0]
        wanted_hz = 440.0 * 2.0 ** ((note.key + semitones - 69) / 12)
        errors.append(np.abs(1200 * np.log2(sung / wanted_hz)))
    cents = np.concatenate(errors)
    return cents, len(cents) / max(frames, 1)


def onset_errors(audio: Audio, sung_phrases: Sequence[Phrase]) -> NDArray[np.float64]:
    """Return how late vowels begin, seconds, where a consonant without voice stands before them.

    There the beginning of the vowel can be heard: the first time around the beat that the sound
    below 1 kHz is within 10 dB of the vowel.
    """
    rate = audio.sample_rate_hz
    low = io.resample(audio.mono()[None], rate, 2_000)[0].astype(np.float64)
    hop = 10  # 5 ms
    power = np.convolve(np.square(low), np.ones(20) / 20, "same")[::hop]
    errors = []
    for phrase in sung_phrases:
        for sung in phrase.sung:
            if sung.sounds.onset[-1:] not in UNVOICED or not sung.sounds.onset:
                continue
            at = round(sung.start_s * 200)
            body = np.median(power[at + 20 : max(at + 21, round(sung.end_s * 200) - 20)])
            around = power[max(0, at - 24) : at + 40]
            loud = np.flatnonzero(around > body / 10)
            quiet = np.flatnonzero(around[:34] <= body / 10)
            if len(loud) and len(quiet):
                # Still quiet 50 ms after the beat: late, up to the end of what is looked at.
                later = loud[loud > quiet[-1]]
                first = int(later[0]) if len(later) else len(around)
                errors.append((max(0, at - 24) + first - at) / 200)
    return np.array(errors or [0.0])


def transcript(
    judges: Judges, done: Performance, sung_phrases: Sequence[Phrase], language: str
) -> str:
    """Write the words down phrase by phrase."""
    cuts_s = [(one.end_s + other.start_s) / 2 for one, other in pairwise(sung_phrases)]
    rate, heard = done.sample_rate_hz, []
    silence = np.zeros((1, rate // 2), np.float32)
    for begin_s, end_s in pairwise([0.0, *cuts_s, done.seconds]):
        part = done.samples[:, round(begin_s * rate) : round(end_s * rate)]
        padded = Audio(np.concatenate([silence, part, silence], axis=1), rate)
        heard.append(judges.transcripts(Sound(padded), whisper_language(language))[0].text)
    return " ".join(heard)


def _cells(figures: Mapping[str, float]) -> list[str]:
    return [f"{value:.3f}" if abs(value) < 10 else f"{value:.0f}" for value in figures.values()]


def _mean(found: Sequence[Figures]) -> Figures:
    return {key: float(np.mean([each[key] for each in found])) for key in found[0]}
