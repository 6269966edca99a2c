"""Sing a phrase: what speech says of its sounds, laid over the notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autovoice.note_names import midi_hz
from autovoice.speak.score.records import Note
from autovoice.speak.sung.melody import FRAMES_PER_S, Expression, melody
from autovoice.speak.sung.phrases import Phrase
from autovoice.speak.sung.timing import Spans, token_spans
from autovoice.speak.sung.tokens import Token, tokens
from autovoice.speak.utterance import Utterance
from autovoice.types import FloatArray, Pitch, Speaker

Times = NDArray[np.float64]
CONTENT_PER_S = 40
BEFORE_S, AFTER_S = 0.3, 0.35
# Kokoro's durations are late: a sound is heard about two frames before its content. Measured by the
# beginnings of vowels: 25, 50 and 75 ms put them 15 ms early, 8 ms late and 25 ms late.
LEAD_S = 0.045
LOWEST_HZ, HIGHEST_HZ = 60.0, 1_400.0
# Unstressed vowels of speech are weaker than sung ones: this much of the difference stays.
KEPT_STRESS = 0.4


class Spoken(Protocol):
    """What the acoustic front says, see ``speak.acoustic.SpokenFeatures``."""

    asr: FloatArray
    energy: FloatArray
    durations: NDArray[np.int64]


class Front(Protocol):
    """The acoustic front of speech."""

    def features(self, utterance: Utterance, speaker: Speaker, *, speed: float) -> Spoken:
        """Return how a text is spoken."""


@dataclass(frozen=True, eq=False)
class SpokenMelody:
    """The decoder's input for a phrase in the pace of speech, shaped as in ``SungFeatures``."""

    asr: FloatArray
    f0_hz: FloatArray
    energy: FloatArray


@dataclass(frozen=True, eq=False)
class SungFeatures:
    """The decoder's input for one phrase of ``T`` frames of 25 ms.

    Args:
        asr: ``[512, T]`` words.
        f0_hz: ``[2 T]``, frame ``k`` centred at ``(k + 0.5) / 80`` s, 0 where unvoiced.
        energy: ``[2 T]``, frame ``k`` centred at ``k / 80`` s, log units.
        begin_s: of frame 0 in the output; may lie before it.
        vowels_s: ``[V, 2]`` when each vowel begins and ends, seconds after frame 0.
        manner: the same words in the pace of speech on the same melody.
    """

    asr: FloatArray
    f0_hz: FloatArray
    energy: FloatArray
    begin_s: float
    vowels_s: NDArray[np.float64]
    manner: SpokenMelody


def sung_features(
    front: Front,
    phrase: Phrase,
    speaker: Speaker,
    *,
    semitones: float = 0.0,
    expression: Expression | None = None,
    seed: int = 0,
) -> SungFeatures:
    """Return what the decoder reads for a phrase.

    Args:
        front: speaks the words: what its sounds are, how long and how loud.
        phrase: words and notes.
        speaker: the voice.
        semitones: shift of the melody.
        expression: default ``Expression()``.
        seed: of the drift of the pitch.

    Raises:
        InputError: see ``AcousticFront.features``.
    """
    found = tokens(phrase)
    text = "".join(token.symbol for token in found)
    spoken = front.features(Utterance(phrase.text, text), speaker, speed=1.0)
    spans = token_spans(phrase, found, spoken.durations[1:-1] / CONTENT_PER_S)
    begin_s = float(spans[0, 0]) - BEFORE_S
    frames = int(np.ceil((float(spans[-1, 1]) + AFTER_S - begin_s) * CONTENT_PER_S))
    padded = _padded(spans - begin_s, frames / CONTENT_PER_S)
    notes = [within_reach(note, semitones) for sung in phrase.sung for note in sung.notes]
    way = expression or Expression()

    def pitch(times_s: Times) -> FloatArray:
        keys = melody(notes, begin_s + times_s, way, seed)
        return _f0_hz(keys, found, padded, times_s)

    vowels = [number + 1 for number, token in enumerate(found) if token.role == "vowel"]
    return SungFeatures(
        _content(spoken, padded, frames),
        pitch(_times(frames)),
        _energy(spoken, found, padded, frames),
        begin_s,
        padded[vowels],
        _manner(spoken, padded, pitch),
    )


def _times(frames: int) -> Times:
    """Return where the frames of the pitch are centred, seconds."""
    return (np.arange(2 * frames) + 0.5) / FRAMES_PER_S


