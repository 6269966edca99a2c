from __future__ import annotations

from pathlib import Path

import pytest
from tunes import SCALE, TEMPO, note, rest, saved, score, zipped

from autovoice.errors import InputError
from autovoice.speak.score import Choice, Score, read_score


def read(folder: Path, *parts: list[str], **choice: object) -> Score:
    return read_score(saved(folder, score(*parts)), Choice(**choice))  # type: ignore[arg-type]


def words(found: Score) -> str:
    return " ".join("+".join(s.text for s in note.syllables) or "_" for note in found.notes)


def test_notes_have_times_pitches_and_syllables(tmp_path: Path) -> None:
    found = read(tmp_path, SCALE)
    assert (found.title, found.part, found.remarks) == ("A tune", "Voice", ())
    assert [n.key for n in found.notes] == [60, 62, 64, 65, 67]
    assert [n.start_s for n in found.notes] == [0, 0.5, 1, 2, 2.5]
    assert [n.end_s for n in found.notes] == [0.5, 1, 2, 2.5, 3]
    assert found.seconds == 4.0
    assert [n.syllables[0].place for n in found.notes] == ["begin", "end", "begin", "middle", "end"]


def test_ties_make_one_note(tmp_path: Path) -> None:
    bars = [
        TEMPO + note("C4", 4, "la", more='<tie type="start"/>'),
        note("C4", 4, more='<tie type="stop"/><tie type="start"/>'),
        note("C4", 2, more='<tie type="stop"/>') + note("C4", 2, "lo"),
    ]
    found = read(tmp_path, bars)
    assert [(n.start_s, n.end_s) for n in found.notes] == [(0, 5), (5, 6)]


def test_a_chord_is_its_top_note(tmp_path: Path) -> None:
    low = note("C4", 1, "la") + note("G4", 1).replace("<note>", "<note><chord/>")
    found = read(tmp_path, [TEMPO + low + note("D4", 1, "la")])
    assert [n.key for n in found.notes] == [67, 62]
    assert found.remarks == ("1 chords: the top note is sung",)


def test_grace_notes_take_from_their_note(tmp_path: Path) -> None:
    found = read(tmp_path, [TEMPO + note("D4", 0, grace=True) + note("C4", 1, "la")])
    assert [(n.key, n.start_s, n.end_s) for n in found.notes] == [
        (62, 0, 0.0625),
        (60, 0.0625, 0.5),
    ]
    assert words(found) == "la _"
    assert any("grace" in remark for remark in found.remarks)


def test_an_elision_puts_two_syllables_on_a_note(tmp_path: Path) -> None:
    both = note("C4", 1, "che").replace(
        "</text></lyric>", "</text><elision/><syllabic>single</syllabic><text>il</text></lyric>"
    )
    assert words(read(tmp_path, [TEMPO + both])) == "che+il"


def test_repeats_and_voltas_are_sung(tmp_path: Path) -> None:
    forward = '<barline><repeat direction="forward"/></barline>'
    backward = '<repeat direction="backward"/>'
    bars = [
        TEMPO + note("C4", 4, "do"),
        forward + note("D4", 4, "re", "ra"),
        '<barline><ending number="1" type="start"/></barline>'
        + note("E4", 4, "mi")
        + f'<barline><ending number="1" type="stop"/>{backward}</barline>',
        '<barline><ending number="2" type="start"/></barline>'
        + note("F4", 4, "fa")
        + '<barline><ending number="2" type="discontinue"/></barline>',
        note("G4", 4, "so"),
    ]
    found = read(tmp_path, bars)
    assert words(found) == "do re mi ra fa so"
    assert found.seconds == 12
    assert any("5 bars become 6" in remark for remark in found.remarks)


def test_a_simple_repeat_goes_back_to_the_beginning(tmp_path: Path) -> None:
    bars = [
        TEMPO + note("C4", 4, "a", "b"),
        note("D4", 4, "c") + '<barline><repeat direction="backward" times="3"/></barline>',
        note("E4", 4, "d"),
    ]
    assert words(read(tmp_path, bars)) == "a c b c a c d"
    assert words(read(tmp_path, bars, verse=1)) == "a c a c a c d"


