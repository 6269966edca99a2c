"""What a run of the stress set tells: figures, worst places, comparison, page."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autovoice.errors import InputError, ResourceError
from autovoice.eval import dio
from autovoice.eval.measures import MEASURES
from autovoice.eval.stress import Place, run
from autovoice.eval.stress.columns import BY_KEY, COLUMNS, GROUPS, OWN_MEASURES, trouble
from autovoice.eval.stress.compare import compare
from autovoice.eval.stress.page import write_page
from autovoice.eval.stress.results import FORMAT, read, results, write
from autovoice.eval.stress.score import Note, perform
from autovoice.eval.stress.tables import comparison_lines, heat, tables, worst_lines
from autovoice.types import Audio

SOUND = perform((Note(0.1, 0.9, 220.0), Note(1.3, 2.1, 500.0)), 2.3)


def _place(name: str, gain: float = 1.0) -> Place:
    return Place(name, "held", Audio(SOUND.samples * np.float32(gain), 24_000), "two notes")


class Engine:
    """Return what it gets, at a gain; fail at will; remember what was asked."""

    def __init__(self, gain: float = 1.0, fails: Exception | None = None, at: int = 1) -> None:
        self.gain, self.fails, self.at = np.float32(gain), fails, at
        self.asked: list[tuple[Any, bool, int]] = []

    def convert(self, song: Audio, voice: Any, *, separate: bool, semitones: int) -> Any:
        self.asked.append((voice, separate, semitones))
        if self.fails is not None and len(self.asked) == self.at:
            raise self.fails
        return SimpleNamespace(audio=Audio(song.samples * self.gain, song.sample_rate_hz))


def _row(name: str, **figures: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "held",
        "says": "a <b>note</b>",
        "seconds": 2.0,
        "sha256": "0" * 64,
        "error": None,
        "figures": figures,
        "why_not": {},
        "trouble": trouble(figures),
    }


def _found(*rows: dict[str, Any]) -> dict[str, Any]:
    return results(rows, {"machine": "a desk"}, {"voice": "kumo", "semitones": 0})


def test_places_are_converted_without_separation_and_measured() -> None:
    engine, heard = Engine(0.5), []
    rows = run(
        engine, "kumo", [_place("one"), _place("two", 0.1)], semitones=0, tracker=dio,
        progress=lambda done, place, row: heard.append((done, place.name, row is not None)),
    )  # fmt: skip
    assert engine.asked == [("kumo", False, 0)] * 2
    assert heard == [(0, "one", False), (1, "one", True), (1, "two", False), (2, "two", True)]
    assert [row["name"] for row in rows] == ["one", "two"]
    assert rows[0]["sha256"] != rows[1]["sha256"]
    assert rows[0]["figures"]["kept_400_to_700_db"] == pytest.approx(-6.02, abs=0.05)
    assert "from 700 to inf Hz" in rows[0]["why_not"]["kept_over_700_db"]
    assert rows[0]["trouble"] == pytest.approx(trouble(rows[0]["figures"]))
    assert set(rows[0]["timings"]) == {"convert", "measure"}


def test_a_place_that_fails_stops_no_other_but_a_full_disk_does() -> None:
    places = [_place("one"), _place("two")]
    rows = run(Engine(fails=ValueError("it cracked")), "kumo", places, tracker=dio)
    assert rows[0]["error"] == "ValueError: it cracked"
    assert rows[1]["error"] is None
    found = _found(*rows)
    assert found["counts"] == {"places": 2, "done": 1, "failed": 1}
    with pytest.raises(ResourceError, match="full"):
        run(Engine(fails=ResourceError("full")), "kumo", places, tracker=dio)


def test_columns_are_complete_and_have_a_place_and_a_scale() -> None:
    assert {measure.key for measure in OWN_MEASURES} <= set(BY_KEY)
    assert not {measure.key for measure in OWN_MEASURES} & {measure.key for measure in MEASURES}
    for column in COLUMNS:
        assert column.group in GROUPS
        assert column.noticed > 0
        assert column.measure.better in {"lower", "higher", "zero"}
        assert column.measure.says.endswith(".")
        assert column.measure.source


def test_errors_are_distances_from_the_best_value() -> None:
    assert BY_KEY["kept_over_700_db"].error(-9.0) == 9.0
    assert BY_KEY["pitch_within_50_cents"].error(0.9) == pytest.approx(0.1)
    assert BY_KEY["gap_level_db"].error(-75.0) == 0.0
    assert BY_KEY["gap_level_db"].error(-40.0) == 20.0
    assert BY_KEY["muted_high_share"].times_noticed(0.05) == pytest.approx(2.5)
    assert BY_KEY["muted_high_share"].times_noticed(1.0) == 10.0
    assert trouble({"muted_high_share": 1.0, "kept_over_700_db": 0.0, "breath_db": None}) == 5.0
    assert trouble({}) == 0.0
    assert [heat(BY_KEY["breath_db"], value) for value in (None, 0.0, -13.0, 90.0)] == [
        None, 0, 2, 6,
    ]  # fmt: skip


def test_a_run_is_summed_up_and_the_worst_places_named() -> None:
    found = _found(
        _row("fine", kept_over_700_db=0.5, muted_high_share=0.0),
        _row("mute", kept_over_700_db=-30.0, muted_high_share=0.9),
        _row("dull", breath_db=-9.0, kept_over_700_db=None),
        _row("good", breath_db=0.0),
    )
    assert found["mean_error"]["kept_over_700_db"] == {"value": 15.25, "places": 2}
    assert found["worst"]["kept_over_700_db"] == {"place": "mute", "value": -30.0}
    assert [entry["place"] for entry in found["worst_places"]] == ["mute", "dull", "fine"]
    assert list(found["worst_places"][0]["faults"]) == ["muted_high_share", "kept_over_700_db"]
    lines = worst_lines(found)
    assert lines[0].startswith("1. mute (a <b>note</b>), 7.5 of 10: high notes muted 0.900;")
    assert lines[2].endswith("nothing that is noticed")
    high, noise = tables(found)
    assert (high.title, noise.title) == ("high notes", "noise")
    assert [line[0] for line in high.lines] == ["fine", "mute"]
    assert high.lines[1][1] == ("-30.0", "0.900")
    assert high.heat == ((0, 0), (5, 6))
    assert high.errors == ("15.2", "0.450")


def test_results_are_written_and_read_again(tmp_path: Path) -> None:
    found = _found(_row("one", breath_db=-9.0))
    path = write(found, tmp_path / "out")
    assert read(path) == read(tmp_path / "out") == json.loads(path.read_text(encoding="utf-8"))
    assert read(path)["format"] == FORMAT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "found no results"),
        ("[]", "found no list of places"),
        ('{"places": [], "format": 0}', "found figures of format 0, expected 1"),
        ('{"places": [{"name": "a"}], "format": 1}', "place 1: found no name, sha256 and figures"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "stress.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read(path)
    with pytest.raises(InputError, match="found no results"):
        read(tmp_path / "none.json")


def test_runs_are_compared_place_by_place_where_the_sound_is_the_same() -> None:
    earlier = _found(
        _row("one", breath_db=-20.0, muted_high_share=0.0),
        _row("two", breath_db=-1.0),
        {**_row("cut", breath_db=0.0), "sha256": "1" * 64},
        {"name": "lost", "sha256": "0" * 64, "error": "it cracked", "trouble": 0.0, "figures": {}},
    )
    rows = [
        _row("one", breath_db=-2.0, muted_high_share=0.1),
        _row("two", breath_db=1.0),
        _row("cut", breath_db=-9.0),
        _row("lost", breath_db=-9.0),
    ]
    found = compare(rows, earlier)
    assert (found["matched"], found["unmatched"]) == (2, 2)
    changes = {change["measure"]: change for change in found["changes"]}
    assert changes["breath_db"] == {
        "measure": "breath_db", "places": 2, "before": 10.5, "after": 1.5, "better": 1, "worse": 0,
    }  # fmt: skip
    assert [(each["place"], each["measure"]) for each in found["moved"]] == [
        ("one", "muted_high_share"), ("one", "breath_db"),
    ]  # fmt: skip
    lines = comparison_lines(found)
    assert lines[0].startswith("2 places with the same sound as in the earlier run, 2 without")
    assert "breath kept: mean error 10.5 -> 1.5 (1 better, 0 worse of 2)" in lines
    assert "worse: one: high notes muted 0.000 -> 0.100" in lines
    assert "better: one: breath kept -20.0 dB -> -2.0 dB" in lines


def test_the_page_shows_tables_failures_and_comparison_and_escapes(tmp_path: Path) -> None:
    rows = [_row("one", breath_db=-20.0), {**_row("two"), "error": "<i>it cracked</i>"}]
    found = _found(*rows)
    found["comparison"] = compare(rows, _found(_row("one", breath_db=-1.0)))
    text = write_page(found, tmp_path / "out").read_text(encoding="utf-8")
    assert "&lt;i&gt;it cracked&lt;/i&gt;" in text
    assert "<b>note</b>" not in text
    assert 'class="num heat-3">-20.0</td>' in text
    assert "worse: one: breath kept -1.0 dB" in text
    assert "1 of 2 places converted and measured" in text
