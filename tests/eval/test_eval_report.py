"""The page of a card: whole, harmless, small, the same twice, whatever the card lacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from autovoice.errors import InputError, ResourceError
from autovoice.eval.card import Card, Gate, Melody, Phrase, Recording, Words
from autovoice.eval.figure import Figure
from autovoice.eval.measures import MEASURES
from autovoice.eval.report import card_page, write_card, write_text
from autovoice.types import Audio

RATE = 16_000
SECONDS = 3.0
LIMIT_BYTES = 3_000_000
NO_NUMBER = re.compile(r"\b(nan|NaN|inf|Infinity|None)\b")
VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = '<script>alert("x")</script>\x00\u202e\ud800"\' onload=alert(1)'


class Page(HTMLParser):
    """Collects elements, and fails where one is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def tone(seconds: float = SECONDS, f0_hz: float = 220.0) -> Audio:
    time_s = np.arange(int(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * f0_hz * k * time_s) / k for k in range(1, 6))
    return Audio((0.1 * np.asarray(sound))[None].astype(np.float32), RATE)


def melody(frames: int = 300) -> Melody:
    source = 200.0 * 2 ** (0.5 * np.sin(np.arange(frames) / 40))
    source[120:150] = 0.0
    output = source.copy()
    output[20:30] *= 2
    output[200:220] = 0.0
    return Melody(source, source, output)


def phrase(start_s: float, end_s: float, **values: float | str) -> Phrase:
    figures: dict[str, Figure] = {}
    for key, value in values.items():
        figures[key] = Figure(None, value) if isinstance(value, str) else Figure(value)
    return Phrase(start_s, end_s, figures)


PHRASES = (
    phrase(0.1, 1.0, median_cents=4.0, beyond_50_cents=0.01, level_db=0.2, spectral_db=9.0),
    phrase(1.2, 2.0, median_cents=80.0, beyond_50_cents=0.6, level_db=-7.0, spectral_db=9.2),
    phrase(2.1, 2.9, median_cents="found 3 frames, needs 10", voicing_error=0.5, spectral_db=9.1),
)
GATES = (
    Gate("pitch", "pitch_rmse_hz", "< 10 Hz", "Harvest", 0.5, "pass"),
    Gate("similarity", "similarity_target", "> 0.74", "song", 0.739996, "fail"),
    Gate("naturalness", "distillmos", "> 4", "source", None, "not applicable", "reads only 3.9"),
)


