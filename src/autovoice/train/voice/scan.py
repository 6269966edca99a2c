"""Look at recordings before training: what can be used, what cannot, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autovoice.analyse.activity import activity
from autovoice.errors import AutoVoiceError, InputError, VoiceError
from autovoice.train.voice.measure import (
    FRAMES_PER_S,
    Measured,
    flat_tops,
    levels,
    measure,
    per_frame,
)
from autovoice.train.voice.slices import Slice, cut
from autovoice.train.voice.speakers import main_speaker
from autovoice.types import Audio, FloatArray
from autovoice.voices import Encoders

Verdict = Literal["used", "partly used", "refused"]
LEAST_TOTAL_S = 10.0
LEAST_FILE_S = 1.0
# A slice with more flat tops than this is left out; a file that noisy is refused, or told of.
_MOST_CLIPPED = 0.002
_REFUSED_SNR_DB, _TOLD_SNR_DB = 12.0, 22.0
_WHOLE = 0.9
_ADVICE = {
    "silent": "nobody is heard in it; check that it is the right file and that it has sound",
    "too short": "it holds under 1 s of voice; give longer recordings",
    "clipped": "its loudest parts are cut off flat; record again with a lower input level",
    "noisy": "the noise is nearly as loud as the voice; record in a quieter room or take the "
    "vocals of a clean recording",
    "another speaker": "another person than in most of the recordings; leave it out",
    "several speakers": "more than one person is heard; only the one heard longest was taken: "
    "leave the others out to be sure",
    "unreadable": "",
}


@dataclass
class FileReport:
    """What was found in one recording.

    Args:
        name: of the file.
        verdict: whether it is used.
        used_s: seconds that are.
        problems: what is wrong with it, worst first, as keys of the advice.
        advice: what to do, one sentence per problem.
        measured: figures; None where it could not be read.
    """

    name: str
    verdict: Verdict = "refused"
    used_s: float = 0.0
    problems: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    measured: Measured | None = None

    def add(self, problem: str, advice: str = "") -> None:
        """Note a problem and what to do about it."""
        self.problems.append(problem)
        self.advice.append(advice or _ADVICE[problem])


@dataclass(eq=False)
class Recording:
    """A usable recording: mono 24 kHz, and its slices."""

    samples: FloatArray
    band_hz: float
    slices: list[Slice]


@dataclass(eq=False)
class Scan:
    """All recordings: a report on each, and those that can be used."""

    reports: list[FileReport]
    recordings: list[Recording]

    @property
    def slices(self) -> list[Slice]:
        """The slices of all recordings in order."""
        return [one for recording in self.recordings for one in recording.slices]

    @property
    def seconds(self) -> float:
        """How much can be used."""
        return sum(one.seconds for one in self.slices)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the reports as plain values."""
        return [asdict(report) for report in self.reports]


def scan(
    files: Sequence[Path | Audio],
    encoders: Encoders,
    *,
    least_s: float = LEAST_TOTAL_S,
    on_file: Callable[[int, int], None] = lambda _done, _all: None,
) -> Scan:
    """Look at recordings of one person.

    Args:
        files: files, or ``Audio``.
        encoders: what listens: pitch, speaker, resampling.
        least_s: seconds that have to be of use. Default 10.
        on_file: told how many of how many are done.

    Raises:
        InputError: a file is not there.
        VoiceError: less than that can be used; the message says why.
    """
    missing = [str(file) for file in files if isinstance(file, Path) and not file.is_file()]
    if missing:
        raise InputError(f"{missing[0]}: no such file, expected a recording")
    reports, recordings = [], []
    for index, file in enumerate(files):
        report = FileReport(str(file) if isinstance(file, Path) else f"recording {index + 1}")
        reports.append(report)
        recordings.append(_look(file, index, encoders, report))
        on_file(index + 1, len(files))
    _one_speaker(recordings, reports, encoders)
    for recording, report in zip(recordings, reports, strict=True):
        _judge(recording, report)
    found = Scan(reports, recordings)
    if found.seconds < least_s:
        raise VoiceError(_too_little(found, least_s))
    return found


