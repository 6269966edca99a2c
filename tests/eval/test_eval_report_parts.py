"""What the page of a card is made of: pictures, axes, colours, differences, bars."""

from __future__ import annotations

import re
import struct
import zlib

import numpy as np
import pytest

from autovoice.eval.card import Card, Gate, Melody, Phrase, Recording
from autovoice.eval.figure import Figure
from autovoice.eval.report import css
from autovoice.eval.report.axes import TimeAxis, clock, note_ticks
from autovoice.eval.report.bars import similarity_bars
from autovoice.eval.report.colours import palette, to_lab
from autovoice.eval.report.heat import SCALES, heat_map, worst_phrases
from autovoice.eval.report.pitch_plot import pitch_plot
from autovoice.eval.report.player import Clip, players
from autovoice.eval.report.png import png
from autovoice.eval.report.shown import beside, figure_text
from autovoice.eval.report.spectrogram import ROWS, loudest_db, picture, spectrogram
from autovoice.eval.report.transcript import Piece, differences, language_tag
from autovoice.note_names import note_name
from autovoice.types import Audio

RATE = 16_000


def decoded(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels and palette; fails on a wrong signature, order or checksum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = [], 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        body = data[place + 4 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(
            body
        )
        chunks.append((body[:4], body[4:]))
        place += 12 + length
    assert [kind for kind, _ in chunks] == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, colour) == (8, 3)
    rows = np.frombuffer(zlib.decompress(chunks[2][1]), np.uint8).reshape(height, width + 1)
    assert (rows[:, 0] == 0).all()
    return rows[:, 1:], np.frombuffer(chunks[1][1], np.uint8).reshape(-1, 3)


def test_png_gives_back_pixels_and_colours() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    colours = palette(12)
    found, shown = decoded(png(pixels, colours))
    np.testing.assert_array_equal(found, pixels)
    np.testing.assert_array_equal(shown, colours)


@pytest.mark.parametrize("pixels", [np.zeros((0, 4), np.uint8), np.full((2, 2), 9, np.uint8)])
def test_png_refuses_no_pixels_and_unknown_colours(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        png(pixels, palette(4))


def test_the_colour_map_grows_lighter_in_even_steps() -> None:
    lightness = to_lab(palette(64) / 255.0)[:, 0]
    steps = np.diff(lightness)
    # Rounding to 8 bits moves a dark colour by up to a third of a step.
    assert steps.min() > 0.5 * steps.mean()
    assert steps.max() < 1.5 * steps.mean()


def test_white_has_lightness_one() -> None:
    np.testing.assert_allclose(to_lab(np.ones((1, 3))), [[1.0, 0.0, 0.0]], atol=1e-4)


def sine(f0_hz: float, seconds: float = 1.0) -> Audio:
    time_s = np.arange(int(seconds * RATE)) / RATE
    return Audio(np.sin(2 * np.pi * f0_hz * time_s)[None].astype(np.float32), RATE)


@pytest.mark.parametrize("f0_hz", [120.0, 1000.0, 5000.0])
def test_a_sine_is_a_line_at_its_frequency(f0_hz: float) -> None:
    axis = TimeAxis(0.0, 1.0)
    levels = spectrogram(sine(f0_hz), axis).levels_db
    assert levels.shape == (ROWS, 500)
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (50, 16_000))
    place = (2595 * np.log10(1 + f0_hz / 700) - low) / (high - low)
    loudest = np.argmax(levels[:, 100:400], axis=0)
    assert np.abs(loudest - place * ROWS).max() <= 2


def test_both_pictures_share_scale_and_size() -> None:
    axis = TimeAxis(0.0, 1.0)
    loud = sine(440.0)
    quiet = Audio(loud.samples * np.float32(0.01), RATE)
    pictures = [spectrogram(audio, axis) for audio in (loud, quiet)]
    top_db = loudest_db(pictures)
    # Forty decibels are half of the scale of 80.
    drawn = [str(picture(shown, axis, "name", top_db)) for shown in pictures]
    assert [text.count("data:image/png;base64,") for text in drawn] == [2, 2]
    assert top_db - pictures[1].levels_db.max() == pytest.approx(40.0, abs=0.1)


def test_time_outside_of_the_recording_is_silent() -> None:
    levels = spectrogram(sine(440.0), TimeAxis(0.5, 2.5)).levels_db
    assert levels[:, 500:].max() < -100.0


def test_time_axis_places_and_labels() -> None:
    axis = TimeAxis(10.0, 70.0)
    assert (axis.x(10.0), axis.x(70.0)) == (92.0, 944.0)
    assert [words for _, words in axis.ticks()][:3] == ["0:10", "0:15", "0:20"]
    assert [words for _, words in TimeAxis(0.0, 1.0).ticks()][:3] == ["0:00.0", "0:00.1", "0:00.2"]
    assert len(TimeAxis(0.0, 36_000.0).ticks()) == 6
    assert clock(-0.5, 0.1) == "-0:00.5"
    with pytest.raises(ValueError, match="expected some time"):
        TimeAxis(1.0, 1.0)


def test_notes_are_named_and_thinned() -> None:
    assert [note_name(note) for note in note_ticks(57.0, 65.5)] == [
        "A3",
        "B3",
        "C4",
        "D4",
        "E4",
        "F4",
    ]
    assert [note_name(note) for note in note_ticks(36, 96)] == ["C2", "C3", "C4", "C5", "C6", "C7"]


def test_gaps_leaps_and_errors_beyond_the_clip_are_drawn() -> None:
    wanted = np.full(100, 220.0)
    output = wanted.copy()
    output[40:50] = 0.0
    output[70:80] *= 2
    drawn = str(pitch_plot(Melody(wanted, wanted, output), TimeAxis(0.0, 1.0), 0.0))
    paths = dict(re.findall(r'<path d="([^"]*)" class="(wanted|output)">', drawn)[::-1])
    by_name = {name: data for data, name in paths.items()}
    assert by_name["wanted"].count("M") == 1
    # Until the gap, until the octave, the octave, after it.
    assert by_name["output"].count("M") == 4
    assert "above by up to 1200 cents" in drawn
    assert "note missing for 100 ms" in drawn
    assert "note added" not in drawn


@pytest.mark.parametrize(
    ("value", "style", "wanted", "shown"),
    [
        (0.81234, "{:.3f}", "> 0.74", "0.812"),
        (0.73999, "{:.3f}", "> 0.74", "0.73999"),
        (0.7400000000001, "{:.3f}", "> 0.74", "0.7400000000001"),
        (0.74, "{:.3f}", "> 0.74", "0.740"),
        (9.9999, "{:.2f}", "< 10 Hz", "9.9999"),
        (3.0, "{:+.1f}", "none", "+3.0"),
        (12.0, "{:.0f}", "< 12.3", "12"),
        (5.0, "{}", "", "5.0"),
    ],
)
def test_figures_show_on_which_side_of_a_gate_they_are(
    value: float, style: str, wanted: str, shown: str
) -> None:
    assert beside(value, style, wanted) == shown


def test_a_value_next_to_its_limit_is_told_from_it() -> None:
    assert float(beside(float(np.nextafter(0.74, 0)), "{:.3f}", "> 0.74")) < 0.74


def test_words_that_differ_are_marked() -> None:
    source, output = differences("The sun, goes DOWN.", "the son goes down now", "en")
    assert source == [Piece("same", "The "), Piece("lost", "sun,"), Piece("same", " "), *source[3:]]
    assert "".join(piece.text for piece in source) == "The sun, goes DOWN."
    assert [piece.text for piece in output if piece.kind == "new"] == ["son", "now"]


def test_scripts_without_spaces_are_compared_by_character() -> None:
    source, output = differences("我爱北京天安门", "我在北京天安门", "zh")
    assert [(piece.kind, piece.text) for piece in source][1] == ("lost", "爱")
    assert [(piece.kind, piece.text) for piece in output][1] == ("new", "在")
    # The script tells as well as the code.
    assert differences("さくらさくら", "さくらさくな", "")[1][-1] == Piece("new", "な")


def test_texts_without_end_are_shown_plain() -> None:
    assert differences("a " * 5000, "b", "en") == (
        [Piece("same", "a " * 5000)],
        [Piece("same", "b")],
    )


def test_only_codes_become_languages() -> None:
    assert (language_tag("en"), language_tag("zh-Hant"), language_tag('e"n')) == (
        "en",
        "zh-Hant",
        "",
    )


def phrase(start_s: float, **values: float) -> Phrase:
    return Phrase(start_s, start_s + 0.9, {key: Figure(value) for key, value in values.items()})


def test_the_worst_phrase_comes_first_and_the_spectrum_counts_against_the_others() -> None:
    phrases = [
        phrase(0.0, median_cents=3.0, spectral_db=14.0),
        phrase(1.0, median_cents=3.0, spectral_db=14.1),
        phrase(2.0, median_cents=3.0, spectral_db=20.0),
        phrase(3.0, median_cents=30.0, spectral_db=14.0),
    ]
    worst = worst_phrases(phrases)
    assert [each.number for each in worst] == [3, 4, 2]
    assert worst[0].words == "spectrum 20.0 dB off where 14.1 is usual here"
    assert worst[2].words == "nothing stands out"


def test_what_rounds_to_nothing_has_no_minus() -> None:
    assert [SCALES["level_db"].text(value) for value in (-0.04, -0.06)] == ["+0.0", "−0.1"]


def test_the_map_places_phrases_on_the_axis_and_leaves_others_out() -> None:
    phrases = [phrase(0.0, median_cents=1.0), phrase(1.0, median_cents=500.0), phrase(9.0)]
    drawn = str(heat_map(phrases, TimeAxis(0.0, 2.0)))
    assert drawn.count("<a ") == 2
    assert 'x="92"' in drawn
    assert 'x="518"' in drawn
    assert "heat-0" in drawn
    assert "heat-6" in drawn
    assert heat_map(phrases, TimeAxis(5.0, 6.0)) is None


def card(kind: str = "song", **values: float | str) -> Card:
    recording = Recording("name", "00", 1.0, RATE, 1)
    figures = {
        key: Figure(None, value) if isinstance(value, str) else Figure(value)
        for key, value in values.items()
    }
    gate = Gate("quality", "distillmos", "> 4", "where the source reads 4.1", None, "fail")
    return Card(
        recording,
        recording,
        recording,
        kind,  # type: ignore[arg-type]
        0.0,
        (0.0, 1.0),
        figures,
        gates=(gate,),
    )


@pytest.mark.parametrize(("kind", "limits"), [("song", 1), ("speech", 1), ("copy", 2)])
@pytest.mark.parametrize("floor", [-0.3, 0.0, 0.5, 0.739, 0.95, 0.96, 1.0])
def test_labels_of_bars_stay_inside_and_apart(kind: str, limits: int, floor: float) -> None:
    values = {"similarity_target": 0.8, "similarity_source": 0.7, "similarity_floor": floor}
    drawn = str(similarity_bars(card(kind, **values)))
    assert drawn.count('class="limit"') == limits
    labels = re.findall(
        r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)" class="title">', drawn
    )
    marks = labels[-limits - 1 :]
    assert len({y for _, y, _ in marks}) == limits + 1
    words = re.findall(r">(natural limit[^<]*|floor[^<]*)</text>", drawn)
    for (x, _, anchor), said in zip(marks, words, strict=True):
        width = 6.9 * len(said)
        left = float(x) - (width if anchor == "end" else 0.0)
        assert left >= 0
        assert left + width <= 1000


