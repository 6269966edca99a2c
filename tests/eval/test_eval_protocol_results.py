"""Sums, files and the page of a run, and its comparison with an earlier one."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from protocol_standins import row

from autovoice.errors import InputError
from autovoice.eval.card import FORMAT
from autovoice.eval.protocol import compare, results
from autovoice.eval.protocol.columns import BY_KEY, GOALS, HEADLINE, badness
from autovoice.eval.protocol.page import MAPS, heat, page, write_page

GATE = {
    "name": "similarity",
    "measure": "similarity_target",
    "wanted": "> 0.74",
    "protocol": "song",
}
ABOUT = {"commit": "abc", "device": "cpu", "date": "2026-01-01"}


def found(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return results.results(rows, ABOUT, {"pairs": "quick", "seconds": 12.0})


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    made = [
        row("a", "x", cer=0.1, pitch_within_50_cents=0.9, delay_s=-0.03),
        row("b", "x", cer=None, pitch_within_50_cents=0.5, delay_s=0.02),
        row("b", "y", cer=0.4, pitch_within_50_cents=1.0, delay_s=0.0),
        {**row("c", "y"), "error": "ValueError: <script>alert(1)</script>"},
    ]
    del made[3]["figures"], made[3]["gates"]
    for each, status in zip(made[:3], ("pass", "fail", "not applicable"), strict=True):
        each["gates"] = [{**GATE, "status": status}]
    return made


def test_sums_leave_out_what_does_not_apply(rows: list[dict[str, Any]]) -> None:
    sums = found(rows)
    assert sums["counts"] == {"pairs": 4, "done": 3, "failed": 1}
    assert sums["mean"]["cer"] == {"value": pytest.approx(0.25), "pairs": 2}
    assert sums["median"]["pitch_within_50_cents"]["value"] == 0.9
    assert "distillmos" not in sums["mean"]
    assert sums["per"]["source"]["b"]["pitch_within_50_cents"]["value"] == pytest.approx(0.75)
    assert sums["per"]["target"]["y"]["cer"] == {"value": 0.4, "pairs": 1}
    assert sums["per"]["group"]["song"]["cer"]["pairs"] == 2
    assert sums["worst"]["cer"] == {"pair": "b -> y", "value": 0.4}
    assert sums["worst"]["pitch_within_50_cents"]["pair"] == "b -> x"
    assert sums["worst"]["delay_s"]["value"] == -0.03  # farthest from zero
    assert sums["gates"] == [{**GATE, "pass": 1, "fail": 1, "not applicable": 1}]
    assert results.results([], ABOUT, {})["mean"] == {}


def test_rows_of_several_commits_are_told() -> None:
    made = [row("a"), {**row("b"), "commit": "def"}]
    assert found(made)["about"]["commit"] == "abc, def"


def test_files_hold_no_transcripts_and_no_nan(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    results.write(found(rows), tmp_path)
    text = (tmp_path / "results.json").read_text()
    assert "secret" not in text
    assert results.read(tmp_path) == json.loads(text) == results.read(tmp_path / "results.json")
    with (tmp_path / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["cer"] for line in lines] == ["0.1", "", "0.4", ""]
    assert lines[3]["error"].startswith("ValueError")
    assert set(BY_KEY) < set(lines[0])
    rows[0]["figures"]["cer"] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.write(found(rows), tmp_path)
    assert "NaN" not in (tmp_path / "results.json").read_text()


def test_results_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(InputError, match=r"found no results .*expected a results.json"):
        results.read(tmp_path)
    path.write_text("[]")
    with pytest.raises(InputError, match="found no list of pairs"):
        results.read(path)
    path.write_text('{"pairs": [], "format": 0}')
    with pytest.raises(InputError, match=r"format 0, expected \d+: their meaning has changed"):
        results.read(path)


@pytest.mark.parametrize(
    "damaged",
    [
        "a -> x",
        {"key": "a"},
        {"key": "a", "source": "a", "target": "x"},
        {**row("a"), "key": None},
        {**row("a"), "figures": [0.1]},
        row("a", cer="0.1"),  # type: ignore[arg-type]
        row("a", cer=float("nan")),
    ],
)
def test_a_row_that_cannot_be_compared_is_named(damaged: Any, tmp_path: Path) -> None:
    failed = {key: each for key, each in row("b").items() if key != "figures"} | {"error": "no"}
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"pairs": [row("a", cer=None), failed], "format": FORMAT}))
    assert len(results.read(path)["pairs"]) == 2
    path.write_text(json.dumps({"pairs": [row("a"), damaged], "format": FORMAT}))
    with pytest.raises(InputError, match=r"results.json: pair 2: found no key, source, target"):
        results.read(path)


def test_heads_of_groups_have_the_number_of_pairs(rows: list[dict[str, Any]]) -> None:
    sums = found(rows)
    assert results.group_heads(sums) == ("all pairs (3)", {"song": "a cappella (3)"})
    assert '<th class="num">a cappella (3)</th>' in page(sums)


def test_keys_of_tables_are_measures() -> None:
    assert set(HEADLINE) | set(MAPS) | {goal.measure for goal in GOALS} <= set(BY_KEY)
    assert set(compare.JUDGED_BY) <= set(BY_KEY)
    cer, stoi = (next(g for g in GOALS if g.measure == key) for key in ("cer", "stoi"))
    assert (cer.wanted, cer.reached(0.08), cer.reached(0.081)) == ("<= 0.080", True, False)
    assert (stoi.wanted, stoi.reached(0.9), stoi.reached(0.899)) == (">= 0.900", True, False)
    assert [badness(key, -2.0) for key in ("cer", "stoi", "delay_s")] == [-2.0, 2.0, 2.0]


def before_and_after(shift: Any, key: str = "cer", count: int = 12) -> compare.Comparison:
    """Compare figures 0.1, 0.2, ... with the same moved by ``shift``."""
    start = 0.1 * np.arange(1, count + 1)
    moved = start + shift
    old, new = (
        [row(str(place), **{key: float(each)}) for place, each in enumerate(numbers)]
        for numbers in (start, moved)
    )
    return compare.compare(new, {"pairs": old, "about": ABOUT})


@pytest.mark.parametrize(
    ("key", "shift", "verdict"),
    [
        ("cer", 0.25, "worse"),
        ("cer", -0.05, "better"),
        ("similarity_gain", 0.25, "better"),
        ("similarity_gain", -0.25, "worse"),
        ("delay_s", 0.25, "worse"),
        ("similarity_floor", 0.25, "for the record"),
        ("cer", 0.0, "no clear change"),
    ],
)
def test_a_constant_change_has_an_interval_without_width(
    key: str, shift: float, verdict: str
) -> None:
    (change,) = before_and_after(shift, key).changes
    assert change.difference == pytest.approx(shift, abs=1e-12)
    assert (change.low, change.high) == pytest.approx((shift, shift), abs=1e-12)
    assert change.after - change.before == pytest.approx(shift, abs=1e-12)
    assert (change.verdict, change.pairs) == (verdict, 12)


def test_chance_gives_no_verdict() -> None:
    noise = np.random.default_rng(3).normal(0.0, 0.05, 6)
    (change,) = before_and_after(np.concatenate([noise, -noise])).changes
    assert change.low is not None
    assert change.high is not None
    assert change.low < 0.0 < change.high
    assert change.verdict == "no clear change"
    # Of a normal mean it is 1.96 standard errors wide to each side.
    expected = 1.96 * np.std(np.concatenate([noise, -noise])) / np.sqrt(12)
    assert change.high == pytest.approx(expected, rel=0.1)


def test_the_same_interval_every_time() -> None:
    numbers = np.random.default_rng(4).normal(size=20)
    assert compare.interval(numbers) == compare.interval(numbers)


def test_pairs_of_one_source_are_drawn_together() -> None:
    rng = np.random.default_rng(5)
    by_source = rng.normal(0.0, 1.0, 6)
    numbers = np.repeat(by_source, 4) + rng.normal(0.0, 0.01, 24)
    sources = [f"s{place}" for place in range(6) for _ in range(4)]
    low, high = compare.interval(numbers, sources)
    alone_low, alone_high = compare.interval(numbers)
    # Six numbers are known and not 24: the interval is twice as wide.
    assert (high - low) / (alone_high - alone_low) == pytest.approx(2.0, rel=0.1)
    # Of unequal sources the mean is still that of pairs.
    uneven = [*sources[:20], *sources[16:20]]
    low, high = compare.interval(np.full(24, 0.5), uneven)
    assert (low, high) == pytest.approx((0.5, 0.5))
    # Four sources, or one pair for each: pairs are drawn.
    for few in (["a", "b", "c", "d"] * 6, [str(place) for place in range(24)]):
        assert compare.interval(numbers, few) == (alone_low, alone_high)


def test_a_comparison_draws_by_source() -> None:
    steps = [0.1, -0.1, 0.2, -0.2, 0.3, 0.3]
    old = [row(f"s{k}", t, cer=0.5) for k in range(6) for t in "xyz"]
    new = [row(f"s{k}", t, cer=0.5 + steps[k]) for k in range(6) for t in "xyz"]
    (change,) = compare.compare(new, {"pairs": old}).changes
    expected = compare.interval(np.array(steps))
    assert (change.low, change.high) == pytest.approx(expected)


def test_what_is_best_at_zero_is_compared_by_its_size() -> None:
    old = [row(str(place), delay_s=-0.05) for place in range(6)]
    new = [row(str(place), delay_s=0.02) for place in range(6)]
    (change,) = compare.compare(new, {"pairs": old}).changes
    assert (change.before, change.after) == pytest.approx((0.05, 0.02))
    assert (change.low, change.high) == pytest.approx((-0.03, -0.03))
    assert change.verdict == "better"
    assert compare.heading("delay_s") == f"{BY_KEY['delay_s'].heading} (size)"
    assert compare.heading("cer") == BY_KEY["cer"].heading
    assert compare.printed_end("delay_s", 0.05) == "0.050"


def test_few_pairs_give_no_verdict() -> None:
    (change,) = before_and_after(0.3, count=3).changes
    assert (change.low, change.high, change.verdict) == (None, None, "too few pairs")


def test_pairs_are_matched_by_settings_and_failures_left_out() -> None:
    old = [row("a", cer=0.1), row("b", cer=0.1), {**row("c", cer=0.1), "key": "c at 12 s"}]
    new = [row("a", cer=0.2), {**row("b"), "error": "no"}, row("c", cer=0.2)]
    found = compare.compare(new, {"pairs": old, "about": ABOUT})
    assert (found.matched, found.unmatched) == (1, 3)
    assert found.changes[0].pairs == 1


def test_what_got_worse_most_is_named_by_its_worst_measure() -> None:
    def figures(place: int) -> dict[str, float]:
        return {"cer": 0.1 * place, "distillmos": 4.0 - 0.1 * place}

    old = [row(str(place), **figures(place)) for place in range(8)]
    new = [row(str(place), **figures(place)) for place in range(8)]
    new[3]["figures"]["cer"] += 0.5
    new[5]["figures"]["distillmos"] -= 0.2
    new[6]["figures"]["cer"] -= 0.2
    first, second = compare.compare(new, {"pairs": old}).losers
    assert (first.pair, first.by) == ("3 -> x", "cer")
    assert first.after - first.before == pytest.approx(0.5)
    spread = np.std([0.1 * place for place in range(8)])
    assert first.loss == pytest.approx(0.5 / spread / 2)
    assert (second.pair, second.by) == ("5 -> x", "distillmos")
    assert compare.compare(old, {"pairs": old}).losers == ()
    assert json.dumps(compare.compare(new, {"pairs": old}).to_json(), allow_nan=False)


def test_the_page_needs_nothing_else_and_escapes(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    rows[0]["source"] = "<img src=x onerror=alert(1)>"
    rows[2]["page"] = "b__y__0123"
    sums = found(rows)
    sums["comparison"] = compare.compare(rows, {"pairs": rows, "about": ABOUT}).to_json()
    (tmp_path / "cards").mkdir()
    for name in ("b__y__0123", "b__x__old"):
        (tmp_path / "cards" / f"{name}.html").write_text("a card")
    text = write_page(sums, tmp_path).read_text()
    body = text[: text.rindex("<script")]  # the page's own stands at its end
    for foreign in ("<img", "<script", "http://", "https://", "@import", "secret"):
        assert foreign not in body
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "&lt;script&gt;alert(1)" in text
    assert 'href="cards/b__y__0123.html"' in text
    assert 'href="cards/b__x' not in text  # the row does not say that it is its own
    assert "1 of 4 pairs failed" in text
    assert "Against an earlier run" in text
    assert "Content-Security-Policy" in text


def test_the_page_of_a_run_without_a_figure() -> None:
    failed = {**row("a"), "error": "no"}
    text = page(found([failed]))
    assert "0 of 1 pairs converted and judged" in text
    assert "Against an earlier run" not in text


def test_shades_run_from_best_to_worst() -> None:
    assert [heat("cer", each) for each in (-1.0, 0.0, 0.3, 0.6, 2.0)] == [
        "heat-0", "heat-0", "heat-3", "heat-6", "heat-6",
    ]  # fmt: skip
    assert heat("distillmos", 4.3) == "heat-0"
    assert (heat("cer", None), heat("delay_s", 0.1)) == ("heat-na", "")


def test_own_voices_share_a_column_where_there_are_many() -> None:
    made = [row(f"s{k}", f"t{j}", cer=0.1) for k in range(7) for j in range(6)]
    made += [row(f"s{k}", f"s{k}_speech", cer=0.1) for k in range(7)]
    made += [row("t1", "t1", cer=0.1)]
    text = page(found(made))
    assert "<th>own speech</th><th>itself</th></tr>" in text
    assert "<th>t5</th>" in text
    assert "<th>s1_<wbr>speech</th><th>" not in text
