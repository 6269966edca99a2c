"""How a song fits a voice, in sentences and on the page of a card."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from test_eval_report import NO_NUMBER, Page, card, page_of, without_data

from autovoice.eval.range_words import percent, places, sentences, when
from autovoice.eval.report.axes import TimeAxis
from autovoice.eval.report.ranges import MOST_SPANS, range_panel
from autovoice.types import PitchRange, RangeFit, RangeSpan, ShiftAdvice

AXIS = TimeAxis(0.0, 60.0)


def span(start_s: float, seconds: float = 3.0, note: int = 79, beyond: int = 8) -> RangeSpan:
    side = "above" if note > 60 else "below"
    return RangeSpan(start_s, start_s + seconds, side, note, beyond, 0.8 * seconds)  # type: ignore[arg-type]


FIT = RangeFit(
    semitones=-12,
    song=PitchRange(220.0, 330.0, 659.3),
    voice=PitchRange(110.0, 140.0, 493.9),
    share_above=0.08,
    share_below=0.0,
    spans=(span(41.2),),
    auto=ShiftAdvice(-12, 0.08),
    octave=ShiftAdvice(-12, 0.08),
    key=ShiftAdvice(-14, 0.01),
)


def test_where_the_song_lies_and_leaves_the_range() -> None:
    assert sentences(replace(FIT, key=FIT.auto)) == [
        "the song lies at A3 to E5 after a shift of -12; 8 % of it lies above the voice's "
        "comfortable range (A2 to B4): 0:41-0:44 (up to G5)"
    ]


def test_all_of_it_in_range_and_without_a_shift() -> None:
    inside = replace(FIT, semitones=0, share_above=0.0, spans=())
    assert sentences(inside) == [
        "the song lies at A3 to E5 without a shift, all of it in the voice's comfortable range "
        "(A2 to B4)"
    ]


def test_both_sides_are_said() -> None:
    both = replace(FIT, share_below=0.004, spans=(span(41.2), span(60.0, 0.3, 40, 5)))
    said = sentences(both)[0]
    assert "; 8 % of it lies above and less than 1 % below the voice's" in said
    assert said.endswith("0:41-0:44 (up to G5), 1:00 (down to E2)")
    below = sentences(replace(both, share_above=0.0))[0]
    assert "; less than 1 % of it lies below the voice's" in below


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "--semitones -14 would leave 1 % of it outside, if the backing can be moved by -2"),
        ({"octave": ShiftAdvice(0, 0.0)}, "--semitones 0 would leave nothing outside"),
        (
            {"auto": ShiftAdvice(0, 0.3), "octave": ShiftAdvice(-24, 0.2), "share_above": 0.9},
            "--semitones 0 would leave 30 % of it outside; --semitones -24 would leave 20 % of it "
            "outside; --semitones -14 would leave 1 % of it outside, if the backing can be moved "
            "by -2",
        ),
        ({"key": ShiftAdvice(-13, 0.031)}, None),  # five in a hundred is not worth a word
        ({"key": None}, None),
    ],
)
def test_a_shift_that_is_clearly_better_is_told(
    changes: dict[str, ShiftAdvice], said: str | None
) -> None:
    assert sentences(replace(FIT, **changes))[1:] == ([said] if said else [])  # type: ignore[arg-type]


def test_what_cannot_be_compared_is_said_with_its_reason() -> None:
    fit = RangeFit(0, song=FIT.song, why_not="the pitch of the voice is not known")
    assert sentences(fit) == [
        "the song's range was not compared with the voice's: the pitch of the voice is not known"
    ]


def test_the_longest_places_are_named_in_the_order_of_time() -> None:
    spans = (span(1, 1), span(10, 4), span(20, 0.3), span(30, 2), span(40, 9))
    assert places(spans) == (
        "0:10-0:14 (up to G5), 0:30-0:32 (up to G5), 0:40-0:49 (up to G5) and 2 more"
    )
    assert when(span(3599.7, 1.0)) == "60:00-60:01"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0 %"), (0.005, "less than 1 %"), (0.0101, "1 %"), (0.084, "8 %"), (1.0, "100 %")],
)
def test_shares_are_told_in_whole_per_cent(share: float, words: str) -> None:
    assert percent(share) == words


def test_the_page_shows_ruler_shifts_and_places() -> None:
    text = page_of(card(range=replace(FIT, spans=(span(1.2), span(41.2)))))
    page = Page(text)
    assert "The song lies at A3 to E5 after a shift of -12" in page.text
    assert any("ease at A2 to B4" in svg["aria-label"] for svg in page.all("svg"))
    assert "applied, octave nearest to the voice (auto), octave that leaves least outside" in (
        page.text
    )
    assert "key that leaves least outside −14 1 % −2" in page.text
    assert "above, up to G5" in page.text
    # Only what the players reach can be listened to.
    assert [link["data-seek"] for link in page.all("a") if link["href"] == "#range"] == ["1.2"]
    assert NO_NUMBER.search(without_data(text)) is None


def test_a_card_without_a_range_has_no_such_section() -> None:
    assert 'id="range"' not in page_of(card())
    assert card().to_json()["range"] is None


def test_a_fit_without_numbers_still_makes_a_page() -> None:
    text = page_of(card(range=RangeFit(0, why_not="no pitch was found in the song")))
    assert "not compared with the voice's: no pitch was found in the song." in Page(text).text
    assert NO_NUMBER.search(without_data(text)) is None


def test_the_range_is_part_of_the_card_as_json() -> None:
    found = json.loads(json.dumps(card(range=FIT).to_json(), allow_nan=False))
    assert found["range"] == json.loads(json.dumps(FIT.to_json()))


@pytest.mark.parametrize("song_hz", [30.0, 220.0, 4_000.0])
@pytest.mark.parametrize("voice_hz", [60.0, 1_000.0])
def test_everything_on_the_ruler_lies_inside_of_it(song_hz: float, voice_hz: float) -> None:
    fit = replace(
        FIT,
        song=PitchRange(song_hz, song_hz, song_hz),
        voice=PitchRange(voice_hz, voice_hz * 1.2, voice_hz * 3),
        spans=(span(1, note=110), span(2, note=12)),
    )
    panel = range_panel(fit, AXIS)
    assert panel is not None
    drawn = str(panel.ruler)
    places_x = [float(x) for x in re.findall(r' x[12]?="([\d.-]+)"', drawn)]
    assert min(places_x) >= 0
    assert max(places_x) <= 1000
    widths = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    assert len(widths) == 3
    assert all(float(x) >= 128 and float(x) + float(w) <= 902 for x, w in widths)


def test_a_long_song_shows_its_longest_places_only() -> None:
    spans = tuple(span(10.0 * k, 1.0 + (k % 7)) for k in range(300))
    panel = range_panel(replace(FIT, spans=spans), AXIS)
    assert panel is not None
    assert len(panel.spans) == MOST_SPANS
    assert panel.left_out == 300 - MOST_SPANS
    assert min(float(each.seconds) for each in panel.spans) > 3.0