def test_bars_below_zero_and_without_a_value() -> None:
    drawn = str(similarity_bars(card(similarity_target=-0.5, similarity_source="too short")))
    assert "−1.0" in drawn
    assert "not applicable: too short" in drawn
    assert 'class="bar-source"' not in drawn


def test_the_condition_of_a_gate_counts_when_the_source_is_printed() -> None:
    assert figure_text(card(distillmos_source=4.0999), "distillmos_source") == "4.0999"


def test_players_share_the_budget() -> None:
    rng = np.random.default_rng(0)
    noise = Audio(0.3 * rng.standard_normal((2, 44_100 * 10), dtype=np.float32), 44_100)
    clips = [Clip("source", "a", noise, 0.0), Clip("output", "b", noise, 0.0)]
    sizes = []
    for budget in (400_000, 100_000):
        encoded = [len(player.address) * 3 / 4 for player in players(clips, budget)]
        assert sum(encoded) < budget
        sizes.append(sum(encoded))
    assert sizes[0] > 2 * sizes[1]


def schemes() -> dict[str, dict[str, str]]:
    """Return the colours of the style sheet, by scheme."""
    blocks = re.findall(r":root \{(.*?)\}", css(), re.S)
    assert len(blocks) == 3
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]
    return dict(zip(("light", "dark", "print"), found, strict=True))


