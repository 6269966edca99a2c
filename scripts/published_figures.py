"""Ask the published packages for the figures that ours must equal: DistillMOS, DNSMOS, GE2E.

They want their own environment, of Python 3.10 to 3.12, for they drag in what AutoVoice does
without. To make ``tests/eval/published_figures.json`` anew, from the root of the repository::

    .venv/bin/python scripts/published_figures.py cut ../cuts
    python3.11 -m venv ../published
    ../published/bin/pip install torch==2.13.0 onnxruntime==1.32.0 librosa==0.11.0 \
        'setuptools<81' webrtcvad==2.0.10 requests soundfile
    ../published/bin/pip install --no-deps distillmos==0.9.1 xls-r-sqa==0.1.0 \
        speechmos==0.0.1.1 Resemblyzer==0.1.4
    ../published/bin/python scripts/published_figures.py score ../cuts/*.wav \
        --json tests/eval/published_figures.json

``cut`` writes what the tests hear too: cuts of the demo song, and sung vowels made by formula;
``score`` takes any mono WAV at 16 kHz, so that no package resamples. torchaudio is named by
distillmos but not used: an empty module stands in for it. webrtcvad still imports
``pkg_resources``, hence the old setuptools.

Of Resemblyzer four things are noted: the embedding of the sound as it is, the embedding from end
to end (``prepared``: at least -30 dBFS, silences found by WebRTC's detector left out), what that
preparation did (``gain`` and the samples ``kept``), and the embedding from end to end of the same
samples played at 22,050 Hz, which the package resamples. Cards are judged from end to end; the
converter's own encoder finds silences by level, so of it the tests compare the network.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 16_000
PLAYED_HZ = 22_050
PACKAGES = ("distillmos", "xls-r-sqa", "speechmos", "Resemblyzer", "webrtcvad", "librosa", "torch")
# Spans of the demo song in seconds, joined, and a gain. One is shorter than the windows of the
# networks and quiet enough to be raised; of the long one DNSMOS leaves its last window out.
CUTS = {
    "whole": (((0.0, 10.9),), 1.0),
    "short": (((2.0, 5.2),), 0.02),
    "long": (((0.0, 10.9), (3.0, 9.5)), 0.5),
}
FORMANTS_HZ = {"a": (800, 1200), "e": (450, 1900), "i": (300, 2300), "o": (450, 850)}
# Vowel, pitch in Hz, length and pause after it in seconds.
SUNG = (
    ("a", 180, 0.5, 0.1),
    ("e", 200, 0.4, 0.0),
    ("i", 220, 0.6, 1.2),
    ("o", 190, 0.6, 0.1),
    ("a", 160, 0.8, 1.5),
    ("e", 210, 0.5, 0.0),
    ("a", 190, 0.4, 0.0),
    ("o", 150, 0.8, 0.4),
)
_VAD_SAMPLES = 480

Samples = NDArray[np.float32]


def cuts() -> Iterator[tuple[str, Samples]]:
    """Yield name and samples, ``[T]`` at 16 kHz, of each cut of the demo song and of the vowels."""
    from autovoice import io, weights

    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    mono = io.resample(song.mono()[None], song.sample_rate_hz, RATE_HZ)[0]
    for name, (spans, gain) in CUTS.items():
        parts = [mono[round(start * RATE_HZ) : round(end * RATE_HZ)] for start, end in spans]
        yield name, np.concatenate(parts) * np.float32(gain)
    yield "vowels", sung_vowels()


def sung_vowels() -> Samples:
    """Return gliding vowels with pauses, in faint noise; a peak of 0.5."""
    parts = []
    for vowel, pitch_hz, length_s, pause_s in SUNG:
        parts += [_vowel(vowel, pitch_hz, length_s), np.zeros(round(pause_s * RATE_HZ))]
    voice = np.concatenate(parts)
    noise = np.random.default_rng(0).standard_normal(len(voice))
    sound: Samples = (0.5 * voice / np.abs(voice).max() + 5e-4 * noise).astype(np.float32)
    return sound


def _vowel(vowel: str, pitch_hz: float, length_s: float) -> NDArray[np.float64]:
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    f0_hz = pitch_hz * (1.08 - 0.15 * time_s / length_s + 0.01 * np.sin(31.4 * time_s))
    phase = 2.0 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    harmonic = np.arange(1, int(6000 / pitch_hz))[:, None]
    resonance = sum(
        strength / (1.0 + ((harmonic * f0_hz - formant_hz) / 100.0) ** 2)
        for strength, formant_hz in zip((1.0, 0.5), FORMANTS_HZ[vowel], strict=True)
    )
    tone = ((resonance + 0.003) / np.sqrt(harmonic) * np.sin(harmonic * phase)).sum(axis=0)
    fade = np.clip(np.minimum(time_s, length_s - time_s) / 0.06, 0.0, 1.0)
    shaped: NDArray[np.float64] = tone * np.sin(0.5 * np.pi * fade) ** 2
    return shaped


class Published:
    """The three published packages, loaded once."""

    def __init__(self) -> None:
        sys.modules.setdefault("torchaudio", ModuleType("torchaudio"))
        self._torch: Any = importlib.import_module("torch")
        self._distillmos: Any = importlib.import_module("distillmos").ConvTransformerSQAModel()
        self._distillmos.eval()
        self._dnsmos: Any = importlib.import_module("speechmos.dnsmos")
        self._voices: Any = importlib.import_module("resemblyzer.audio")
        encoder: Any = importlib.import_module("resemblyzer.voice_encoder").VoiceEncoder
        self._encoder: Any = encoder("cpu", verbose=False)

    def figures(self, samples: Samples) -> dict[str, Any]:
        """Return all figures of a recording, ``[T]`` at 16 kHz."""
        with self._torch.no_grad():
            opinion = self._distillmos(self._torch.from_numpy(samples)[None]).item()
        dnsmos = self._dnsmos.run(samples, RATE_HZ)
        names = {"ovrl": "ovrl_mos", "sig": "sig_mos", "bak": "bak_mos"}
        return {
            "seconds": len(samples) / RATE_HZ,
            "distillmos": round(opinion, 6),
            "dnsmos": {ours: round(float(dnsmos[theirs]), 6) for ours, theirs in names.items()},
            "ge2e": self._voice(samples),
        }

    def _voice(self, samples: Samples) -> dict[str, Any]:
        louder = self._voices.normalize_volume(samples, -30, increase_only=True)
        active = self._voices.trim_long_silences(louder)
        return {
            "as_it_is": _rounded(self._encoder.embed_utterance(samples)),
            "prepared": self._end_to_end(samples, None),
            f"played_at_{PLAYED_HZ}_hz": self._end_to_end(samples, PLAYED_HZ),
            "gain": float(np.abs(louder).max() / np.abs(samples).max()),
            "kept": kept_spans(louder, active),
        }

    def _end_to_end(self, samples: Samples, rate_hz: int | None) -> list[float]:
        prepared = self._voices.preprocess_wav(samples, rate_hz)
        return _rounded(self._encoder.embed_utterance(prepared))


def kept_spans(samples: Samples, active: Samples) -> list[list[int]]:
    """Find which windows of 30 ms are left in ``active``; return first and last sample of runs."""
    spans: list[list[int]] = []
    taken = 0
    for start in range(0, len(samples) - _VAD_SAMPLES + 1, _VAD_SAMPLES):
        end = start + _VAD_SAMPLES
        if not np.array_equal(samples[start:end], active[taken : taken + _VAD_SAMPLES]):
            continue
        taken += _VAD_SAMPLES
        if spans and spans[-1][1] == start:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    if taken != len(active):
        raise ValueError(f"found {taken} of {len(active)} samples that the package kept")
    return spans


def _rounded(embedding: Samples) -> list[float]:
    return [round(float(number), 6) for number in embedding]


def cut(folder: Path) -> None:
    """Write every cut as WAV of 32-bit floats."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples in cuts():
        soundfile.write(folder / f"{name}.wav", samples, RATE_HZ, subtype="FLOAT")


