from __future__ import annotations

from pathlib import Path

import mido
import pytest

from autovoice.errors import InputError
from autovoice.speak.score import Choice, Score, read_score

Events = list[tuple[int, mido.Message | mido.MetaMessage]]


def melody(keys: list[int], *, channel: int = 0, ticks: int = 480) -> Events:
    """Return notes on end, each a quarter."""
    events: Events = []
    for place, key in enumerate(keys):
        on = mido.Message("note_on", note=key, velocity=90, channel=channel)
        off = mido.Message("note_off", note=key, channel=channel)
        events += [(place * ticks, on), ((place + 1) * ticks, off)]
    return events


def lyrics(*texts: str, kind: str = "lyrics") -> Events:
    return [(480 * k, mido.MetaMessage(kind, text=text)) for k, text in enumerate(texts) if text]


def tempo(bpm: float, at: int = 0) -> Events:
    return [(at, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm)))]


def saved(folder: Path, *tracks: Events) -> Path:
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    for number, events in enumerate(tracks):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=f"T{number}")])
        at = 0
        for tick, message in sorted(
            events, key=lambda event: (event[0], event[1].type == "note_on")
        ):
            track.append(message.copy(time=tick - at))
            at = tick
        file.tracks.append(track)
    path = folder / "tune.mid"
    file.save(path)
    return path


def words(found: Score) -> str:
    texts = []
    for note in found.notes:
        for syllable in note.syllables or (None,):
            text = "_" if syllable is None else syllable.text
            texts.append(text + ("" if syllable is None or syllable.ends else "-"))
    return " ".join(texts)


def test_notes_and_hyphenated_lyrics(tmp_path: Path) -> None:
    path = saved(
        tmp_path, tempo(60) + melody([60, 62, 64, 65]) + lyrics("A-", "ma-", "zing", "grace")
    )
    found = read_score(path)
    assert [(n.start_s, n.end_s, n.key) for n in found.notes][:2] == [(0, 1, 60), (1, 2, 62)]
    assert words(found) == "A- ma- zing grace"
    assert (found.seconds, found.part, found.remarks) == (4.0, "T0", ())


def test_karaoke_spaces_part_words(tmp_path: Path) -> None:
    texts = lyrics("\\Twin", "kle ", "lit", "tle", " star", kind="text")
    found = read_score(saved(tmp_path, tempo(60) + texts, melody([60, 62, 64, 65, 67])))
    assert words(found) == "Twin- kle lit- tle star"


def test_letters_beyond_ascii(tmp_path: Path) -> None:
    text = "Frè-".encode().decode("latin-1")
    assert words(read_score(saved(tmp_path, melody([60, 62]) + lyrics(text, "re")))) == "Frè- re"


def test_the_track_of_the_words_is_sung(tmp_path: Path) -> None:
    bass, drums = melody([36, 38], ticks=960), melody([40, 40], channel=9)
    sung = melody([60, 62, 64])
    path = saved(tmp_path, tempo(60), drums, bass, sung + lyrics("la", "le", "lu"))
    found = read_score(path)
    assert [n.key for n in found.notes] == [60, 62, 64]
    assert any("T3" in remark and "T2" in remark for remark in found.remarks)
    assert [n.key for n in read_score(path, Choice("T2")).notes] == [36, 38]
    assert [n.key for n in read_score(path, Choice("2")).notes] == [60, 62, 64]
    with pytest.raises(InputError, match="expected one of: 1 T2, 2 T3"):
        read_score(path, Choice("harp"))


def test_a_chord_is_its_top_note_and_overlaps_are_cut(tmp_path: Path) -> None:
    low: Events = [
        (0, mido.Message("note_on", note=48)),
        (700, mido.Message("note_off", note=48)),
    ]
    found = read_score(saved(tmp_path, tempo(60) + melody([60, 62]) + low))
    assert [n.key for n in found.notes] == [60, 62]
    assert "1 chords: the top note is sung" in found.remarks


def test_no_words_are_no_error_here(tmp_path: Path) -> None:
    found = read_score(saved(tmp_path, melody([60, 62])))
    assert not found.has_words
    assert any("no tempo" in remark for remark in found.remarks)


def test_syllables_without_a_note_are_told(tmp_path: Path) -> None:
    found = read_score(saved(tmp_path, melody([60]) + lyrics("la", "", "", "lost")))
    assert any("1 syllables have no note" in remark for remark in found.remarks)


def test_a_note_that_is_never_let_go_ends_with_the_track(tmp_path: Path) -> None:
    events = [*melody([60])[:1], (960, mido.MetaMessage("marker", text="end"))]
    assert read_score(saved(tmp_path, tempo(60) + events)).notes[0].end_s == 2


def test_damaged_files_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path, tempo(60) + melody([60, 62, 64]) + lyrics("la", "la", "la"))
    whole = path.read_bytes()
    for length in (4, 10, 14, 20, 30, len(whole) - 5):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"damaged or truncated|nothing|no notes"):
            read_score(path)


def test_garbage_after_the_head_is_an_error_or_a_score(tmp_path: Path) -> None:
    import random

    path = saved(tmp_path, tempo(60) + melody([60, 62, 64]) + lyrics("la", "la", "la"))
    whole, chance = path.read_bytes(), random.Random(1)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(8, len(whole))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            assert read_score(path).notes
        except InputError:
            continue


def test_only_percussion_or_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="percussion only"):
        read_score(saved(tmp_path, melody([60], channel=9)))
    with pytest.raises(InputError, match="no notes"):
        read_score(saved(tmp_path, tempo(60)))


def test_a_tempo_of_zero(tmp_path: Path) -> None:
    zero: Events = [(0, mido.MetaMessage("set_tempo", tempo=0))]
    with pytest.raises(InputError, match="tempo of 0"):
        read_score(saved(tmp_path, zero + melody([60])))
