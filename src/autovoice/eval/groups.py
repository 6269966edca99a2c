"""The figures of a card, a group of measures at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from autovoice.errors import InputError
from autovoice.eval.aligned import check_audible, check_lengths
from autovoice.eval.card import Kind, Melody, Phrase, Words
from autovoice.eval.figure import Figure, NotApplicable, attempt, measured
from autovoice.eval.fricatives import breath_db, sibilance_db
from autovoice.eval.gaps import gap_noise_share
from autovoice.eval.intelligibility import StoiScore, stoi_score
from autovoice.eval.judges import Sound
from autovoice.eval.levels import loudness_lufs, true_peak_dbtp
from autovoice.eval.measures import MEASURES
from autovoice.eval.phrases import find_phrases, phrase_cards
from autovoice.eval.pitch import Curve, PitchScore, why_no_score
from autovoice.eval.similarity import cosine
from autovoice.eval.stft_distance import mr_stft_distance
from autovoice.eval.words import Transcript, error_rate, repeats_itself
from autovoice.types import Audio, FloatArray

Figures = dict[str, Figure]
LEAST_REFERENCE_S = 3.0
NO_RECORDING = "the reference is a stored voice, which holds no recording"
_MOST_FRAMES = 0.75
_ONLY_COPIES = "only for a voice copied to itself (kind copy)"


def keys(group: str, prefix: str = "") -> tuple[str, ...]:
    """Return the measures of a group, in the order of the table."""
    return tuple(m.key for m in MEASURES if m.group == group and m.key.startswith(prefix))


def refused(names: Iterable[str], why_not: str) -> Figures:
    """Return figures that do not apply, for one reason."""
    return {name: Figure(None, why_not) for name in names}


def tried(measure: Callable[[], float | None]) -> Figure:
    """Run a measure; recordings that it refuses become the reason."""
    try:
        return attempt(measure)
    except InputError as error:
        return Figure(None, str(error))


def less(one: Figure, other: Figure) -> Figure:
    """Return the difference of two figures; the reason of the one that is missing."""
    if one.value is None or other.value is None:
        return Figure(None, one.why_not or other.why_not)
    return measured(one.value - other.value)


def apart(output: Audio, source: Audio) -> str | None:
    """Say so where two recordings are too unlike in length to be laid side by side."""
    try:
        check_lengths(output, source)
    except NotApplicable as error:
        return str(error)
    return None


def pitch(score: PitchScore | None, curves: Melody, why_not: str | None = None) -> Figures:
    """Return how the melody was kept; ``why_not`` says that it cannot be compared."""
    if why_not is not None:
        return refused(keys("pitch"), why_not)
    if score is None:
        return refused(keys("pitch"), why_no_score(curves))
    return {
        "pitch_rmse_hz": measured(score.rmse_hz),
        "pitch_median_cents": measured(score.median_cents),
        "pitch_within_50_cents": measured(score.within_50_cents),
        "pitch_beyond_200_cents": measured(score.beyond_200_cents),
        "voicing_error": measured(score.voicing_error),
        "log_f0_correlation": measured(
            score.log_f0_correlation, "a melody that does not move has no correlation"
        ),
        "delay_s": measured(score.delay_s),
    }


def shift_notes(curves: Melody) -> list[str]:
    """Say so where the whole output lies semitones away: a shift that the scorer was not told."""
    both = (curves.output_hz > 0) & (curves.wanted_hz > 0)
    if not both.any():
        return []
    apart = 12.0 * np.log2(curves.output_hz[both] / curves.wanted_hz[both])
    found = round(float(np.median(apart)))
    if found == 0 or float(np.mean(np.abs(apart - found) < 0.5)) < _MOST_FRAMES:
        return []
    return [
        f"the output lies {found:+d} semitones from the wanted melody; if that shift was meant, "
        "say so (semitones)"
    ]


class Voice(NamedTuple):
    """A speaker embedding, ``[256]``, or why there is none."""

    vector: FloatArray | None
    why_not: str = ""


def voice(audible: Sound, embed: Callable[[Sound], FloatArray | None], name: str) -> Voice:
    """Embed the voice of a recording."""
    try:
        check_audible(audible.audio.samples, name)
        return Voice(embed(audible), f"no voice is heard in the {name}")
    except (NotApplicable, InputError) as error:
        return Voice(None, str(error))


def target(reference: Sound | FloatArray, embed: Callable[[Sound], FloatArray | None]) -> Voice:
    """Embed the reference: a recording of 3 s or more, or an embedding already."""
    if not isinstance(reference, Sound):
        return Voice(reference)
    seconds = reference.audio.seconds
    if seconds < LEAST_REFERENCE_S:
        return Voice(
            None, f"the reference is {seconds:.2f} s long; similarity needs {LEAST_REFERENCE_S:g} s"
        )
    return voice(reference, embed, "reference")


def similarity(ours: Voice, theirs: Voice, wanted: Voice) -> Figures:
    """Compare the voices of output, source and reference."""
    figures = {
        "similarity_target": _alike(ours, wanted),
        "similarity_source": _alike(ours, theirs),
        "similarity_floor": _alike(theirs, wanted),
    }
    gain = less(figures["similarity_target"], figures["similarity_floor"])
    return {**figures, "similarity_gain": gain}


def _alike(one: Voice, other: Voice) -> Figure:
    for each in (one, other):
        if each.vector is None:
            return Figure(None, each.why_not)
    return measured(cosine(one.vector, other.vector), "an embedding is all zeros")


def unheard(output: Sound, source: Sound) -> str | None:
    """Say which of the two is silent."""
    try:
        sound(source, "source")
        sound(output, "output")
    except NotApplicable as error:
        return str(error)
    return None


def words(
    heard: tuple[Transcript, Transcript], wanted: tuple[Transcript, Transcript]
) -> tuple[Figures, Words, list[str]]:
    """Compare transcripts, each with a beam and greedy; return figures, texts and notes."""
    figures = {
        "cer": tried(lambda: error_rate(heard[0].text, wanted[0].text)),
        "cer_greedy": tried(lambda: error_rate(heard[1].text, wanted[1].text)),
    }
    texts = Words(wanted[0].language, wanted[0].text, heard[0].text, heard[1].text)
    notes = [
        f"the transcript of the {name} repeats itself"
        for name, pair in (("output", heard), ("source", wanted))
        if any(repeats_itself(each.text) for each in pair)
    ]
    return figures, texts, notes


def sound(part: Sound | FloatArray, name: str) -> Sound:
    """Return a recording that can be heard.

    Raises:
        NotApplicable: it is silent, or a stored voice.
    """
    if not isinstance(part, Sound):
        raise NotApplicable(NO_RECORDING)
    check_audible(part.audio.samples, name)
    return part


def distillmos(score: Callable[[str], float]) -> Figures:
    """Return the opinions of ``output``, ``source`` and ``reference``."""
    output, source, reference = (
        tried(lambda name=name: score(name))  # type: ignore[misc]
        for name in ("output", "source", "reference")
    )
    return {
        "distillmos": output,
        "distillmos_source": source,
        "distillmos_reference": reference,
        "distillmos_change": less(output, source),
    }


def dnsmos(score: Callable[[str], tuple[float, float, float]]) -> Figures:
    """Return the opinions of ``output`` and ``source``."""
    figures: Figures = {}
    try:
        ovrl, sig, bak = score("output")
    except (NotApplicable, InputError) as error:
        figures.update(refused(("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak"), str(error)))
    else:
        figures["dnsmos_ovrl"], figures["dnsmos_sig"] = measured(ovrl), measured(sig)
        figures["dnsmos_bak"] = measured(bak)
    return {**figures, "dnsmos_ovrl_source": tried(lambda: score("source")[0])}


def level(output: Audio, source: Audio) -> Figures:
    """Return how loud the output is."""
    loudness = tried(lambda: loudness_lufs(output))
    change = less(loudness, tried(lambda: loudness_lufs(source)))
    if output.channels != source.channels:  # loudness sums channels: two read 3 LU above one
        ours, theirs = (Audio(each.mono()[None], each.sample_rate_hz) for each in (output, source))
        change = less(tried(lambda: loudness_lufs(ours)), tried(lambda: loudness_lufs(theirs)))
    return {
        "loudness_lufs": loudness,
        "loudness_change_lu": change,
        "true_peak_dbtp": tried(lambda: true_peak_dbtp(output)),
    }


def gaps(output: Audio, source: Audio, source_f0_hz: Curve) -> Figures:
    """Return what became of pauses, sibilants and breaths."""
    return {
        "gap_noise_share": tried(lambda: gap_noise_share(output, source)),
        "sibilance_db": tried(lambda: sibilance_db(output, source, source_f0_hz)),
        "breath_db": tried(lambda: breath_db(output, source, source_f0_hz)),
    }


def copy(output: Audio, source: Audio, kind: Kind) -> Figures:
    """Return how near a copy is to its original."""
    if kind != "copy":
        return refused(keys("copy"), _ONLY_COPIES)
    found: list[StoiScore] = []

    def stoi() -> float:
        found.append(stoi_score(output, source))
        return found[0].stoi

    first = tried(stoi)
    estoi = measured(found[0].estoi) if found else Figure(None, first.why_not)
    distance = tried(lambda: mr_stft_distance(output, source))
    return {"stoi": first, "estoi": estoi, "mr_stft": distance}


def phrases(output: Audio, source: Audio, curves: Melody) -> tuple[Phrase, ...]:
    """Judge phrase by phrase; none where the recordings cannot be cut into phrases."""
    try:
        return phrase_cards(output, source, curves, find_phrases(source))
    except (NotApplicable, InputError):
        return ()
