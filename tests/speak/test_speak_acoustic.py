from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from autovoice.errors import InputError, WeightsError
from autovoice.nn.kokoro_text import KokoroText
from autovoice.speak import acoustic
from autovoice.speak.acoustic import AcousticFront, moved_pitch
from autovoice.speak.packs import Prosody, load_prosodies, nearest_prosody
from autovoice.speak.utterance import Utterance
from autovoice.types import Speaker

SENTENCE = "ðə ɹˈɪvəɹ wʌz kˈOld ðæt mˈɔɹnɪŋ, ænd nˈObədi spˈOk."
VOCABULARY = {sign: index + 1 for index, sign in enumerate(sorted(set(SENTENCE)))}


def speaker(f0_hz: float = 220.0) -> Speaker:
    return Speaker(np.ones(128, np.float32), np.ones(256, np.float32), f0_hz, f0_hz, f0_hz)


def prosody(name: str, f0_hz: float, seed: int) -> Prosody:
    numbers = np.random.default_rng(seed).standard_normal((510, 128)).astype(np.float32)
    return Prosody(name, numbers, f0_hz)


@pytest.fixture(scope="module")
def front() -> AcousticFront:
    torch.manual_seed(3)
    network = KokoroText()
    # About nine frames per token, and a pitch that is heard: random weights would give neither.
    torch.nn.init.constant_(network.predictor.duration_proj.linear_layer.bias, -1.5)
    torch.nn.init.constant_(network.predictor.F0_proj.bias, 200.0)  # type: ignore[arg-type]
    ways = {"high": prosody("high", 220.0, 1), "low": prosody("low", 110.0, 2)}
    return AcousticFront(tensors=network.state_dict(), prosodies=ways, vocabulary=VOCABULARY)


def test_shapes_belong_together(front: AcousticFront) -> None:
    found = front.features(Utterance("The river", SENTENCE), speaker())
    frames = found.asr.shape[1]
    assert found.asr.shape == (512, frames)
    assert found.f0_hz.shape == found.energy.shape == (2 * frames,)
    assert len(found.durations) == len(SENTENCE) + 2
    assert found.durations.sum() == frames
    for curve in (found.asr, found.f0_hz, found.energy):
        assert curve.dtype == np.float32
        assert np.isfinite(curve).all()


def test_timbre_has_no_part_in_it(front: AcousticFront) -> None:
    other = replace(speaker(), style=np.full(128, -3.0, np.float32))
    one, two = (front.features(Utterance("", SENTENCE), who) for who in (speaker(), other))
    np.testing.assert_array_equal(one.asr, two.asr)
    np.testing.assert_array_equal(one.f0_hz, two.f0_hz)


def test_any_voice_speaks_with_any_prosody(front: AcousticFront) -> None:
    found = {
        name: front.features(Utterance("", SENTENCE), speaker(), prosody=name)
        for name in ("high", "low")
    }
    assert not np.array_equal(found["high"].energy, found["low"].energy)
    with pytest.raises(InputError, match=r"prosody: found 'odd', expected one of high, low"):
        front.features(Utterance("", SENTENCE), speaker(), prosody="odd")


def test_speed_changes_the_length_and_leaves_the_pitch(front: AcousticFront) -> None:
    usual = front.features(Utterance("", SENTENCE), speaker())
    for speed in (0.5, 2.0):
        found = front.features(Utterance("", SENTENCE), speaker(), speed=speed)
        assert found.asr.shape[1] == pytest.approx(usual.asr.shape[1] / speed, rel=0.15)
        ratio = np.median(found.f0_hz[found.f0_hz > 0]) / np.median(usual.f0_hz[usual.f0_hz > 0])
        assert abs(12 * np.log2(ratio)) < 0.5
        marked = front.features(Utterance("", SENTENCE, speed=speed), speaker())
        np.testing.assert_array_equal(marked.durations, found.durations)


def test_speed_of_markup_and_of_the_call_are_kept_in_bounds(front: AcousticFront) -> None:
    fastest = front.features(Utterance("", SENTENCE, speed=2.5), speaker())
    beyond = front.features(Utterance("", SENTENCE, speed=9.0), speaker(), speed=2.0)
    np.testing.assert_array_equal(beyond.durations, fastest.durations)


def test_the_melody_moves_to_the_voice(front: AcousticFront) -> None:
    usual = front.features(Utterance("", SENTENCE), speaker(220.0), prosody="high")
    lower = front.features(Utterance("", SENTENCE), speaker(165.0), prosody="high")
    np.testing.assert_allclose(lower.f0_hz, usual.f0_hz * 0.75, rtol=1e-5)
    marked = front.features(Utterance("", SENTENCE, semitones=12), speaker(), prosody="high")
    np.testing.assert_allclose(marked.f0_hz, usual.f0_hz * 2, rtol=1e-5)
    unknown = front.features(Utterance("", SENTENCE), speaker(0.0), prosody="high")
    np.testing.assert_array_equal(unknown.f0_hz, usual.f0_hz)


