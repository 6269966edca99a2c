"""A recording is converted into its own voice: what is lost is lost by the system alone."""

from __future__ import annotations

from collections.abc import Iterator

from e2e.conversions import Job, convert
from e2e.records import Case
from e2e.setting import Setting
from e2e.workflows.pairs import or_why_not

_FULL = (
    ("vocadito_1_acap", 0.0, 20.0),
    ("gtsinger_en_alto2_acap", 0.0, 20.0),
    ("gtsinger_en_tenor1_acap", 0.0, 20.0),
    ("libri_testother_2414", 0.0, 15.0),
    ("ravdess_actor22", 0.0, 15.0),
)


def run(setting: Setting) -> Iterator[Case]:
    """Convert the demo song's vocal to itself; in full, singers and speakers too."""
    materials = setting.materials
    whole = materials.demo_vocals()
    song = materials.cut(whole, 2, 8)
    name = "demo vocals 2-8 s -> themselves"
    job = Job(name, song, whole, whole, "copy", semitones="0", scored_by="eval")
    yield convert(setting, job)
    for source, begin_s, end_s in _FULL if setting.full else ():

        def one(source: str = source, span: tuple[float, float] = (begin_s, end_s)) -> Case:
            recording = materials.recording(source)
            cut = materials.cut(recording, *span)
            name = f"{source} {span[0]:g}-{span[1]:g} s -> itself"
            return convert(setting, Job(name, cut, recording, recording, "copy", semitones="0"))

        yield or_why_not(f"{source} -> itself", one)
