"""docs/evaluation.md explains what the code measures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autovoice.eval.gates import load_gates
from autovoice.eval.measures import MEASURES, Measure
from autovoice.eval.phrases import FIGURES
from autovoice.eval.stress.columns import OWN_MEASURES

EXPLAINED = (*MEASURES, *OWN_MEASURES)
PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = {
    match[1]: [cell.strip() for cell in match[0].strip("|").split("|")]
    for match in re.finditer(r"^\| `(\w+)` \|.*$", TEXT, re.MULTILINE)
}


@pytest.mark.parametrize("measure", EXPLAINED, ids=lambda measure: measure.key)
def test_every_measure_has_a_row_that_agrees_with_the_table(measure: Measure) -> None:
    _, unit, span, better, says = ROWS[measure.key]
    assert better == measure.better
    assert says
    if measure.unit:
        assert unit == measure.unit
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", span)]
    assert numbers == [end for end in (measure.least, measure.most) if end is not None]


def test_no_row_explains_what_is_not_measured() -> None:
    assert set(ROWS) == {measure.key for measure in EXPLAINED}


def test_figures_of_phrases_and_gates_are_explained() -> None:
    assert [name for name in FIGURES if f"`{name}`" not in TEXT] == []
    for gate in load_gates():
        row = f"| {gate.name} | `{gate.measure}` | {gate.wanted} |"
        assert row in TEXT


def test_the_place_of_the_protocols_table_is_marked() -> None:
    heading = TEXT.index("## The protocol's current table")
    begin, end = (TEXT.index(f"<!-- protocol:{end} -->") for end in ("begin", "end"))
    assert heading < begin < end