def _look(file: Path | Audio, index: int, encoders: Encoders, report: FileReport) -> Recording:
    """Measure a recording and cut it; one that cannot be used has no slices."""
    nothing = Recording(np.zeros(0, np.float32), 12_000.0, [])
    try:
        audio = file if isinstance(file, Audio) else encoders.read(file)
    except InputError as error:
        report.add("unreadable", str(error))
        return nothing
    mono, rate_hz = audio.mono(), audio.sample_rate_hz
    pitch = encoders.pitch(encoders.resample(mono[None], rate_hz, 16_000)[0])
    active = activity(mono, rate_hz, pitch).values > 0.5
    level_db = levels(mono, rate_hz, len(active))
    found = measure(mono, rate_hz, active, level_db, pitch)
    report.measured = found
    slices = cut(active, level_db, index)
    if found.active_s == 0.0:
        report.add("silent")
    elif found.active_s < LEAST_FILE_S or not slices:
        report.add("too short")
    elif found.snr_db is not None and found.snr_db < _TOLD_SNR_DB:
        report.add("noisy")
        slices = slices if found.snr_db >= _REFUSED_SNR_DB else []
    clipped = per_frame(flat_tops(mono), rate_hz, len(active))
    clean = [one for one in slices if _mean(clipped, one) <= _MOST_CLIPPED]
    if len(clean) < len(slices):
        report.add("clipped")
    at_24k = encoders.resample(mono[None], rate_hz, 24_000)[0]
    return Recording(at_24k, found.band_hz, clean)


def _mean(values: NDArray[np.float64], where: Slice) -> float:
    first = int(where.start_s * FRAMES_PER_S)
    return float(values[first : max(first + 1, int(where.stop_s * FRAMES_PER_S))].mean())


def _one_speaker(
    recordings: list[Recording], reports: list[FileReport], encoders: Encoders
) -> None:
    """Leave out the slices of everybody but the person heard longest."""
    slices, vectors = [], []
    for recording in recordings:
        for one in recording.slices:
            try:
                vectors.append(encoders.embedding(samples_of(recording, one), 24_000))
            except AutoVoiceError:
                continue
            slices.append(one)
    if not slices:
        return
    seconds = np.array([one.seconds for one in slices], np.float32)
    kept = main_speaker(np.stack(vectors), seconds)
    others = {one for one, is_kept in zip(slices, kept, strict=True) if not is_kept}
    for recording, report in zip(recordings, reports, strict=True):
        mine = [one for one in recording.slices if one not in others]
        if len(mine) < len(recording.slices):
            report.add("several speakers" if mine else "another speaker")
        recording.slices = mine


def samples_of(recording: Recording, where: Slice) -> FloatArray:
    """Return the samples of a slice, ``[T]`` at 24 kHz."""
    return recording.samples[round(where.start_s * 24_000) : round(where.stop_s * 24_000)]


def _judge(recording: Recording, report: FileReport) -> None:
    report.used_s = round(sum(one.seconds for one in recording.slices), 3)
    active = report.measured.active_s if report.measured else 0.0
    if report.used_s >= _WHOLE * active and recording.slices:
        report.verdict = "used"
    elif recording.slices:
        report.verdict = "partly used"
        if not report.problems:
            report.add("too short", "its shortest phrases, under 1 s, were left out")


def _too_little(found: Scan, least_s: float) -> str:
    reasons = [
        f"{Path(report.name).name}: {', '.join(report.problems)} ({report.advice[0]})"
        for report in found.reports
        if report.problems
    ]
    told = "; ".join(reasons[:5]) or "all of them together are too short"
    return (
        f"training needs at least {least_s:.0f} s of one clean voice (60 s work best), found "
        f"{found.seconds:.1f} s in {len(found.reports)} recording(s): {told}"
    )
