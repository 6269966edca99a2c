"""Every measure of a card: name, unit, range, which way is better, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", "zero", "none"]


@dataclass(frozen=True)
class Measure:
    """What a figure of a card means.

    Args:
        key: its name in JSON and CSV.
        heading: its name in tables.
        unit: ``""`` for a pure number.
        least, most: range of possible values; None where it is open.
        better: ``lower``, ``higher``, ``zero`` (nearest to zero), ``none`` (for the record).
        style: how it is printed; never rounds a value across a gate, since gates see the value.
        group: heading under which cards show it.
        says: one sentence for a person.
        source: paper or author.
    """

    key: str
    heading: str
    unit: str
    least: float | None
    most: float | None
    better: Better
    style: str
    group: str
    says: str
    source: str


_HARVEST = "M. Morise, 'Harvest', Interspeech 2017"
_GE2E = "Wan et al. 2018 (GE2E), weights of Resemblyzer"
_WHISPER = "Radford et al. 2022 (Whisper-base)"
_DISTILL = "Stahl and Gamper 2025 (Distill-MOS)"
_DNSMOS = "Reddy et al. 2022 (DNSMOS P.835)"
_TAAL = "Taal et al. 2011 (STOI)"
_JENSEN = "Jensen and Taal 2016 (ESTOI)"
_R128 = "ITU-R BS.1770-4"

MEASURES: tuple[Measure, ...] = (
    Measure(
        "pitch_rmse_hz",
        "pitch RMSE",
        "Hz",
        0,
        None,
        "lower",
        "{:.2f}",
        "pitch",
        "Root mean square distance of the output's melody from the wanted one.",
        _HARVEST,
    ),
    Measure(
        "pitch_median_cents",
        "median pitch error",
        "cents",
        0,
        None,
        "lower",
        "{:.1f}",
        "pitch",
        "Half of the sung frames are nearer to the wanted note than this.",
        _HARVEST,
    ),
    Measure(
        "pitch_within_50_cents",
        "within 50 cents",
        "",
        0,
        1,
        "higher",
        "{:.3f}",
        "pitch",
        "Share of sung frames less than a quarter tone off.",
        _HARVEST,
    ),
    Measure(
        "pitch_beyond_200_cents",
        "beyond 200 cents",
        "",
        0,
        1,
        "lower",
        "{:.3f}",
        "pitch",
        "Share of sung frames more than a whole tone off: slips and octave jumps.",
        _HARVEST,
    ),
    Measure(
        "voicing_error",
        "voicing error",
        "",
        0,
        1,
        "lower",
        "{:.3f}",
        "pitch",
        "Share of frames that are a note in only one of source and output.",
        _HARVEST,
    ),
    Measure(
        "log_f0_correlation",
        "log-F0 correlation",
        "",
        -1,
        1,
        "higher",
        "{:.4f}",
        "pitch",
        "How well the shape of the melody is followed.",
        _HARVEST,
    ),
    Measure(
        "delay_s",
        "delay",
        "s",
        -0.1,
        0.1,
        "zero",
        "{:+.3f}",
        "pitch",
        "How much later the output is; taken out before pitch is compared.",
        "AutoVoice",
    ),
    Measure(
        "similarity_target",
        "similarity to the target",
        "",
        -1,
        1,
        "higher",
        "{:.3f}",
        "voice",
        "Cosine of speaker embeddings, output against the reference.",
        _GE2E,
    ),
    Measure(
        "similarity_source",
        "similarity to the source",
        "",
        -1,
        1,
        "lower",
        "{:.3f}",
        "voice",
        "The same against the source singer; a conversion makes it fall.",
        _GE2E,
    ),
    Measure(
        "similarity_floor",
        "similarity floor",
        "",
        -1,
        1,
        "none",
        "{:.3f}",
        "voice",
        "Source against reference: what doing nothing would read.",
        _GE2E,
    ),
    Measure(
        "similarity_gain",
        "above the floor",
        "",
        -2,
        2,
        "higher",
        "{:+.3f}",
        "voice",
        "Similarity to the target less the floor.",
        _GE2E,
    ),
    Measure(
        "cer",
        "CER (beam 5)",
        "",
        0,
        None,
        "lower",
        "{:.3f}",
        "words",
        "Character error rate of what is heard in the output against the source.",
        _WHISPER,
    ),
    Measure(
        "cer_greedy",
        "CER (greedy)",
        "",
        0,
        None,
        "lower",
        "{:.3f}",
        "words",
        "The same with greedy decoding.",
        _WHISPER,
    ),
    Measure(
        "distillmos",
        "DistillMOS",
        "MOS",
        1,
        5,
        "higher",
        "{:.2f}",
        "naturalness",
        "Predicted opinion score of the output.",
        _DISTILL,
    ),
    Measure(
        "distillmos_source",
        "DistillMOS of the source",
        "MOS",
        1,
        5,
        "none",
        "{:.2f}",
        "naturalness",
        "The same for the source.",
        _DISTILL,
    ),
    Measure(
        "distillmos_reference",
        "DistillMOS of the reference",
        "MOS",
        1,
        5,
        "none",
        "{:.2f}",
        "naturalness",
        "The same for the reference.",
        _DISTILL,
    ),
    Measure(
        "distillmos_change",
        "DistillMOS against the source",
        "MOS",
        -4,
        4,
        "higher",
        "{:+.2f}",
        "naturalness",
        "Output less source.",
        _DISTILL,
    ),
    Measure(
        "dnsmos_ovrl",
        "DNSMOS OVRL",
        "MOS",
        1,
        5,
        "higher",
        "{:.2f}",
        "naturalness",
        "Predicted overall quality; trained on speech, reads singing low.",
        _DNSMOS,
    ),
    Measure(
        "dnsmos_sig",
        "DNSMOS SIG",
        "MOS",
        1,
        5,
        "higher",
        "{:.2f}",
        "naturalness",
        "Predicted quality of the voice.",
        _DNSMOS,
    ),
    Measure(
        "dnsmos_bak",
        "DNSMOS BAK",
        "MOS",
        1,
        5,
        "higher",
        "{:.2f}",
        "naturalness",
        "Predicted quality of the background.",
        _DNSMOS,
    ),
    Measure(
        "dnsmos_ovrl_source",
        "DNSMOS OVRL of the source",
        "MOS",
        1,
        5,
        "none",
        "{:.2f}",
        "naturalness",
        "The same for the source.",
        _DNSMOS,
    ),
    Measure(
        "stoi",
        "STOI",
        "",
        -1,
        1,
        "higher",
        "{:.3f}",
        "copy",
        "Intelligibility against the aligned source; for a voice copied to itself.",
        _TAAL,
    ),
    Measure(
        "estoi",
        "ESTOI",
        "",
        -1,
        1,
        "higher",
        "{:.3f}",
        "copy",
        "The same, sensitive to modulated maskers.",
        _JENSEN,
    ),
    Measure(
        "mr_stft",
        "multi-resolution STFT distance",
        "",
        0,
        None,
        "lower",
        "{:.3f}",
        "copy",
        "Spectral convergence plus log-magnitude distance over three windows.",
        "Yamamoto et al. 2020 (Parallel WaveGAN)",
    ),
    Measure(
        "loudness_lufs",
        "loudness",
        "LUFS",
        -70,
        None,
        "none",
        "{:.1f}",
        "level",
        "Integrated loudness of the output.",
        _R128,
    ),
    Measure(
        "loudness_change_lu",
        "loudness against the source",
        "LU",
        None,
        None,
        "zero",
        "{:+.1f}",
        "level",
        "Output less source.",
        _R128,
    ),
    Measure(
        "true_peak_dbtp",
        "true peak",
        "dBTP",
        None,
        None,
        "lower",
        "{:.1f}",
        "level",
        "Highest peak between samples.",
        _R128,
    ),
    Measure(
        "length_error_samples",
        "length error",
        "samples",
        None,
        None,
        "zero",
        "{:.0f}",
        "level",
        "Output less source, at the output's rate.",
        "AutoVoice",
    ),
    Measure(
        "gap_noise_share",
        "sound in the gaps",
        "",
        0,
        1,
        "lower",
        "{:.3f}",
        "gaps",
        "Share of the source's silent frames in which the output is not silent.",
        "AutoVoice",
    ),
    Measure(
        "sibilance_db",
        "sibilance kept",
        "dB",
        None,
        None,
        "zero",
        "{:+.1f}",
        "gaps",
        "Share of 4-10 kHz in unvoiced frames, output less source.",
        "AutoVoice",
    ),
    Measure(
        "breath_db",
        "breath kept",
        "dB",
        None,
        None,
        "zero",
        "{:+.1f}",
        "gaps",
        "Level of quiet unvoiced frames under the voice, output less source.",
        "AutoVoice",
    ),
)
BY_KEY = {measure.key: measure for measure in MEASURES}


def printed(key: str, value: float | None) -> str:
    """Return a value as tables show it, ``-`` when there is none."""
    return "-" if value is None else BY_KEY[key].style.format(value)
