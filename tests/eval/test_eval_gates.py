"""Gates: strict, unrounded, with the reason where they do not apply."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from autovoice.errors import InputError
from autovoice.eval.card import Gate, Kind
from autovoice.eval.figure import Figure, measured
from autovoice.eval.gates import judge, load_gates

GOOD = """
[[gate]]
name = "pitch"
measure = "pitch_rmse_hz"
below = 10
kinds = ["song"]
protocol = "any"
"""


def _figures(**values: float) -> dict[str, Figure]:
    return {key: measured(value) for key, value in values.items()}


def _gate(name: str, figures: dict[str, Figure], kind: Kind = "song") -> Gate:
    return {gate.name: gate for gate in judge(figures, kind)}[name]


def test_the_gates_of_each_kind() -> None:
    names = {kind: [gate.name for gate in judge({}, kind)] for kind in ("song", "speech", "copy")}
    assert names == {
        "song": ["pitch", "similarity", "naturalness"],
        "speech": ["pitch", "similarity", "naturalness"],
        "copy": ["pitch", "naturalness", "intelligibility"],
    }


@pytest.mark.parametrize(
    ("name", "kind", "key", "limit", "passes"),
    [
        ("pitch", "song", "pitch_rmse_hz", 10.0, -math.inf),
        ("pitch", "copy", "pitch_rmse_hz", 10.0, -math.inf),
        ("similarity", "song", "similarity_target", 0.74, math.inf),
        ("similarity", "speech", "similarity_target", 0.85, math.inf),
        ("intelligibility", "copy", "stoi", 0.9, math.inf),
        ("naturalness", "song", "distillmos", 4.0, math.inf),
    ],
)
def test_a_gate_is_strict_and_rounds_nothing(
    name: str, kind: Kind, key: str, limit: float, passes: float
) -> None:
    clean = {"distillmos_source": 4.1}
    inside, outside = math.nextafter(limit, passes), math.nextafter(limit, -passes)
    verdicts = [
        _gate(name, _figures(**{**clean, key: value}), kind).status
        for value in (inside, limit, outside)
    ]
    assert verdicts == ["pass", "fail", "fail"]


def test_a_gate_says_what_it_wants_and_under_which_conditions() -> None:
    gate = _gate("similarity", _figures(similarity_target=0.8))
    assert (gate.wanted, gate.measure, gate.value) == ("> 0.74", "similarity_target", 0.8)
    assert "similarity to a speech reference, natural limit 0.74" in gate.protocol
    assert gate.why == ""
    assert _gate("pitch", {}).wanted == "< 10 Hz"


def test_what_is_not_applicable_keeps_the_reason_of_its_figure() -> None:
    gate = _gate("pitch", {"pitch_rmse_hz": Figure(None, "the output is unvoiced")})
    assert (gate.status, gate.value, gate.why) == ("not applicable", None, "the output is unvoiced")
    assert _gate("pitch", {}).why == "not measured"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (3.9, "DistillMOS of the source reads 3.90, the gate holds from 4.1 up"),
        (4.0999, "DistillMOS of the source reads 4.0999, the gate holds from 4.1 up"),
    ],
)
def test_naturalness_asks_for_a_clean_source(source: float, why: str) -> None:
    gate = _gate("naturalness", _figures(distillmos=3.0, distillmos_source=source))
    assert (gate.status, gate.value, gate.why) == ("not applicable", 3.0, why)


def test_naturalness_without_a_figure_of_the_source() -> None:
    figures = {"distillmos": Figure(4.5), "distillmos_source": Figure(None, "too short")}
    gate = _gate("naturalness", figures)
    assert gate.status == "not applicable"
    assert gate.why == "DistillMOS of the source: too short"


def test_gates_of_another_file(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(GOOD.replace("below = 10", "below = 5"))
    rules = load_gates(path)
    assert [gate.status for gate in judge(_figures(pitch_rmse_hz=6.0), "song", rules)] == ["fail"]
    assert judge(_figures(pitch_rmse_hz=6.0), "copy", rules) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[gate", "no readable TOML"),
        ("", r"expected \[\[gate\]\] tables"),
        ("gate = []", r"expected \[\[gate\]\] tables"),
        (GOOD + "[other]\n", r"found \['gate', 'other'\]"),
        (GOOD.replace("pitch_rmse_hz", "pitch"), "found no measure 'pitch'"),
        (GOOD.replace('["song"]', '["opera"]'), "kinds: found"),
        (GOOD.replace('["song"]', '"song"'), "kinds: found"),
        (GOOD.replace("below = 10", ""), "expected one of above and below"),
        (GOOD + "above = 3\n", "expected one of above and below"),
        (GOOD.replace("10", '"ten"'), "below: found 'ten', expected a finite number"),
        (GOOD.replace("10", "nan"), "below: found nan"),
        (GOOD.replace("10", "true"), "below: found True"),
        (GOOD.replace('"any"', '" "'), "protocol: found"),
        (GOOD + "lower = 3\n", "gate 1: found .*'lower'"),
        (GOOD + "only_where = 3\n", "only_where: found 3"),
        (GOOD + 'only_where = {measure = "stoi"}\n', "least: found None"),
        (GOOD + GOOD, r"found twice: pitch \(song\)"),
    ],
)
def test_a_malformed_file_is_told_apart(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_gates(path)
    with pytest.raises(InputError, match="no readable TOML"):
        load_gates(tmp_path / "none.toml")
