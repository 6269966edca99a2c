"""Many songs in one call: every cover comes back, each as it would alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autovoice import io
from e2e import checks
from e2e.commands import Done
from e2e.conversions import Job, scored
from e2e.records import Case, Verdict
from e2e.setting import Setting
from e2e.voices import embedding

VOICE = "nezumi"


def run(setting: Setting) -> Iterator[Case]:
    """Convert cuts of the demo song, stereo and mono, FLAC and WAV, and score each."""
    materials, folder = setting.materials, setting.folder / "batch"
    songs = [
        materials.cut(materials.demo(), 2, 6),
        materials.cut(materials.demo(), 6, 10, suffix=".wav", mono=True),
    ]
    if setting.full:
        songs += [materials.cut(materials.demo(), 1, 9, suffix=".wav"), materials.demo()]
    done = setting.autovoice(
        "convert", *songs, "--voice", VOICE, "-o", folder / "covers", "--stems", folder / "stems",
        "--device", setting.device, "--json",
    )  # fmt: skip
    found = done.json()
    yield Case("all songs", tuple(_complete(found, songs)), {}, (done.words,))
    results = dict(zip(songs, found["results"], strict=False))
    for song, result in results.items():
        yield _one(setting, song, result, done, len(songs))


def _complete(found: dict[str, Any], songs: list[Path]) -> Iterator[Verdict]:
    came = [Path(result["output"]).name for result in found["results"]]
    wanted = [song.name for song in songs]
    count = len(songs)
    yield checks.truth("every song came back", came == wanted, f"{count} songs", f"found {came}")
    yield checks.truth("none failed", found["failed"] == [], "no failure", str(found["failed"]))
    loads = [result["timings"].get("load", 0.0) for result in found["results"][1:]]
    most = "<= 0.5 s: networks stay loaded from song to song"
    yield checks.at_most("loading after the first song", max(loads, default=0.0), 0.5, most)


def _one(setting: Setting, song: Path, result: dict[str, Any], done: Done, count: int) -> Case:
    path = Path(result["output"])
    cover = checks.read(path)
    # A lossy format may peak higher than what it was given, so only that it is there is checked.
    lossy = path.suffix == ".mp3"
    verdicts = [checks.exists(cover)] if lossy else checks.file_checks(cover, io.read(song))
    stems = setting.folder / "batch" / "stems" / song.stem
    job = Job(f"{song.name} -> {VOICE}", song, VOICE, embedding(VOICE), mixed=True)
    ours = (stems / "converted.wav", stems / "vocals.wav")
    return scored(setting, job, ours, result, verdicts=verdicts, done=done, share=1 / count)


def run_broken(setting: Setting) -> Iterator[Case]:
    """A song that cannot be read does not stop the others, and the exit code tells of it."""
    materials, folder = setting.materials, setting.folder / "broken"
    folder.mkdir(parents=True, exist_ok=True)
    good = materials.cut(materials.demo(), 6, 8)
    bad = folder / "broken.mp3"
    bad.write_text("This is no sound.", encoding="utf-8")
    done = setting.autovoice(
        "convert", bad, good, "--voice", VOICE, "-o", folder / "covers",
        "--device", setting.device, "--json", expect=None,
    )  # fmt: skip
    if done.code not in {0, 2}:
        raise RuntimeError(f"{done.words}: exit code {done.code}\n{done.stderr[-1500:]}")
    found, source = done.json(), io.read(good)
    failed = [each["song"] for each in found["failed"]]
    cover = checks.read(folder / "covers" / good.name)
    verdicts = [
        checks.truth("exit code", done.code == 2, "2 (bad input)", str(done.code)),
        checks.truth("the broken song is named", failed == [str(bad)], str(bad), str(failed)),
        checks.truth("the good song came back", len(found["results"]) == 1, "1 song", "another"),
        checks.truth("nothing is half-written", _only(folder / "covers", good), good.name, "more"),
        *checks.file_checks(cover, source),
    ]
    yield Case("a text called mp3, and a song", tuple(verdicts), {}, (done.words,))


def _only(folder: Path, song: Path) -> bool:
    return [path.name for path in folder.iterdir()] == [song.name]