def test_a_jump_is_told(tmp_path: Path) -> None:
    bars = [TEMPO + note("C4", 4, "a") + '<direction><sound dacapo="yes"/></direction>']
    assert any("dacapo" in remark for remark in read(tmp_path, bars).remarks)


def test_tempo_changes_in_the_middle(tmp_path: Path) -> None:
    slower = '<direction><sound tempo="60"/></direction>'
    bars = [TEMPO + note("C4", 2, "a") + slower + note("D4", 2, "b")]
    assert [n.end_s for n in read(tmp_path, bars).notes] == [1, 3]
    assert [n.end_s for n in read(tmp_path, bars, tempo=2.0).notes] == [0.5, 1.5]
    assert [n.end_s for n in read(tmp_path, bars, tempo=60.0).notes] == [2, 6]
    metronome = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>80</per-minute></metronome></direction-type></direction>"
    )
    assert read(tmp_path, [metronome + note("C4", 2, "a")]).seconds == 1.0
    assert any("120" in remark for remark in read(tmp_path, [note("C4", 2, "a")]).remarks)


@pytest.mark.parametrize("tempo", [0.0, -1.0, 5.0, 2000.0])
def test_a_tempo_that_is_none(tmp_path: Path, tempo: float) -> None:
    with pytest.raises(InputError, match="tempo: found"):
        read(tmp_path, SCALE, tempo=tempo)


def test_the_first_part_with_words_is_sung(tmp_path: Path) -> None:
    piano = [TEMPO + note("C3", 4)]
    found = read(tmp_path, piano, SCALE, SCALE)
    assert found.part == "Choir"
    assert any("Drums" in remark and "--part" in remark for remark in found.remarks)
    assert read(tmp_path, piano, SCALE, part="1").notes[0].key == 48
    assert read(tmp_path, piano, SCALE, part="choir").part == "Choir"
    assert read(tmp_path, piano, SCALE, part="P2").part == "Choir"
    with pytest.raises(InputError, match="1 Voice, 2 Choir"):
        read(tmp_path, piano, SCALE, part="Tuba")


def test_a_line_of_a_part(tmp_path: Path) -> None:
    back = "<backup><duration>16</duration></backup>"
    bar = TEMPO + note("C5", 2, "a") + note("D5", 2, "b") + back + note("C4", 4, voice="2")
    found = read(tmp_path, [bar])
    assert [n.key for n in found.notes] == [72, 74]
    assert any("voice 1 of 1, 2" in remark for remark in found.remarks)
    assert [n.key for n in read(tmp_path, [bar], voice_part="2").notes] == [60]
    with pytest.raises(InputError, match="expected one of 1, 2"):
        read(tmp_path, [bar], voice_part="7")


def test_verses(tmp_path: Path) -> None:
    bars = [TEMPO + note("C4", 2, "one", "two"), note("D4", 2, "both")]
    found = read(tmp_path, bars)
    assert words(found) == "one both"
    assert any("verses 1, 2" in remark for remark in found.remarks)
    assert words(read(tmp_path, bars, verse=2)) == "two both"
    with pytest.raises(InputError, match="verse: found 3, expected one of 1, 2"):
        read(tmp_path, bars, verse=3)


def test_a_transposing_part_sounds_where_it_sounds(tmp_path: Path) -> None:
    down = "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>"
    assert read(tmp_path, [TEMPO + down + note("C4", 1, "a")]).notes[0].key == 58


def test_timewise_scores_are_read(tmp_path: Path) -> None:
    text = (
        "<score-timewise><part-list><score-part id='A'><part-name>V</part-name></score-part>"
        f"</part-list><measure><part id='A'>{TEMPO}{note('C4', 1, 'a')}</part></measure>"
        f"<measure><part id='A'>{note('D4', 1, 'b')}</part></measure></score-timewise>"
    )
    assert [n.key for n in read_score(saved(tmp_path, text)).notes] == [60, 62]


