"""Promises that hold for every file, whatever the voice model can do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from autovoice.eval.figure import NotApplicable
from autovoice.eval.levels import true_peak_dbtp
from autovoice.types import Audio, FloatArray
from e2e.records import Verdict

CEILING_DBTP = -1.0  # what mix/ promises
# Files hold 24 bits: rounding may lift a peak by this much and no more.
CEILING_ROUNDING_DB = 0.001
LEAST_LEVEL_DB = -12.0
# Two stems are rounded to 24 bits, each by at most half a step; floats add the rest.
STEM_ROUNDING = 2.0**-23 + 1e-6
LEAST_CORRELATION = 0.98
_FULL_SCALE = 0.999


def truth(gate: str, holds: bool, wanted: str, found: str = "") -> Verdict:
    """Return a check without number; ``found`` is told when it does not hold."""
    return Verdict(gate, "check", wanted, None, "pass" if holds else "fail", "" if holds else found)


def at_most(gate: str, value: float, most: float, wanted: str) -> Verdict:
    """Return a check of an upper limit; ``wanted`` begins with ``<=``."""
    return Verdict(gate, "check", wanted, value, "pass" if value <= most else "fail")


def at_least(gate: str, value: float, least: float, wanted: str) -> Verdict:
    """Return a check of a lower limit; ``wanted`` begins with ``>=``."""
    return Verdict(gate, "check", wanted, value, "pass" if value >= least else "fail")


def read(path: Path) -> Audio | None:
    """Read a file as another program does, unsanitised; None when it is not there.

    A file that is there and cannot be read raises: that is an error, not a verdict.
    """
    if not path.is_file():
        return None
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return Audio(np.ascontiguousarray(samples.T), rate_hz)


def exists(output: Audio | None, name: str = "output") -> Verdict:
    """Check that a file was written."""
    return truth(f"{name}: exists", output is not None, "a file", "no file was written")


def file_checks(output: Audio | None, source: Audio, name: str = "output") -> list[Verdict]:
    """Check that a file is there, as long as its source, finite, and neither silent nor too loud.

    Args:
        output: what was read, None when there was nothing.
        source: what it was made of.
        name: what to call it.
    """
    there = exists(output, name)
    if output is None:
        return [there]
    found = f"{output.channels} x {output.length_samples} at {output.sample_rate_hz} Hz"
    wanted = f"{source.channels} x {source.length_samples} at {source.sample_rate_hz} Hz"
    finite = bool(np.isfinite(output.samples).all())
    verdicts = [
        there,
        truth(f"{name}: length to the sample", found == wanted, wanted, found),
        truth(f"{name}: finite", finite, "no NaN, no infinity", "found NaN or infinity"),
    ]
    return [*verdicts, *_levels(output, source, name)] if finite else verdicts


def _levels(output: Audio, source: Audio, name: str) -> list[Verdict]:
    try:
        peak_dbtp = true_peak_dbtp(output)
    except NotApplicable as reason:
        return [truth(f"{name}: audible", False, "sound", str(reason))]
    most = f"<= {CEILING_DBTP:g} dBTP (and {CEILING_ROUNDING_DB:g} dB for 24 bits)"
    level = f">= {LEAST_LEVEL_DB:g} dB against the source"
    return [
        at_most(f"{name}: true peak", peak_dbtp, CEILING_DBTP + CEILING_ROUNDING_DB, most),
        at_least(f"{name}: audible", _level_db(output) - _level_db(source), LEAST_LEVEL_DB, level),
    ]


def _level_db(audio: Audio) -> float:
    power = np.square(audio.samples, dtype=np.float64).mean()
    return float(10.0 * np.log10(power + 1e-12))


def stem_checks(
    song: Audio, cover: Audio, vocals: Audio, backing: Audio, converted: Audio
) -> list[Verdict]:
    """Check that the stems are the song, and that the cover is the new vocal over the backing."""
    shapes = {each.samples.shape for each in (song, cover, vocals, backing, converted)}
    same = truth("stems: as long as the song", len(shapes) == 1, "one length", f"found {shapes}")
    if len(shapes) > 1:
        return [same]
    # Where a stem alone goes beyond full scale, a file cannot hold it.
    held = (np.abs(vocals.samples) < _FULL_SCALE) & (np.abs(backing.samples) < _FULL_SCALE)
    error = np.abs(vocals.samples + backing.samples - song.samples)[held].max(initial=0.0)
    likeness = _correlation(cover.samples, converted.samples + backing.samples)
    new = abs(_correlation(vocals.samples, converted.samples))
    return [
        same,
        at_least("stems: within full scale", float(held.mean()), 0.9999, ">= 0.9999 of samples"),
        at_most("stems: sum to the mix", float(error), STEM_ROUNDING, f"<= {STEM_ROUNDING:.2e}"),
        at_least(
            "cover: new vocal over the same band",
            likeness,
            LEAST_CORRELATION,
            f">= {LEAST_CORRELATION:g} correlation (the limiter takes the rest)",
        ),
        at_most("cover: the old vocal is gone", new, 0.5, "<= 0.5 correlation of the vocals"),
    ]


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Return the correlation, 0 where one of the two does not move."""
    first, second = (each.ravel().astype(np.float64) - each.mean() for each in (one, other))
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / lengths if lengths > 0.0 else 0.0
