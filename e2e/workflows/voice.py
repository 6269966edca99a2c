"""A voice is made of somebody's recordings, stored, and sings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from e2e import checks
from e2e.conversions import Job, convert
from e2e.records import Case
from e2e.setting import Setting
from e2e.workflows.pairs import or_why_not

CONSENT = "I agree to be converted."
# Nobody in the evaluation set speaks for 60 s, so the longer voices take in what the same singer
# sings: recording and seconds of it.
_SINGER = "gtsinger_en_alto2_speech"
_PARTS: dict[int, tuple[tuple[str, float], ...]] = {
    10: ((_SINGER, 10.0),),
    30: ((_SINGER, 26.0), ("gtsinger_en_alto2_acap", 4.0)),
    60: ((_SINGER, 26.0), ("gtsinger_en_alto2_acap", 34.0)),
}
_SONG = ("gtsinger_jp03_acap", 0.0, 6.0)
_FULL_SONG = ("gtsinger_jp03_acap", 0.0, 20.0)
_OTHERS = ("libri_testother_1688", "libri_testother_3005")


def from_10_s(setting: Setting) -> Iterator[Case]:
    """Make voices of 10 s; the one that needs no evaluation audio is the demo song's singer."""
    materials = setting.materials
    vocals = materials.demo_vocals()
    song = materials.cut(vocals, 2, 8)
    recording = materials.cut(vocals, 0, 10)
    yield _made(
        setting, 10, "demo-singer", [recording], Job("demo singer -> herself", song, "", vocals)
    )
    yield from _of_strangers(setting, 10)


def from_30_s(setting: Setting) -> Iterator[Case]:
    """Make voices of 30 s."""
    yield from _of_strangers(setting, 30)


def from_60_s(setting: Setting) -> Iterator[Case]:
    """Make a voice of 60 s, speech and singing."""
    yield from _of_strangers(setting, 60)


def _of_strangers(setting: Setting, seconds: int) -> Iterator[Case]:
    voices = {"alto": _PARTS[seconds]}
    if setting.full and seconds <= 30:
        voices |= {name.rpartition("_")[2]: ((name, float(seconds)),) for name in _OTHERS}
    source, begin_s, end_s = _FULL_SONG if setting.full else _SONG
    for voice, parts in voices.items():
        name = f"{source} {begin_s:g}-{end_s:g} s -> {voice}, {seconds} s"

        def one(
            name: str = name, voice: str = voice, parts: tuple[tuple[str, float], ...] = parts
        ) -> Case:
            find, cut = setting.materials.recording, setting.materials.cut
            recordings = [cut(find(each), 0, length_s) for each, length_s in parts]
            job = Job(name, cut(find(source), begin_s, end_s), "", find(parts[0][0]))
            return _made(setting, seconds, f"{voice}-{seconds}", recordings, job)

        yield or_why_not(name, one)


def _made(setting: Setting, seconds: int, voice: str, recordings: list[Path], job: Job) -> Case:
    """Make and store a voice, look at its record, and sing with it."""
    created = setting.autovoice(
        "voice", "create", voice, *recordings, "--consent", CONSENT, "--device", setting.device
    )
    record = setting.autovoice("voice", "show", voice, "--json").json()
    used_s = float(record["seconds_used"])
    off = checks.at_most(
        "voice: all seconds used", abs(used_s - seconds), 0.1, f"<= 0.1 s from {seconds} s"
    )
    kept = record["consent"]
    consent = checks.truth("voice: consent kept", kept == CONSENT, CONSENT, kept)
    case = convert(setting, Job(job.name, job.song, voice, job.reference, job.kind))
    return Case(
        case.name,
        (off, consent, *case.verdicts),
        case.figures,
        (created.words, *case.commands),
        {"voice create": created.seconds, **case.timings},
        case.notes,
    )
