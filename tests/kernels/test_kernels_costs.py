"""What the pages of the kernels say of their cost is what the shapes of the decoder give."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import kernel_costs
from kernel_costs import Cost

PAGES = Path(__file__).resolve().parents[2] / "docs" / "kernels"
PAGE = {
    "row_moments": "style_rows", "style_pool": "style_rows", "polar_istft": "polar_stft",
}  # fmt: skip


@pytest.fixture(scope="module")
def traced() -> dict[int, dict[str, Cost]]:
    return {batch: kernel_costs.costs(batch) for batch in kernel_costs.BATCHES}


@pytest.mark.parametrize("op", kernel_costs.OPS)
def test_the_tables_are_current(op: str, traced: dict[int, dict[str, Cost]]) -> None:
    text = (PAGES / f"{PAGE.get(op, op)}.md").read_text(encoding="utf-8")
    rows = [kernel_costs.row(op, batch, found[op]) for batch, found in traced.items()]
    assert "\n".join(rows) in text, f"scripts/kernel_costs.py prints the rows of {op}"


def test_every_op_has_a_page_that_the_index_names() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    for op in kernel_costs.OPS:
        assert f"`{op}`" in index
        page = PAGES / f"{PAGE.get(op, op)}.md"
        assert f"]({page.name})" in index
        text = page.read_text(encoding="utf-8")
        assert text.count("<!-- measured: begin -->\n") == 1
        assert text.count("<!-- measured: end -->\n") == 1


def test_arithmetic_and_bytes_of_a_known_call() -> None:
    x = torch.empty(2, 10, 32, dtype=torch.float16)
    weight = torch.empty(3, 32, 64, dtype=torch.float16)
    made = torch.empty(2, 10, 64, dtype=torch.float16)
    moments = torch.empty(2, 2, 64, dtype=torch.int64)
    arguments = (x, weight, *[None] * 7, moments)
    assert kernel_costs.flops("style_conv1d", arguments, made) == 2 * 2 * 10 * 64 * 3 * 32
    expected = 2 * (2 * 10 * 32 + 3 * 32 * 64 + 2 * 10 * 64) + 2 * 8 * 2 * 2 * 64
    assert kernel_costs.moved_bytes("style_conv1d", arguments, made) == expected
    assert Cost(1, 989e12, 0).floor_s(kernel_costs.TENSOR_FLOPS) == pytest.approx(1)
    assert Cost(1, 0, 335).floor_s(1.0) == pytest.approx(1e-10)
