"""Songs that go through the resident mix block by block come out as those that go through whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.heard_ops import ASKING, HeardOps
from tests.mix.mix_cases import CASES, MOST_DB, RATE_HZ, case, difference_db

from autovoice.mix import MixOptions, mixdown
from autovoice.mix.resident import ResidentMixer
from autovoice.mix.resident import long as blockwise
from autovoice.mix.resident.long import LEAST_STEPS, MOST_STEPS
from autovoice.nn.polyphase import resampled, resampled_span, span_of
from autovoice.nn.stage import NetworkStage
from autovoice.nn.transfer import Passed
from autovoice.types import Audio, Stems

LONG = {
    "several blocks": (case(round(7.3 * RATE_HZ)), None),
    "whole blocks": (case(round(2 * 1.6 * RATE_HZ)), None),
    "a sample more": (case(round(2 * 1.6 * RATE_HZ) + 1), None),
    "always limited": (
        case(round(5.5 * RATE_HZ), backing=0.5),
        MixOptions(vocal_gain_db=12, ceiling_dbtp=-6),
    ),
}


@pytest.fixture
def mixer() -> ResidentMixer:
    """Return a mixer that takes every song in blocks of 1.6 s."""
    made = ResidentMixer()
    made.limit_pass(0.01)
    assert made.block_steps == LEAST_STEPS
    return made


@pytest.mark.parametrize("name", [*CASES, *LONG])
def test_the_mix_is_that_of_the_plain_way(mixer: ResidentMixer, name: str) -> None:
    (converted, stems), options = (CASES | LONG)[name]
    wanted, found = mixdown(converted, stems, options), mixer.mixdown(converted, stems, options)
    assert difference_db(found.mix, wanted.mix) < MOST_DB
    assert difference_db(found.vocal, wanted.vocal) < MOST_DB
    assert found.mix.metadata == {"title": "song"}


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 32_000, 48_000])
def test_every_rate_is_the_same(mixer: ResidentMixer, rate_hz: int) -> None:
    converted, stems = case(4 * RATE_HZ, backing=0.3)
    length = round(3.9 * rate_hz)
    vocals, backing = (
        Audio(np.resize(each.samples, (2, length)), rate_hz)
        for each in (stems.vocals, stems.backing)
    )
    song = Stems(vocals, backing)
    assert mixer.fits(converted, song)
    wanted, found = mixdown(converted, song), mixer.mixdown(converted, song)
    assert difference_db(found.mix, wanted.mix) < MOST_DB


def test_one_peak_is_let_go_of_over_several_blocks(mixer: ResidentMixer) -> None:
    """From +30 dB the limiter comes back at 40 dB/s: over half a second, across an edge."""
    converted, stems = case(4 * RATE_HZ, backing=0.02)
    backing = stems.backing.samples.copy()
    at = round(1.5 * RATE_HZ)
    backing[:, at : at + 40] += 30.0
    song = Stems(stems.vocals, Audio(backing, RATE_HZ))
    wanted, found = mixdown(converted, song), mixer.mixdown(converted, song)
    assert difference_db(found.mix, wanted.mix) < MOST_DB
    edge = slice(round(1.6 * RATE_HZ) - 100, round(1.6 * RATE_HZ) + 100)
    loud = found.mix.samples[:, edge] / (found.vocal.samples + backing)[:, edge]
    assert 0.02 < float(np.median(np.abs(loud))) < 0.1


def test_what_is_far_too_loud_is_scaled_first(mixer: ResidentMixer) -> None:
    converted, stems = case(2 * RATE_HZ)
    song = Stems(stems.vocals, Audio(stems.backing.samples * 1e6, RATE_HZ))
    wanted, found = mixdown(converted, song), mixer.mixdown(converted, song)
    assert difference_db(found.mix, wanted.mix) < MOST_DB


def test_what_is_not_finite_is_silence(mixer: ResidentMixer) -> None:
    converted, stems = case(3 * RATE_HZ)
    broken = converted.samples.copy()
    broken[0, 38_000:38_100] = np.nan
    found = mixer.mixdown(Audio(broken, 24_000), stems)
    wanted = mixdown(Audio(np.nan_to_num(broken), 24_000), stems)
    assert difference_db(found.mix, wanted.mix) < MOST_DB


def test_what_a_pass_holds_does_not_grow_with_the_song(
    mixer: ResidentMixer, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest: dict[int, int] = {}
    plain = NetworkStage.batched

    def batched(stage: NetworkStage, work: object, item: tuple, **more: object) -> object:
        size = sum(array.size for array in item[0].arrays)
        largest[seconds] = max(largest.get(seconds, 0), size)
        return plain(stage, work, item, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(NetworkStage, "batched", batched)
    for seconds in (4, 12):
        converted, stems = case(seconds * RATE_HZ, backing=0.5)
        mixer.mixdown(converted, stems)
    assert largest[4] == largest[12]


def test_songs_of_one_pass_do_not_hear_one_another(
    mixer: ResidentMixer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give each pass the block of another song as well."""
    converted, stems = case(3 * RATE_HZ, backing=0.4)
    wanted = mixer.mixdown(converted, stems)
    before: dict[object, object] = {}

    def beside(work, item, **more):
        other = before.setdefault(more["key"], item)
        with torch.inference_mode():
            return work([other, item])[1]

    monkeypatch.setattr(mixer, "batched", beside)
    louder = Stems(stems.vocals, Audio(stems.backing.samples * 2, RATE_HZ))
    mixer.mixdown(converted, louder)
    found = mixer.mixdown(converted, stems)
    assert difference_db(found.mix, wanted.mix) < MOST_DB


def test_short_songs_still_go_through_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    mixer = ResidentMixer()
    assert mixer.block_steps == MOST_STEPS
    monkeypatch.setattr(mixer, "mix_blocks", lambda *_: pytest.fail("in blocks"))
    mixer.mixdown(*case(RATE_HZ))


def test_the_device_is_asked_nothing(mixer: ResidentMixer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what is fetched at the end of a pass; sizes are what the host knows."""
    heard: list[str] = []
    arrays = Passed.arrays

    def told(passed):
        heard.extend(ops.names)
        ops.names.clear()
        found = arrays(passed)
        ops.names.clear()
        return found

    monkeypatch.setattr(Passed, "arrays", told)
    with torch.inference_mode(), HeardOps() as ops:
        mixer.mixdown(*case(2 * RATE_HZ, backing=0.5))
    assert len(heard) > 100
    assert not set(heard) & set(ASKING)


@pytest.mark.parametrize("to_hz", [8_000, 11_025, 16_000, 24_000, 44_100, 48_000])
def test_a_stretch_is_resampled_as_in_the_whole(to_hz: int) -> None:
    sound = torch.from_numpy(case(2 * RATE_HZ)[0].samples[0].copy())
    whole = resampled(sound, 24_000, to_hz, 2 * to_hz)
    for start, stop in ((-777, 5_000), (5_000, 9_001), (9_001, 15_000)):
        span = span_of(24_000, to_hz, start, stop)
        part = torch.from_numpy(blockwise.cut(sound.numpy(), span.first, span.stop))
        found = resampled_span(part, 24_000, to_hz, span)
        assert len(found) == stop - start
        wanted = whole[max(start, 0) : stop]
        torch.testing.assert_close(found[max(-start, 0) :], wanted, atol=2e-7, rtol=0)