def score(files: Sequence[Path], target: Path) -> None:
    """Write the figures of each file, by name without ending, and who gave them."""
    published = Published()
    found: dict[str, Any] = {}
    for path in files:
        samples, rate_hz = soundfile.read(path, dtype="float32")
        if rate_hz != RATE_HZ or samples.ndim != 1:
            raise ValueError(
                f"{path}: found {rate_hz} Hz, {samples.ndim} axes; expected mono 16 kHz"
            )
        found[path.stem] = published.figures(samples)
    record = {"packages": {name: metadata.version(name) for name in PACKAGES}, "files": found}
    target.write_text(_written(record), encoding="utf-8")


def _written(record: dict[str, Any]) -> str:
    """Return JSON with every list of numbers on one line."""
    text = json.dumps(record, indent=2)
    flat = re.sub(r"\[[^{}\"]*\]", lambda found: " ".join(found[0].split()), text)
    return flat.replace("[ ", "[").replace(" ]", "]") + "\n"


def main(arguments: Sequence[str]) -> int:
    """Cut the demo song, or score files with the published packages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    cutting = commands.add_parser("cut")
    cutting.add_argument("folder", type=Path)
    scoring = commands.add_parser("score")
    scoring.add_argument("files", type=Path, nargs="+")
    scoring.add_argument("--json", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.command == "cut":
        cut(options.folder)
    else:
        score(options.files, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