def test_compressed_scores_are_read(tmp_path: Path) -> None:
    container = b"<container><rootfiles><rootfile full-path='s/t.xml'/></rootfiles></container>"
    inner = score(SCALE).encode()
    path = tmp_path / "tune.mxl"
    path.write_bytes(zipped({"META-INF/container.xml": container, "s/t.xml": inner}))
    assert len(read_score(path).notes) == 5
    path.write_bytes(zipped({"t.musicxml": inner}))
    assert len(read_score(path).notes) == 5


def test_many_bars_are_read_and_too_many_refused(tmp_path: Path) -> None:
    bars = [TEMPO + note("C4", 1, "la")] + [note("C4", 1, "la")] * 9_999
    found = read(tmp_path, bars)
    assert (len(found.notes), found.seconds) == (10_000, 5_000)
    with pytest.raises(InputError, match="167 minutes of music, expected at most 150"):
        read(tmp_path, bars, tempo=60.0)
    endless = note("C4", 1, "la") + '<barline><repeat direction="backward"/></barline>'
    with pytest.raises(InputError, match="more than 20000 bars"):
        read(tmp_path, [endless] * 10_001)


BILLION = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty file"),
        ("hello", "neither MusicXML nor MIDI"),
        ("<html></html>", "found <html>"),
        ("<score-partwise><part", "expected well-formed XML"),
        (BILLION + "<score-partwise>&b;</score-partwise>", "entity 'a'"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "entity 'a'"),
        ("<a>" * 70 + "</a>" * 70, "nested deeper than 64"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "unknown encoding"),
        (score([]), "found no notes"),
        (score([rest(4)]), "found no notes"),
        (score([note("C4", 0, "la")]), "found no notes"),
        (score(["<note><unpitched/><duration>4</duration></note>"]), "percussion only"),
        (score([note("H4", 1)]), "found the step 'H'"),
        (score([note("C4", 1).replace("<octave>4", "<octave>99")]), "out of any range"),
        (score([note("C4", 1).replace("<duration>4", "<duration>x")]), "expected a number"),
        (
            score([note("C4", 1).replace("<duration>4", "<duration>-4")]),
            "length of -1|length of -4",
        ),
        (score([note("C4", 1).replace("<duration>4", "<duration>1e99")]), "expected a number"),
        (score(['<direction><sound tempo="0"/></direction>' + note("C4", 1)]), "tempo of 0"),
        (score([TEMPO + note("C4", 1, "a" * 65)]), "65 characters under one note"),
        (score([TEMPO + note("C4", 240, "a")]), "note of 120 s"),
        (score([note("C4", 1, "a" * 20_001)]), "more than 20000 characters"),
    ],
)
def test_what_cannot_be_sung_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_score(saved(tmp_path, text))


def test_an_outer_document_type_is_not_fetched(tmp_path: Path) -> None:
    head = '<!DOCTYPE score-partwise PUBLIC "-//X//DTD//EN" "http://localhost:1/none.dtd">'
    assert len(read_score(saved(tmp_path, score(SCALE, head=head))).notes) == 5


def test_archives_that_lie_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mxl"
    path.write_bytes(zipped({"t.xml": b"<a>" + b" " * 70_000_000}))
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match="unpacks to more than 64000000 bytes"):
        read_score(path)
    path.write_bytes(zipped({"t.xml": b"<a/>"})[:-30])
    with pytest.raises(InputError, match="damaged"):
        read_score(path)
    path.write_bytes(zipped({"readme.txt": b"no score"}))
    with pytest.raises(InputError, match="no score inside"):
        read_score(path)


def test_files_that_are_no_scores(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ending '\.wav'"):
        read_score(saved(tmp_path, "x", "tune.wav"))
    with pytest.raises(InputError, match="cannot be read"):
        read_score(tmp_path / "none.mid")
