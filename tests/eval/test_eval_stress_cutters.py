"""Hard places are found where they were put."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autovoice.eval import dio
from autovoice.eval.protocol.items import Item
from autovoice.eval.stress.cutters import CUT_S, KINDS, cut_places
from autovoice.eval.stress.place import Place
from autovoice.eval.stress.score import Event, Noise, Note, perform
from autovoice.eval.stress.steady import steady_stretches
from autovoice.types import Audio

# 20 s of short notes; what is looked for lies from 12 s on.
SHORT = tuple(Note(0.5 * k, 0.5 * k + 0.4, 200.0 + 5 * k) for k in range(24))


def _item(name: str, kind: str = "acapella") -> Item:
    return Item(name, Path(f"{name}.wav"), kind, name, "f", "en", 20.0)


def _cut(sounds: dict[str, Audio], most: int = 3) -> dict[str, Place]:
    items = [_item(name) for name in sounds]
    found = cut_places(items, most=most, read=lambda path: sounds[path.stem], tracker=dio)
    return {place.name: place for place in found}


def _song(*events: Event, seconds: float = 20.0) -> Audio:
    return perform((*SHORT, *events), seconds)


def _level_db(place: Place, start_s: float, end_s: float) -> float:
    rate_hz = place.audio.sample_rate_hz
    part = place.audio.mono()[round(start_s * rate_hz) : round(end_s * rate_hz)]
    return 10 * float(np.log10(np.mean(part.astype(np.float64) ** 2) + 1e-20))


def test_the_highest_held_note_is_in_the_middle_of_its_cut() -> None:
    # The higher one is too short to be held.
    song = _song(Note(13.0, 13.6, 700.0), Note(14.5, 14.65, 900.0))
    place = _cut({"song": song})["high/song"]
    assert "700 Hz" in place.says
    assert place.audio.seconds == pytest.approx(CUT_S)
    assert _level_db(place, 2.75, 3.25) == pytest.approx(-20.0, abs=0.5)
    assert float(place.says.rpartition("from ")[2].split()[0]) == pytest.approx(10.3, abs=0.1)


def test_the_longest_note_may_wave_but_not_slide() -> None:
    waving = Note(13.0, 15.5, 300.0, vibrato_cents=60.0)
    slide = Note(16.0, 19.5, 200.0, 800.0)
    place = _cut({"song": _song(waving, slide)})["long/song"]
    length_s = float(place.says.split(", ")[1].split()[0])
    assert length_s == pytest.approx(2.5, abs=0.15)
    assert place.says.endswith("s")


def test_sibilants_breaths_and_gaps_are_where_most_of_them_are() -> None:
    sung = [Note(12.0 + 1.0 * k, 12.0 + 1.0 * k + 0.6, 220.0) for k in range(6)]
    hissing = [Noise(12.6 + k, 12.8 + k, "s", -26.0) for k in range(6)]
    breathy = [Noise(12.63 + k, 12.95 + k, "h", -50.0) for k in range(6)]
    sibilants = _cut({"song": _song(*sung, *hissing)})["sibilants/song"]
    assert float(sibilants.says.split()[0]) == pytest.approx(1.2, abs=0.2)
    breaths = _cut({"song": _song(*sung, *breathy)})["breaths/song"]
    assert float(breaths.says.split()[0]) > 1.0
    for place in (sibilants, breaths):
        start_s = float(place.says.rpartition("from ")[2].split()[0])
        assert 11.0 < start_s < 13.0
    gaps = _cut({"song": _song(*sung)})["gaps/song"]
    assert float(gaps.says.split()[0]) == pytest.approx(5 * 0.3, abs=0.15)


def test_silence_at_the_end_is_no_gap() -> None:
    places = _cut({"song": _song(seconds=30.0)})
    assert "gaps/song" not in places
    sung = [Note(12.5 + k, 13.1 + k, 220.0) for k in range(3)]
    # Others have the highest and the longest notes, so that those of the song are not cut.
    others = dict.fromkeys("abc", perform((Note(0.2, 5.0, 900.0),), 6.0))
    gap_s = _cut({"song": _song(*sung), **others})["gaps/song"].says.split()[0]
    assert float(gap_s) == pytest.approx(0.5 + 0.3 + 0.3, abs=0.15)


def test_the_hardest_recordings_come_first_and_only_so_many() -> None:
    sounds = {f"s{hz}": _song(Note(13.0, 13.6, float(hz))) for hz in (400, 800, 500, 600)}
    names = [name for name in _cut(sounds, most=2) if name.startswith("high/")]
    assert names == ["high/s800", "high/s600"]


def test_no_part_is_cut_twice() -> None:
    both = _song(Note(13.0, 15.0, 700.0))
    apart = _song(Note(13.0, 13.5, 700.0), Note(17.0, 18.5, 250.0))
    assert {name for name in _cut({"both": both, "apart": apart}) if "gaps" not in name} == {
        "high/both", "high/apart", "long/apart",
    }  # fmt: skip


def test_what_a_recording_lacks_is_not_cut() -> None:
    humming = perform((Note(0.0, 8.0, 200.0, 800.0),), 8.0)
    kinds = {name.partition("/")[0] for name in _cut({"song": humming})}
    assert kinds.isdisjoint({"sibilants", "breaths", "gaps"})
    assert _cut({"song": Audio(np.zeros((1, 48_000), np.float32), 24_000)}) == {}
    # Speech, stems and mixes are no places for a singer.
    others = [_item("one", "speech_ref"), _item("two", "song_mix")]
    assert cut_places(others, read=lambda path: humming, tracker=dio) == []


def test_a_short_recording_is_taken_whole_and_rates_may_differ() -> None:
    song = perform((Note(0.2, 1.0, 500.0), Note(1.2, 2.6, 300.0)), 3.0)
    stereo = Audio(np.repeat(np.tile(song.samples, (2, 1)), 2, axis=1), 48_000)
    places = _cut({"song": stereo})
    assert places["high/song"].audio.seconds == pytest.approx(3.0)
    assert places["high/song"].audio.sample_rate_hz == 48_000
    assert {place.kind for place in places.values()} <= set(KINDS)


def test_steady_stretches_need_their_length_and_stay_in_range() -> None:
    assert steady_stretches(np.full(29, 200.0)) == []
    (only,) = steady_stretches(np.full(30, 200.0))
    assert (only.first, only.frames, only.median_hz) == (0, 30, 200.0)
    step = np.concatenate([np.full(40, 200.0), np.full(50, 240.0), np.zeros(5)])
    longest = max(steady_stretches(step), key=lambda each: each.frames)
    assert (longest.first, longest.frames) == (40, 50)
    assert steady_stretches(200.0 * 2.0 ** (np.arange(200) / 100)) == []
