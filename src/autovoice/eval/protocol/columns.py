"""What the tables of a run show: the measures of cards, and what only a run knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autovoice.eval.measures import MEASURES, Measure
from autovoice.eval.protocol.pairs import Group

Row = Mapping[str, Any]
_BSS = "Le Roux et al. 2019 (SI-SDR); the plain energy ratio (SDR)"
EXTRAS = (
    Measure(
        "separation_si_sdr_db", "SI-SDR of the vocals", "dB", None, None, "higher", "{:.1f}",
        "separation", "How well the separator found the vocals, whatever their level.", _BSS,
    ),
    Measure(
        "separation_sdr_db", "SDR of the vocals", "dB", None, None, "higher", "{:.1f}",
        "separation", "The same, where a wrong level counts.", _BSS,
    ),
    Measure(
        "realtime_factor", "x real time", "", 0.0, None, "lower", "{:.2f}",
        "speed", "Seconds of work for a second of sound, without loading of networks.", "AutoVoice",
    ),
)  # fmt: skip
COLUMNS = (*MEASURES, *EXTRAS)
BY_KEY = {column.key: column for column in COLUMNS}
# What a run is summed up by; the rest is in the files.
HEADLINE = (
    "pitch_rmse_hz",
    "pitch_median_cents",
    "pitch_within_50_cents",
    "voicing_error",
    "log_f0_correlation",
    "similarity_target",
    "similarity_gain",
    "similarity_source",
    "cer",
    "distillmos",
    "distillmos_change",
    "stoi",
    "separation_si_sdr_db",
    "realtime_factor",
)


@dataclass(frozen=True)
class Goal:
    """What a mean should reach: of ``measure``, over the pairs of ``group``."""

    measure: str
    group: Group
    limit: float

    def reached(self, value: float) -> bool:
        """Tell whether a mean is at least as good as the limit."""
        if BY_KEY[self.measure].better == "lower":
            return value <= self.limit
        return value >= self.limit

    @property
    def wanted(self) -> str:
        """The condition as tables show it."""
        sign = "<=" if BY_KEY[self.measure].better == "lower" else ">="
        return f"{sign} {printed(self.measure, self.limit)}"


# The figures that the design sets for means; single conversions are judged by ``gates.toml``.
GOALS = (
    Goal("pitch_rmse_hz", "song", 10.0),
    Goal("pitch_within_50_cents", "song", 0.97),
    Goal("log_f0_correlation", "song", 0.99),
    Goal("similarity_target", "song", 0.80),
    Goal("similarity_target", "speech", 0.87),
    Goal("cer", "song", 0.08),
    Goal("cer", "mix", 0.15),
    Goal("distillmos_change", "song", -0.15),
    Goal("stoi", "copy", 0.90),
)


def value(row: Row, key: str) -> float | None:
    """Return a figure of a row, None where it does not apply."""
    found = row.get("figures", {}).get(key)
    return None if found is None else float(found)


def printed(key: str, number: float | None) -> str:
    """Return a figure as tables show it, ``-`` when there is none."""
    return "-" if number is None else BY_KEY[key].style.format(number)


def badness(key: str, number: float) -> float:
    """Return a number that grows as a figure gets worse.

    >>> badness("cer", 0.25), badness("stoi", 0.75), badness("delay_s", -0.5)
    (0.25, -0.75, 0.5)
    """
    better = BY_KEY[key].better
    if better == "higher":
        return -number
    return abs(number) if better == "zero" else number
