"""Random crops: pitch where the sound is, one voice each, another speed moves both."""

from __future__ import annotations

from pathlib import Path

import made_corpus
import numpy as np
import pytest
import torch
from tests.heard_ops import ASKING, HeardOps

from autovoice.eval.dio import dio
from autovoice.train.corpus import Corpus, Crops, filled, sent


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("packed")
    made_corpus.write_corpus(folder)
    return Corpus(folder, "cpu")


def _draw(corpus: Corpus, **options: object) -> Crops:
    chosen = {"batch": 4, "samples": 12_000, "reference_samples": 12_000, **options}
    return corpus.draw(rng=np.random.default_rng(3), **chosen)  # type: ignore[arg-type]


def _read_hz(audio: torch.Tensor) -> np.ndarray:
    """Read F0 every 5 ms with a judge that knows nothing of the corpus."""
    sound = audio.numpy()[::3].copy()
    return dio([(sound, 8_000)])[0]


def test_clips_voices_and_weights(corpus: Corpus) -> None:
    assert corpus.speakers.tolist() == ["libri_low", "so_high"]
    assert corpus.speaker.tolist() == [0, 0, 1, 1]
    assert corpus.lengths.tolist() == [96_000] * 4
    assert len(corpus.audio) == 300 * corpus.f0_hz.shape[1] == 4 * 96_000
    assert corpus.weight.sum() == pytest.approx(1.0)
    assert corpus.weight[0] == pytest.approx(2.5 * corpus.weight[2])
    low = np.concatenate([made_corpus.contour(hz, 320) for hz in (110.0, 120.0)])
    assert corpus.median_hz[0] == pytest.approx(float(np.median(low)), rel=1e-3)


def test_clips_of_noisy_rooms_can_weigh_less(tmp_path: Path) -> None:
    made_corpus.write_corpus(tmp_path)
    quieter = Corpus(tmp_path, "cpu", noisy_weight=0.25)
    assert quieter.weight[0] == pytest.approx(10 * quieter.weight[2])
    assert np.array_equal(quieter.clean_weight, quieter.weight)  # nobody is known to be clean


def test_clean_speakers_are_found(tmp_path: Path) -> None:
    made_corpus.write_corpus(tmp_path)
    table = dict(np.load(tmp_path / "corpus.npz"))
    table["speakers"] = np.array(["so_1", "libritts_2", "libri_3", "tsp_MD"])
    np.savez(tmp_path / "corpus.npz", **table)
    corpus = Corpus(tmp_path, "cpu")
    assert corpus.clean_weight == pytest.approx([0.0, 0.5, 0.0, 0.5])
    drawn = _draw(corpus, batch=64, clean=True)
    assert set(corpus.speakers[drawn.speaker.numpy()]) == {"libritts_2", "tsp_MD"}


def test_shapes(corpus: Corpus) -> None:
    crops = _draw(corpus, batch=3, reference_samples=9_000)
    assert crops.audio.shape == (3, 12_000)
    assert crops.f0_hz.shape == (3, 40)
    assert crops.reference.shape == (3, 9_000)
    for value in (crops.speaker, crops.band_hz, crops.f0_median_hz, crops.speed):
        assert value.shape == (3,)
    assert crops.band_hz.dtype == crops.f0_median_hz.dtype == torch.float32


@pytest.mark.parametrize("varied", [0.0, 1.0])
def test_pitch_lies_where_the_sound_is(corpus: Corpus, varied: float) -> None:
    crops = _draw(corpus, varied=varied)
    if varied:
        assert float((crops.speed - 1).abs().min()) > 1e-3
        assert 0.8 <= float(crops.speed.min()) < float(crops.speed.max()) <= 1.45
    else:
        assert torch.equal(crops.speed, torch.ones(4))
    for audio, f0_hz in zip(crops.audio, crops.f0_hz.numpy(), strict=True):
        # The made voice at frame k: 12.5 ms apart, centred half a frame in.
        assert (f0_hz > 0).all()
        whole = made_corpus.sound(f0_hz)
        read, wanted = _pitch_pair(audio, whole)
        assert float(np.median(np.abs(1200 * np.log2(read / wanted)))) < 10


