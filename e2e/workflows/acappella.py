"""A voice alone is converted without separation."""

from __future__ import annotations

from collections.abc import Iterator

from e2e.conversions import Job, convert
from e2e.records import Case
from e2e.setting import Setting
from e2e.voices import embedding
from e2e.workflows.pairs import Span, convert_pairs

_QUICK: tuple[tuple[Span, str], ...] = ((("gtsinger_en_tenor1_acap", 0, 8), "libri_testother_367"),)
_SOURCES: tuple[Span, ...] = (
    ("vocadito_1_acap", 0, 20),
    ("smstools_singing_female", 0, 6),
    ("gtsinger_en_alto2_acap", 0, 20),
    ("gtsinger_en_tenor1_acap", 0, 20),
    ("gtsinger_zh04_acap", 0, 20),
    ("gtsinger_jp03_acap", 0, 20),
    ("gtsinger_kr05_acap", 0, 20),
    ("gtsinger_fr03_acap", 0, 20),
)
_TARGETS = ("libri_testother_367", "libri_testother_2414")
_FULL = tuple((source, target) for source in _SOURCES for target in _TARGETS)


def run(setting: Setting) -> Iterator[Case]:
    """Convert the demo song's own vocal, and singers who were recorded alone."""
    materials = setting.materials
    end_s = 10 if setting.full else 8
    song = materials.cut(materials.demo_vocals(), 2, end_s)
    for voice in ("alpha", "tebukuro") if setting.full else ("alpha",):
        name = f"demo vocals 2-{end_s} s -> {voice}"
        yield convert(setting, Job(name, song, voice, embedding(voice)))
    yield from convert_pairs(setting, _FULL if setting.full else _QUICK, "song")
