"""A mixed song becomes a cover: the voice is taken out, converted and put back over the band."""

from __future__ import annotations

from collections.abc import Iterator

from e2e.conversions import Job, convert
from e2e.records import Case
from e2e.setting import Setting
from e2e.voices import embedding
from e2e.workflows.pairs import Span, convert_pairs

_MIXES: tuple[tuple[Span, str], ...] = (
    (("constructed_vocadito1_vibeace_mix", 0, 20), "libri_testother_367"),
    (("karissahobbs_fishin_mix", 0, 20), "libri_testother_2414"),
)


def run(setting: Setting) -> Iterator[Case]:
    """Convert the demo song into built-in voices; in full, other songs into strangers'."""
    for voice in ("kumo", "alpha", "gongitsune") if setting.full else ("kumo",):
        song = setting.materials.demo()
        name = f"demo song -> {voice}"
        job = Job(name, song, voice, embedding(voice), mixed=True, scored_by="report")
        yield convert(setting, job)
    if setting.full:
        yield from convert_pairs(setting, _MIXES, "song", mixed=True)