def _pitch_pair(audio: torch.Tensor, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    read, wanted = _read_hz(audio), _read_hz(torch.from_numpy(made))
    both = (read > 0) & (wanted > 0)
    assert both.mean() > 0.7
    return read[both], wanted[both]


def test_another_speed_moves_pitch_band_and_median(corpus: Corpus) -> None:
    plain = _draw(corpus, choices=(1.0,))
    fast = _draw(corpus, choices=(1.25,))
    assert torch.equal(fast.speed, torch.full((4,), 1.25))
    assert torch.equal(plain.speaker, fast.speaker)
    torch.testing.assert_close(fast.f0_median_hz, 1.25 * plain.f0_median_hz)
    torch.testing.assert_close(fast.band_hz, (1.25 * plain.band_hz).clamp(max=12_000))
    for crops in (plain, fast):
        ratio = crops.f0_hz.mean(1) / crops.f0_median_hz
        assert ((ratio > 0.75) & (ratio < 1.35)).all()


def test_the_reference_is_the_same_voice(corpus: Corpus) -> None:
    crops = _draw(corpus, batch=12, choices=(1.0,))
    seen = set()
    for reference, speaker in zip(crops.reference, crops.speaker, strict=True):
        read = _read_hz(reference)
        median = float(np.median(read[read > 0]))
        low, high = ((105, 185), (225, 365))[int(speaker)]
        assert low < median < high
        seen.add(int(speaker))
    assert seen == {0, 1}


def test_a_short_clip_does_not_run_into_the_next_voice(tmp_path: Path) -> None:
    made_corpus.write_corpus(tmp_path, seconds=0.5)
    corpus = Corpus(tmp_path, "cpu")
    crops = _draw(corpus, batch=8, choices=(1.25,))
    # Half a second lasts 0.4 s at this speed: 9,600 samples, 32 frames.
    assert torch.count_nonzero(crops.audio[:, 9_600:]) == 0
    assert torch.count_nonzero(crops.f0_hz[:, 32:]) == 0
    assert (crops.f0_hz[:, :31] > 0).all()
    torch.testing.assert_close(crops.reference[:, :2_400], crops.reference[:, 9_600:])
    for reference, speaker in zip(crops.reference, crops.speaker, strict=True):
        read = _read_hz(reference[:9_600])
        median_hz = float(np.median(read[read > 0])) / 1.25
        assert (median_hz > 200) == bool(speaker)


def test_the_seed_decides(corpus: Corpus) -> None:
    one, other = _draw(corpus), _draw(corpus)
    assert torch.equal(one.audio, other.audio)
    assert torch.equal(one.reference, other.reference)


def test_clips_are_brought_to_rate_and_level_and_can_be_limited(tmp_path: Path) -> None:
    made_corpus.write_corpus(tmp_path, seconds=1.0, rate_hz=12_000)
    corpus = Corpus(tmp_path, "cpu", limit=3)
    assert corpus.lengths.tolist() == [24_000] * 3
    assert float(corpus.audio.float().square().mean().sqrt()) == pytest.approx(0.06, rel=0.02)
    assert len(corpus.by_speaker) == 2


def test_short_gaps_are_voiced_in_a_straight_line_and_long_ones_are_not() -> None:
    curve = np.zeros(60, np.float32)
    curve[5:15], curve[23:30], curve[50:55] = 100.0, 200.0, 150.0
    made = filled(curve)
    np.testing.assert_allclose(made[curve > 0], curve[curve > 0], rtol=1e-5)
    between = made[15:23]
    assert (np.diff(between) > 0).all()
    assert between[0] > 100
    assert between[-1] < 200
    assert np.flatnonzero(made[30:50]).tolist() == [0, 1, 18, 19]
    assert np.flatnonzero(made[:5]).tolist() == [3, 4]
    assert np.flatnonzero(made[55:]).tolist() == [0, 1]
    assert not filled(np.zeros(9, np.float32)).any()


def test_a_reference_from_the_same_clip_is_cut_from_elsewhere(corpus: Corpus) -> None:
    clip = np.array([0, 0, 1, 2])
    start = corpus.starts[clip] + np.array([0, 60_000, 30_000, 0])
    length = np.array([36_000.0, 36_000.0, 36_000.0, 90_000.0])
    low, high = corpus._apart(clip, np.array([0, 0, 0, 2]), start, length)
    first = corpus.starts[clip]
    assert (low - first).tolist()[:2] == [36_000, 0]
    assert (high - first).tolist()[:2] == [96_000, 60_000]
    # Another clip serves whole, and so does one with too little left.
    assert (low[2], high[2]) == (corpus.starts[0], corpus.starts[0] + 96_000)
    assert (low[3], high[3]) == (corpus.starts[2], corpus.starts[2] + 96_000)


def test_cutting_takes_few_ops_asks_the_device_nothing_and_copies_once(corpus: Corpus) -> None:
    rng = np.random.default_rng(3)
    clip = np.array([0, 1, 2, 3])
    places = corpus.places(clip, np.array([1.0, 0.9, 1.2, 1.4]), 12_000, 12_000, rng)
    assert places.shape == (9, 4)
    with HeardOps() as heard:
        crops = corpus.cut(sent(places, "cpu"), 12_000, 12_000)
    assert not set(heard.names) & set(ASKING)
    # One op for each tap and each step of its weight took 2,700.
    assert len(heard.names) < 160
    assert crops.speaker.tolist() == [0, 0, 1, 1]
    assert crops.speed.tolist() == pytest.approx([1.0, 0.9, 1.2, 1.4])


def test_places_hold_whole_numbers_exactly(corpus: Corpus) -> None:
    speed = np.ones(4)
    places = corpus.places(np.arange(4), speed, 12_000, 12_000, np.random.default_rng(3))
    start, left, other, other_left = places[1:5]
    assert (start + left == corpus.starts + corpus.lengths).all()
    assert (other == np.floor(other)).all()
    assert (other_left > 0).all()
    for index, (begin, voice) in enumerate(zip(other, corpus.speaker, strict=True)):
        clip = int(np.searchsorted(corpus.starts, begin, side="right")) - 1
        assert corpus.speaker[clip] == voice, index


def test_more_clips_of_a_noisy_speaker_weigh_no_more(tmp_path: Path) -> None:
    def share(clips: int) -> float:
        folder = tmp_path / str(clips)
        with pytest.MonkeyPatch.context() as patch:
            pitches = {"libri_low": (110.0,), "so_high": (230.0,) * clips}
            patch.setattr(made_corpus, "VOICES", pitches)
            made_corpus.write_corpus(folder, seconds=1.0, bands_hz=[12_000.0] * (clips + 1))
        one = Corpus(folder, "cpu")
        return float(one.weight[one.speaker == 1].sum())

    assert share(1) < share(2) < share(3) == pytest.approx(share(6))
