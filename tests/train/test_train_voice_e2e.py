"""Training a voice on the real networks: one step of each kind, and the voice in use."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from voice_standins import BERTA, PlainEar, sing, singer, track

from autovoice import io
from autovoice.convert import Converter
from autovoice.convert.features import DecoderFeatures
from autovoice.train.voice.judge import Judge
from autovoice.train.voice.learner import Learner, as_adapter
from autovoice.train.voice.loop import Settings, Trainer
from autovoice.train.voice.material import Item, curves, draw, prepare, whole
from autovoice.train.voice.parts import Parts, load_parts
from autovoice.train.voice.state import State
from autovoice.train.voice.strangers import CLIP_TICKS, strangers, teller
from autovoice.types import Analysis, Content, Curve, Pitch, Speaker
from autovoice.vocode import Vocoder

pytestmark = pytest.mark.e2e
TICKS = 6


@pytest.fixture(scope="module")
def parts() -> Parts:
    return load_parts("cpu")


@pytest.fixture(scope="module")
def own(parts: Parts) -> list[Item]:
    samples = whole(sing(0.8, BERTA), TICKS)
    f0_hz = curves(samples, io.resample(samples[None], 24_000, 16_000)[0], track)
    return prepare([(samples, f0_hz, 12_000.0)], parts, [singer()], disguises=1)


@pytest.fixture(scope="module")
def others(parts: Parts) -> list[Item]:
    clips = teller(parts.decoder, "cpu")(1, 3)
    again = teller(parts.decoder, "cpu")(1, 3)
    np.testing.assert_array_equal(clips[0][1], again[0][1])
    assert clips[0][0].shape == (CLIP_TICKS * 2400,)
    assert np.abs(clips[0][0]).max() > 0.01
    return strangers(clips, parts, singer().speaker)


@pytest.fixture(scope="module")
def state(parts: Parts, own: list[Item], others: list[Item]) -> State:
    """Train for one step of each kind, on crops of 0.6 s."""
    learner = Learner(parts, np.zeros(128, np.float32))
    settings = Settings(seconds=1e6, steps=2, ticks=TICKS, rate=1e-3, score_every=99)
    judge = Judge(own, own[0].audio.numpy(), PlainEar())
    try:
        return Trainer(learner, own, judge, settings, State("k"), others=others).run()
    finally:
        learner.close()


def test_every_addition_learns_from_one_step_of_each_kind(state: State) -> None:
    power = state.kind("second")
    still = [k for k, v in power.items() if not k.endswith(".down") and not float(v.max()) > 0]
    assert still == []
    assert all(bool(torch.isfinite(v).all()) for v in state.kind("values").values())
    assert len(state.history) == 2


def test_the_engine_s_stages_sound_as_the_learner_did(
    parts: Parts, own: list[Item], state: State
) -> None:
    """What ran beside the layers while training is merged into them in use."""
    values = {
        k: v * 30 if k.endswith((".up", ".bias")) else v for k, v in state.kind("values").items()
    }
    crops = draw(own, 1, TICKS, 0, "cpu")
    learner = Learner(parts, np.zeros(128, np.float32))
    learner.put(values)
    with torch.no_grad():
        asr = parts.content(crops.content, TICKS * 4)[0].numpy()
        style = learner.style[None]
        wanted = parts.decoder(asr_tensor(asr), crops.f0_hz, crops.energy, style, None)[0].numpy()
    learner.close()
    style_values, adapter = as_adapter(values)
    full = {k: v.astype(np.float32) for k, v in adapter.items()}
    speaker = Speaker(style_values, np.zeros(256, np.float32), 200.0, 100.0, 400.0, full)
    features = Content(crops.content[0].numpy().reshape(2, 512, -1).transpose(0, 2, 1), (4, 6))
    silent = Pitch(np.zeros(9, np.float32), np.zeros(9, np.float32), 0.1)
    analysis = Analysis(
        silent, features, Curve(np.zeros(9, np.float32), 0.1), Curve(np.ones(9, np.float32), 0.1),
        TICKS / 10,
    )  # fmt: skip
    heard = Converter().convert(analysis, speaker)
    np.testing.assert_allclose(heard.asr, asr, atol=0.02)
    vocoder = Vocoder()
    vocoder.network.forward = without_noise(vocoder.network.forward)
    made = DecoderFeatures(asr, crops.f0_hz[0].numpy(), crops.energy[0].numpy())
    sound = vocoder.synthesise(made, speaker).samples[0]
    plain = Speaker(style_values, speaker.embedding, 200.0, 100.0, 400.0)
    untrained = vocoder.synthesise(made, plain).samples[0]
    gap = np.abs(sound - wanted).mean() / np.abs(wanted).mean()
    change = np.abs(untrained - wanted).mean() / np.abs(wanted).mean()
    assert gap < 0.05 < change
    assert gap < 0.2 * change


def asr_tensor(asr: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(asr)[None]


def without_noise(forward):  # type: ignore[no-untyped-def]
    """Leave the random breath out, so that two runs can be compared."""
    return lambda asr, f0_hz, energy, style, _noise=None: forward(asr, f0_hz, energy, style, None)