def test_what_has_no_pitch_keeps_none() -> None:
    curve = np.array([-3.0, 0.0, 9.0, 100.0, 1000.0], np.float32)
    np.testing.assert_array_equal(moved_pitch(curve, 1.5), [0, 0, 0, 150, 1400])
    assert moved_pitch(curve, 2.0).dtype == np.float32


@pytest.mark.parametrize(
    ("phonemes", "said"),
    [
        ("", r"found 0 phonemes, expected 1 to 400"),
        ("ə" * 401, r"found 401 phonemes"),
        ("ðə \u4e2d", r"found '\u4e2d' \(U\+4E2D\), which the voice model does not know"),
        ("a\0", r"U\+0000"),
    ],
)
def test_phonemes_that_cannot_be_spoken(front: AcousticFront, phonemes: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        front.features(Utterance("", phonemes), speaker())


def test_several_are_spoken_as_each_alone(front: AcousticFront) -> None:
    asked = [
        (Utterance("", SENTENCE), speaker(220.0)),
        (Utterance("", SENTENCE[:20], speed=1.3), speaker(165.0)),
        (Utterance("", SENTENCE[:37], semitones=2), speaker(110.0)),
    ]
    together = front.features_many(asked, speed=1.1)
    for found, each in zip(together, asked, strict=True):
        alone = front.features(*each, speed=1.1)
        np.testing.assert_array_equal(found.durations, alone.durations)
        np.testing.assert_allclose(found.asr, alone.asr, atol=1e-4)
        for name in ("f0_hz", "energy"):
            one, other = getattr(found, name), getattr(alone, name)
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
            assert one.base is None, "a short text would hold the memory of the longest"


def test_the_longest_utterance_is_spoken(front: AcousticFront) -> None:
    found = front.features(Utterance("", "ə" * 400), speaker())
    assert len(found.durations) == 402


def test_the_nearest_prosody_is_taken() -> None:
    ways = {"high": prosody("high", 230.0, 1), "low": prosody("low", 95.0, 2)}
    assert nearest_prosody(ways, speaker(118.0)).name == "low"
    assert nearest_prosody(ways, speaker(400.0)).name == "high"
    assert nearest_prosody(ways, speaker(0.0)).name == "high"


def test_a_prosody_has_a_style_for_every_length() -> None:
    way = prosody("high", 230.0, 1)
    np.testing.assert_array_equal(way.style(1), way.styles[0])
    np.testing.assert_array_equal(way.style(510), way.styles[-1])
    np.testing.assert_array_equal(way.style(9999), way.styles[-1])
    np.testing.assert_array_equal(way.style(0), way.styles[0])


def test_only_the_prosody_half_of_a_pack_is_read(tmp_path: Path) -> None:
    packs, pitches = tmp_path / "packs.npz", tmp_path / "pitch.safetensors"
    pack = np.random.default_rng(5).standard_normal((510, 1, 256)).astype(np.float32)
    np.savez(packs, jf_alpha=pack)
    save_file({"alpha.f0_hz": np.array([200, 150, 260], np.float32)}, pitches)
    (name, way), = load_prosodies(packs, pitches).items()  # fmt: skip
    assert (name, way.name, way.f0_median_hz) == ("alpha", "alpha", 200.0)
    np.testing.assert_array_equal(way.styles, pack[:, 0, 128:])


def test_damaged_packs_are_told(tmp_path: Path) -> None:
    packs = tmp_path / "packs.npz"
    packs.write_bytes(b"no archive")
    save_file({"a.f0_hz": np.ones(3, np.float32)}, tmp_path / "p.safetensors")
    with pytest.raises(WeightsError, match="models verify"):
        load_prosodies(packs, tmp_path / "p.safetensors")


@pytest.mark.e2e
def test_kokoro_itself_speaks_in_the_voices_range() -> None:
    front = AcousticFront()
    assert set(front.prosodies) == {"alpha", "gongitsune", "nezumi", "tebukuro", "kumo"}
    for f0_hz, way in ((105.0, "kumo"), (240.0, "nezumi")):
        found = front.features(Utterance("", SENTENCE), speaker(f0_hz))
        voiced = found.f0_hz[found.f0_hz > 0]
        assert abs(12 * np.log2(np.median(voiced) / f0_hz)) < 3
        assert 2.0 < found.asr.shape[1] / 40 < 6.0
        again = front.features(Utterance("", SENTENCE), speaker(f0_hz), prosody=way)
        assert again.asr.shape[0] == 512


def test_what_fills_a_pass_up_is_not_heard(front: AcousticFront) -> None:
    texts = (SENTENCE, SENTENCE[:20], SENTENCE[5:30])
    asked = [front._asked(Utterance("", text), speaker(), 1.0, "")[1] for text in texts]
    filled = acoustic._filled(asked)
    assert len(filled) == 4
    assert acoustic._filled(asked[:2]) == asked[:2]
    with torch.inference_mode():
        found, expected = front._run(filled), front._run(asked)
    for made, alone in zip(found, expected, strict=False):
        for one, other in zip(made, alone, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3, rtol=1e-3)
