"""How long ``import autovoice`` and ``autovoice --help`` take."""

from __future__ import annotations

from autovoice.bench.tables import table
from benchmarks.page import Section, against
from benchmarks.process import python

IMPORT_S = 0.5
HELP_S = 0.8
IMPORT_CODE = """\
import time
begin = time.perf_counter()
import autovoice
print(time.perf_counter() - begin)"""


def startup(*, runs: int = 5) -> Section:
    """Measure both; the least of ``runs``, as whatever else runs can only add."""
    imports = [float(python("-c", IMPORT_CODE).stdout) for _ in range(runs)]
    helps = [python("-m", "autovoice", "--help").wall_s for _ in range(runs)]
    rows = [
        ("`import autovoice`, s", *against(min(imports), IMPORT_S, "{:.3f}")),
        ("`autovoice --help`, Python and all, s", *against(min(helps), HELP_S, "{:.3f}")),
    ]
    return Section(
        "startup",
        f"Start (the least of {runs})",
        table(["", "measured", "goal", "reached"], rows),
        {"import_s": imports, "help_s": helps},
    )