def card(**changes: object) -> Card:
    values = {measure.key: 0.5 for measure in MEASURES} | {"similarity_target": 0.739996}
    whole = Card(
        output=Recording("cover.wav", "aa" * 32, SECONDS, RATE, 1),
        source=Recording("song.flac", "bb" * 32, SECONDS, RATE, 2),
        reference=Recording("voice.flac", "cc" * 32, SECONDS, RATE, 1),
        kind="song",
        semitones=-12.0,
        span_s=(0.0, SECONDS),
        figures={key: Figure(value) for key, value in values.items()},
        gates=GATES,
        words=Words("en", "The sun goes down.", "the son goes down", "the son"),
        melody=melody(),
        phrases=PHRASES,
        notes=("rates differ",),
        timings={"pitch": 1.25},
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def page_of(which: Card, reference: Audio | None = None) -> str:
    return card_page(which, output=tone(), source=tone(f0_hz=180.0), reference=reference)


@pytest.fixture(scope="module")
def whole() -> str:
    return page_of(card(), tone(4.0))


def without_data(text: str) -> str:
    return re.sub(r"data:[a-z/]+;base64,[A-Za-z0-9+/=]+", "data:", text)


def test_the_page_is_well_formed_and_says_what_language_it_is_in(whole: str) -> None:
    page = Page(whole)
    assert whole.startswith("<!DOCTYPE html>")
    assert page.all("html")[0]["lang"] == "en"
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [link["href"] for link in page.all("a")]
    assert targets
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    for svg in page.all("svg"):
        assert svg["aria-label"]


def test_the_page_loads_nothing_from_elsewhere(whole: str) -> None:
    page = Page(whole)
    for tag, attributes in page.elements:
        for name in {"src", "href", "poster", "data", "srcset", "action"} & set(attributes):
            assert attributes[name].startswith(("data:", "#")), (tag, name)
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
    assert page.all("link") == []
    assert re.search(r"https?://|url\((?!#)|@import", without_data(whole)) is None
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_page_shows_plots_players_verdicts_and_figures(whole: str) -> None:
    page = Page(whole)
    assert [audio["data-part"] for audio in page.all("audio")] == ["source", "output", "reference"]
    assert all(audio["src"].startswith("data:audio/mpeg;base64,") for audio in page.all("audio"))
    # Two spectrograms, each with its scale of colours.
    assert len(page.all("image")) == 4
    assert {path["class"] for path in page.all("path")} >= {"source", "wanted", "output", "mark"}
    chips = [item["class"] for item in page.all("li") if "chip" in item.get("class", "")]
    assert chips == ["chip pass", "chip fail", "chip na"]
    assert "reads only 3.9" in page.text
    assert "1 passed, 1 failed, 1 not applicable" in page.text
    for measure in MEASURES:
        assert measure.heading in page.text
        assert measure.says in page.text
    assert "-12 semitones" in page.text
    assert "rates differ" in page.text


def test_no_figure_is_rounded_over_its_gate(whole: str) -> None:
    # To three decimals this fails its gate and would read 0.740.
    assert "0.739996" in Page(whole).text
    assert "0.740" not in Page(whole).text


def test_the_worst_phrases_are_told_in_words_and_seek_the_players(whole: str) -> None:
    text = Page(whole).text
    assert "60 % of the notes more than 50 cents off" in text
    assert "7.0 dB too quiet" in text
    listed = text[text.index("The worst phrases") :]
    assert listed.index("phrase 2, 0:01.2 to 0:02.0") < listed.index("phrase 1, 0:00.1 to 0:01.0")
    assert {link.get("data-seek") for link in Page(whole).all("a")} == {"0.1", "1.2", "2.1"}


def test_phrases_and_melody_of_a_part_stand_at_the_time_of_the_source() -> None:
    part = card(span_s=(1.0, 2.0), melody=melody(100), phrases=PHRASES[:1])
    page = Page(page_of(part))
    assert "phrase 1, 0:01.1 to 0:02.0" in page.text
    assert {audio["data-offset"] for audio in page.all("audio")} == {"1.0"}
    assert "0:01.0 to 0:02.0" in page.text


def test_names_and_words_from_files_are_harmless() -> None:
    named = Recording(HOSTILE, HOSTILE, SECONDS, RATE, 1)
    gate = Gate(HOSTILE, "cer", HOSTILE, HOSTILE, None, "not applicable", HOSTILE)
    text = page_of(
        card(
            output=named,
            source=named,
            reference=named,
            gates=(gate,),
            words=Words(HOSTILE, HOSTILE, HOSTILE + " more", HOSTILE),
            phrases=(phrase(0.0, 1.0, median_cents=HOSTILE),),
            notes=(HOSTILE,),
            timings={HOSTILE: 1.0},
            figures={"cer": Figure(None, HOSTILE)},
        ),
        tone(),
    )
    page = Page(text)
    assert len(page.all("script")) == 1
    assert "alert" not in re.findall(r"<script>(.*?)</script>", text, re.S)[0]
    assert not any(name.startswith("on") for _, every in page.elements for name in every)
    assert '<script>alert("x")</script>' in page.text
    assert "\x00" not in text
    text.encode("utf-8")


def test_transcripts_may_run_from_right_to_left() -> None:
    page = Page(page_of(card(words=Words("he", "שלום עולם", "שלום עולמי", ""))))
    heard = [each for each in page.all("p") if each.get("class") == "heard"]
    assert [(each["dir"], each["lang"]) for each in heard] == [("auto", "he"), ("auto", "he")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"melody": None}, "no melody was found"),
        ({"melody": Melody(*(np.zeros(300),) * 3)}, "no melody was found"),
        ({"melody": Melody(*(np.full(300, np.nan),) * 3)}, "no melody was found"),
        ({"melody": Melody(np.zeros(0), np.zeros(0), np.zeros(0))}, "no melody was found"),
        ({"words": None}, "words were not scored"),
        ({"words": Words("en", "", "", "")}, "nothing was heard"),
        ({"phrases": ()}, "no phrases were judged"),
        ({"gates": ()}, "No gates"),
        ({"figures": {}}, "Not asked for"),
        ({"figures": {m.key: Figure(None, "too short") for m in MEASURES}}, "too short"),
        ({"span_s": (0.0, 0.0)}, "0:00.0 to 0:00.0"),
        ({"kind": "copy"}, "a voice converted to itself"),
        ({"kind": "speech"}, "speech to speech"),
        ({"reference": Recording("stored", "dd" * 32, 0.0, 0, 0)}, "a stored voice"),
        ({"phrases": (phrase(0.0, 1.0, median_cents="too short"),)}, "No phrase could be judged"),
    ],
)
def test_a_card_that_lacks_something_says_so(changes: Mapping[str, object], said: str) -> None:
    text = page_of(card(**changes))
    page = Page(text)
    assert said in page.text
    assert len(page.all("audio")) == 2
    assert NO_NUMBER.search(without_data(text)) is None


def test_recordings_may_be_empty_shorter_than_the_part_or_damaged() -> None:
    empty = Audio(np.zeros((1, 0), np.float32), RATE)
    damaged = Audio(np.full((2, RATE), np.nan, np.float32), 44_100)
    text = card_page(card(), output=empty, source=damaged, reference=empty)
    page = Page(text)
    assert page.text.count("no sound in this part") == 2
    assert NO_NUMBER.search(without_data(text)) is None


def test_ten_minutes_make_less_than_three_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = np.tile(0.3 * rng.standard_normal((1, 48_000 * 60), dtype=np.float32), 10)
    audio = Audio(noise, 48_000)
    ragged = Melody(*(rng.uniform(80, 900, 60_000) * (rng.random(60_000) > 0.3) for _ in range(3)))
    phrases = tuple(phrase(k, k + 0.9, median_cents=k, voicing_error=0.1) for k in range(600))
    long = card(span_s=(0.0, 600.0), melody=ragged, phrases=phrases)
    written = write_card(long, tmp_path, "long", output=audio, source=audio, reference=audio)
    assert written.stat().st_size < LIMIT_BYTES
    text = written.read_text(encoding="utf-8")
    assert "plots and players: the first 60 s of it" in text
    assert "All 600 phrases" in text


def test_the_same_card_makes_the_same_page(whole: str) -> None:
    assert page_of(card(), tone(4.0)) == whole


def test_the_page_appears_whole_under_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    for _ in range(2):
        written = write_card(card(), folder, "a b", output=tone(), source=tone(), reference=None)
        assert written == folder / "a b.html"
    assert [path.name for path in folder.iterdir()] == ["a b.html"]


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "a\0b"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="file name"):
        write_card(card(), tmp_path, name, output=tone(), source=tone(), reference=None)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    with pytest.raises(ResourceError, match="cannot be written"):
        write_text(tmp_path / "file" / "page.html", "text")
    (tmp_path / "taken.html").mkdir()
    with pytest.raises(ResourceError, match="cannot be written"):
        write_text(tmp_path / "taken.html", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.html"]