def _manner(spoken: Spoken, spans: Spans, pitch: Callable[[Times], FloatArray]) -> SpokenMelody:
    """Return the words as they are spoken; each sound has the pitch that it has when sung."""
    edges = np.concatenate([[0], np.cumsum(spoken.durations)]) / CONTENT_PER_S
    times_s = np.minimum(_times(spoken.asr.shape[1]) + LEAD_S, edges[-1] - 1e-3)
    number = np.clip(np.searchsorted(edges, times_s, side="right") - 1, 0, len(spans) - 1)
    share = (times_s - edges[number]) / (edges[number + 1] - edges[number])
    begin_s, end_s = spans[number].T
    # Marks take no time when sung: in speech they sound as what follows them.
    sung_s = begin_s + np.clip(share, 0.0, 0.999) * (end_s - begin_s) + 1e-6
    return SpokenMelody(spoken.asr, pitch(sung_s), spoken.energy)


def _padded(spans: Spans, seconds: float) -> Spans:
    """Return the spans with the silences of both ends, as the acoustic front has them."""
    ends = ([[0.0, spans[0, 0]]], spans, [[spans[-1, 1], seconds]])
    return np.concatenate(ends)


def _content(spoken: Spoken, spans: Spans, frames: int) -> FloatArray:
    """Return the words: each frame is the mean of the sounds that it holds."""
    firsts = np.concatenate([[0], np.cumsum(spoken.durations)[:-1]])
    each = spoken.asr[:, firsts]
    begin = np.arange(frames)[None] / CONTENT_PER_S
    late = spans + LEAD_S
    late[0, 0], late[-1, 1] = 0.0, frames / CONTENT_PER_S
    shared = np.minimum(late[:, 1:], begin + 1 / CONTENT_PER_S) - np.maximum(late[:, :1], begin)
    weights = np.maximum(shared, 0.0)
    weights /= np.maximum(weights.sum(axis=0, keepdims=True), 1e-9)
    return np.asarray(each @ weights, np.float32)


def _f0_hz(
    keys: NDArray[np.float64], found: Sequence[Token], spans: Spans, times_s: Times
) -> FloatArray:
    """Return the pitch where there is one; the spans include the silences of both ends."""
    voiced = np.zeros(len(times_s), bool)
    for token, (begin_s, end_s) in zip(found, spans[1:-1], strict=True):
        if token.voiced:
            voiced |= (times_s >= begin_s) & (times_s < end_s)
    f0_hz = 440.0 * 2.0 ** ((keys - 69.0) / 12.0)
    return np.where(voiced, f0_hz, 0.0).astype(np.float32)


def _energy(spoken: Spoken, found: Sequence[Token], spans: Spans, frames: int) -> FloatArray:
    """Return the loudness: that of speech, stretched sound by sound; vowels are held."""
    edges = np.concatenate([[0], np.cumsum(spoken.durations)]) * 2 - round(LEAD_S * FRAMES_PER_S)
    edges = np.maximum(edges, 0)
    times_s = np.arange(2 * frames) / FRAMES_PER_S
    held = _vowel_levels(spoken, found, edges)
    energy = np.full(2 * frames, spoken.energy[0], np.float64)
    for number, (begin_s, end_s) in enumerate(spans):
        inside = (times_s >= begin_s) & (times_s < end_s)
        if not inside.any():
            continue
        first, last = edges[number], edges[number + 1]
        share = (times_s[inside] - begin_s) / (end_s - begin_s)
        place = np.clip(first + share * (last - first), first, max(last - 1, first))
        energy[inside] = np.interp(place, np.arange(len(spoken.energy)), spoken.energy)
        if number - 1 in held:
            energy[inside] = held[number - 1]
    return ndimage.gaussian_filter1d(energy, 1.2, mode="nearest").astype(np.float32)


def _vowel_levels(
    spoken: Spoken, found: Sequence[Token], edges: NDArray[np.int64]
) -> dict[int, float]:
    """Return the level of each vowel, nearer to one another than in speech."""
    levels = {
        number: float(np.max(spoken.energy[edges[number + 1] : edges[number + 2] + 1]))
        for number, token in enumerate(found)
        if token.role in ("vowel", "sign")
    }
    middle = float(np.median(list(levels.values())))
    return {number: middle + KEPT_STRESS * (level - middle) for number, level in levels.items()}


def within_reach(note: Note, semitones: float) -> Note:
    """Return a note after a shift; one that no decoder follows moves by octaves to one it does.

    Args:
        note: as written.
        semitones: the shift.
    """
    key = note.key + semitones
    while midi_hz(key) < LOWEST_HZ:
        key += 12
    while midi_hz(key) > HIGHEST_HZ:
        key -= 12
    return replace(note, key=key)


def score_pitch(notes: Sequence[Note], hop_s: float = 0.01) -> Pitch:
    """Return the melody of a score as a curve; rests have no pitch.

    Args:
        notes: in order, at least one.
        hop_s: between values. Default 0.01.
    """
    frames = round(notes[-1].end_s / hop_s) + 1
    f0_hz = np.zeros(frames, np.float32)
    for note in notes:
        f0_hz[round(note.start_s / hop_s) : round(note.end_s / hop_s)] = midi_hz(note.key)
    return Pitch(f0_hz, (f0_hz > 0).astype(np.float32), hop_s, hop_s / 2)
