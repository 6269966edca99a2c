"""Whether each stage on a device does what the plain one does on the CPU, fed with the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autovoice.bench.gate import gate
from autovoice.bench.material import VOICE
from autovoice.config import preset
from autovoice.engine import Engine
from autovoice.engine.carrying import MODEL_HZ, Vocal
from autovoice.engine.chunks import curve_at
from autovoice.engine.pipeline import Pipeline
from autovoice.engine.progress import Reporter
from autovoice.engine.stages import Stages
from autovoice.types import Audio, FloatArray

STAGES = ("separate", "analyse", "convert", "mix")
# A confidence well above that at which a note begins, 0.5.
SURELY_VOICED = 0.55


def difference_db(found: FloatArray, wanted: FloatArray) -> float:
    """Return the power of the difference over that of what was wanted."""
    apart = np.mean(np.square(found.astype(np.float64) - wanted))
    power = np.mean(np.square(wanted.astype(np.float64)))
    return round(float(10 * np.log10((apart + 1e-30) / (power + 1e-20))), 1)


def compare(engine: Engine, audio: Audio) -> dict[str, Any]:
    """Return how far each stage is from the plain one on the CPU; inputs are the CPU's."""
    cpu, here = Stages("cpu"), engine.stages
    pipelines = [Pipeline(s, preset("balanced"), Reporter(STAGES)) for s in (cpu, here)]
    plain, resident = pipelines
    stems = plain.separate(audio, mixed=True)
    separated = resident.separate(audio, mixed=True)
    vocal, heard = (pipeline.analyse(stems.vocals) for pipeline in pipelines)
    speaker = engine.voice(VOICE).speaker
    wanted, sung = _sung(cpu, vocal, speaker), _sung(here, vocal, speaker)
    found: dict[str, Any] = {
        "separate_db": difference_db(separated.vocals.samples, stems.vocals.samples),
        "hear": _heard(heard, vocal),
        "sing": gate(*(torch.from_numpy(x)[None] for x in (sung, wanted))).to_json(),
    }
    carry, mixer = here.resident.carry, here.resident.mixer
    if carry is not None and vocal.gain is None and (vocal.sung.f0_hz > 0).any():
        made = np.empty_like(wanted)
        cpu.builders.carry("cpu")(vocal.at_24k, wanted, vocal.sung, 0.7, made)
        gain = heard.gain or 1.0
        filtered = carry.carry(vocal.at_24k, wanted, vocal.sung, gain, 0.7)
        found["carry_db"] = difference_db(filtered, made)
    converted = Audio(wanted[None], MODEL_HZ)
    if mixer is not None and mixer.fits(converted, stems):
        mixed, whole = mixer.mixdown(converted, stems), plain.mix(converted, stems)
        found["mix_db"] = difference_db(mixed.mix.samples, whole.mix.samples)
        found["vocal_db"] = difference_db(mixed.vocal.samples, whole.vocal.samples)
    return found


def _sung(stages: Stages, vocal: Vocal, speaker: Any) -> FloatArray:
    """Sing up to 20 s of a vocal as one piece."""
    length = len(vocal.at_24k)
    factors = curve_at(vocal.activity, length, MODEL_HZ)
    singer = stages.resident.singer
    curves = vocal.pitch, vocal.energy
    if singer is not None and singer.fits(vocal.at_16k):
        return singer.sing(vocal.at_16k, curves, factors, speaker, semitones=0, seed=0)
    from autovoice.types import Analysis

    content = stages.content.encode(vocal.at_16k)
    analysis = Analysis(vocal.pitch, content, vocal.energy, vocal.activity, length / MODEL_HZ)
    features = stages.converter.convert(analysis, speaker, semitones=0)
    made: FloatArray = stages.vocoder.synthesise(features, speaker, seed=0).samples[0][:length]
    return made * factors


def _heard(found: Vocal, wanted: Vocal) -> dict[str, float]:
    voiced, both = wanted.pitch.f0_hz > 0, (wanted.pitch.f0_hz > 0) & (found.pitch.f0_hz > 0)
    # Where a note all but counts as none, rounding shifts what its pitch is averaged from.
    sure = both & (wanted.pitch.confidence >= SURELY_VOICED)
    cents = 1200 * np.log2(found.pitch.f0_hz[sure] / wanted.pitch.f0_hz[sure])
    return {
        "rates_db": difference_db(found.at_24k, wanted.at_24k),
        "voicing_frames": int((voiced != (found.pitch.f0_hz > 0)).sum()),
        "cents": round(float(np.abs(cents).max(initial=0.0)), 4),
        "energy": float(np.abs(found.energy.values - wanted.energy.values).max()),
        "activity": float(np.abs(found.activity.values - wanted.activity.values).max()),
    }
