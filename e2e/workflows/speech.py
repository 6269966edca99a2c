"""Somebody speaks, and somebody else's voice says it."""

from __future__ import annotations

from collections.abc import Iterator

from e2e.records import Case
from e2e.setting import Setting
from e2e.workflows.pairs import Span, convert_pairs

_QUICK: tuple[tuple[Span, str], ...] = ((("libri_testother_1688", 0, 8), "libri_testother_2414"),)
_SPEAKERS = (
    "libri_testother_367",
    "libri_testother_1688",
    "libri_testother_2414",
    "libri_testother_3005",
    "ravdess_actor21",
    "ravdess_actor22",
    "nemo_MP0",
    "speechocean_0461",
    "speechocean_0024",
)
# Each speaks once and is spoken for once.
_FULL: tuple[tuple[Span, str], ...] = tuple(
    ((source, 0, 15), target)
    for source, target in zip(_SPEAKERS, (*_SPEAKERS[1:], _SPEAKERS[0]), strict=True)
)


def run(setting: Setting) -> Iterator[Case]:
    """Convert speech into the voice of another speaker."""
    yield from convert_pairs(setting, _FULL if setting.full else _QUICK, "speech")