def contrast(one: str, other: str) -> float:
    """Return the ratio of WCAG 2."""
    light = []
    for text in (one, other):
        rgb = np.array([int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ np.array([0.2126, 0.7152, 0.0722])))
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_is_readable_in_every_scheme(scheme: str) -> None:
    colours = schemes()[scheme]
    pairs = [(ink, on) for ink in ("ink", "muted") for on in ("ground", "panel", "soft")]
    pairs += [(f"{each}-ink", each) for each in ("pass", "fail", "na", "ins", "del")]
    pairs += [(f"{each}-ink", on) for each in ("pass", "fail") for on in ("panel", "soft")]
    pairs += [("link", "panel"), ("link", "ground")]
    inks = ["low", "low", "low", "low", "mid", "high", "high"]
    pairs += [(f"heat-ink-{ink}", f"heat-{step}") for step, ink in enumerate(inks)]
    for ink, on in pairs:
        assert contrast(colours[ink], colours[on]) >= 4.5, (ink, on)
    for line in ("source", "wanted", "output", "limit"):
        assert contrast(colours[line], colours["panel"]) >= 3.0, line


def test_paper_is_light() -> None:
    found = schemes()
    assert found["print"].keys() == found["light"].keys() == found["dark"].keys()
    differing = {key for key, value in found["light"].items() if found["print"][key] != value}
    assert differing == {"ground", "link"}
