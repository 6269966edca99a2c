"""Speaker embeddings: same voice nearer than another, level and silence do not matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autovoice import io
from autovoice.analyse.speaker import SpeakerEncoder, ge2e
from autovoice.analyse.speaker.gate import drop_silence
from autovoice.analyse.speaker.ge2e import partial_starts, prepare
from autovoice.errors import InputError
from autovoice.types import FloatArray

EVAL = Path(__file__).parents[3] / "shared" / "eval"
RATE = 16_000
needs_eval = pytest.mark.skipif(not EVAL.is_dir(), reason="../shared/eval is not there")


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder()


def _voice(f0_hz: float, seconds: float, seed: int = 0) -> FloatArray:
    time_s = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * f0_hz * time_s + 0.5 * np.sin(2 * np.pi * 5 * time_s)
    sound = sum(np.sin(phase * k) / k for k in range(1, int(7000 / f0_hz)))
    noise = np.random.default_rng(seed).normal(0, 0.01, len(time_s))
    return (0.1 * sound + noise).astype(np.float32)


@needs_eval
def test_the_same_speaker_is_nearer_than_any_other(encoder: SpeakerEncoder) -> None:
    names = ("libri_testother_367", "libri_testother_2414", "ravdess_actor21", "ravdess_actor22")
    halves = []
    for name in names:
        audio = io.read(EVAL / f"{name}.flac")
        cut = audio.mono()[: 16 * audio.sample_rate_hz]
        parts = np.array_split(cut, 2)
        halves.append([encoder.embed(part, audio.sample_rate_hz) for part in parts])
    first, second = (np.stack([pair[side] for pair in halves]) for side in (0, 1))
    table = first @ second.T
    same = np.diag(table)
    others = table[~np.eye(len(names), dtype=bool)]
    assert same.min() > 0.85
    assert same.min() > others.max() + 0.05


def test_unit_length_and_level_does_not_matter(encoder: SpeakerEncoder) -> None:
    voice = _voice(150, 3)
    loud, quiet = encoder.embed(voice, RATE), encoder.embed(voice * 0.003, RATE)
    quieter = encoder.embed(voice * 0.001, RATE)
    assert loud.shape == (256,)
    assert loud.dtype == np.float32
    assert np.linalg.norm(loud) == pytest.approx(1.0, abs=1e-5)
    assert float(quiet @ quieter) > 0.9999


def test_silence_around_a_voice_changes_little(encoder: SpeakerEncoder) -> None:
    voice = _voice(200, 4)
    hush = np.zeros(5 * RATE, np.float32)
    both = encoder.embed(np.concatenate([hush, voice, hush]), RATE)
    assert float(both @ encoder.embed(voice, RATE)) > 0.97


def test_rates_agree(encoder: SpeakerEncoder) -> None:
    voice = _voice(180, 3)
    upsampled = io.resample(voice[None], RATE, 44_100)[0]
    assert float(encoder.embed(upsampled, 44_100) @ encoder.embed(voice, RATE)) > 0.99


def test_many_stretches_in_batches_equal_all_at_once(
    encoder: SpeakerEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ge2e, "_BATCH", 4)
    voice = np.concatenate([_voice(120 + 30 * k, 2, seed=k) for k in range(5)])
    starts = partial_starts(len(voice))
    assert len(starts) > 8
    summed = sum(encoder._run([ge2e._cut(voice, [start])])[0] for start in starts)
    whole = encoder.embed_prepared(voice)
    assert float(whole @ (summed / np.linalg.norm(summed))) > 0.9999


def test_voices_that_share_a_pass_are_heard_as_if_alone(encoder: SpeakerEncoder) -> None:
    voices = [_voice(hz, 3, seed=hz) for hz in (110, 180, 260)]
    cuts = [ge2e._cut(voice, partial_starts(len(voice))) for voice in voices]
    together = encoder._run(cuts)
    for made, cut in zip(together, cuts, strict=True):
        np.testing.assert_allclose(made, encoder._run([cut])[0], atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 0.05


def test_stretches_cover_the_sound() -> None:
    assert partial_starts(100) == [0]
    assert partial_starts(160 * 160) == [0]
    # 77 frames apart; the second would hold 1.6 - 0.77 s of 1.6 s, over three quarters at 2.0 s.
    assert partial_starts(int(1.9 * RATE)) == [0]
    assert partial_starts(int(2.0 * RATE)) == [0, 77]
    assert partial_starts(10 * RATE)[-1] * 160 + 160 * 160 >= 9.6 * RATE


def test_the_gate_keeps_sound_and_drops_long_silence() -> None:
    voice, hush = _voice(200, 1), np.zeros(2 * RATE, np.float32)
    kept = drop_silence(np.concatenate([hush, voice, hush]))
    assert RATE * 0.95 <= len(kept) <= RATE * 1.5
    short = np.concatenate([voice, hush[: RATE // 10], voice])
    assert len(drop_silence(short)) >= len(short) - 960
    assert len(drop_silence(hush)) == 0
    assert len(drop_silence(hush[:100])) == 0


@pytest.mark.parametrize("samples", [np.zeros(RATE, np.float32), np.zeros(0, np.float32)])
def test_silence_is_refused(encoder: SpeakerEncoder, samples: FloatArray) -> None:
    with pytest.raises(InputError, match="silence"):
        encoder.embed(samples, RATE)


def test_bad_samples_are_refused(encoder: SpeakerEncoder) -> None:
    for bad in (np.zeros((2, 9), np.float32), np.array([np.nan], np.float32)):
        with pytest.raises(InputError, match="finite mono"):
            encoder.embed(bad, RATE)


def test_a_click_too_short_to_gate_is_still_prepared() -> None:
    assert len(prepare(np.ones(300, np.float32))) == 300
