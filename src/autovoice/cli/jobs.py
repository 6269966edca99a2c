"""What a call of ``autovoice convert`` has to do: which song becomes which file."""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autovoice.cli.folders import make_folder
from autovoice.errors import AutoVoiceError, InputError

if TYPE_CHECKING:
    from autovoice.cli.cards import Judge
    from autovoice.engine import Conversion

log = logging.getLogger(__name__)
DEMO = "demo"
_INTERRUPTED = 130
_OUT_OF_RESOURCES = 4
_KEPT_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus")


@dataclass(frozen=True)
class Report:
    """What came of one song: a result, an error, or both where only card or report failed.

    ``remarks`` is what people should know beside the result; programs find it in the result.
    """

    song: str
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    exit_code: int = 0
    remarks: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield what to tell people."""
        if not self.result:
            return
        result, total = self.result, self.result["timings"]["total"]
        speed = total / max(result["seconds"], 1e-9)
        yield (
            f"{result['output']}: {result['seconds']:.1f} s sung by {result['voice']}, "
            f"{result['semitones']:+d} semitones, in {total:.1f} s on {result['device']} "
            f"({speed:.2f} x real time)"
        )
        score = result["score"]
        parts = [
            _part(score, "pitch_error_cents", "pitch error {:.1f} cents"),
            _part(score, "similarity_target", "similarity to the voice {:.2f}"),
            _part(score, "similarity_floor", "before {:.2f}"),
        ]
        if any(parts):
            yield "  " + ", ".join(filter(None, parts))
        if "card" in result:
            yield f"  card: {result['card']['page']} ({result['card']['gates']})"
        yield from (f"  note: {note}" for note in result["notes"])


@dataclass(frozen=True)
class Job:
    """One song and what to write.

    Args:
        song: a path, or the word ``demo``.
        output: file for the cover.
        stems: folder for the stems, if any.
        report: file for the result as JSON, if any.
    """

    song: str
    output: Path
    stems: Path | None = None
    report: Path | None = None

    @property
    def label(self) -> str:
        """What messages call the song."""
        return self.song

    def source(self) -> Path:
        """Return the file to read."""
        if self.song != DEMO:
            return Path(self.song)
        from autovoice import weights

        return weights.file("demo-song", "audio_example.mp3")

    def check(self) -> None:
        """Fail now rather than after minutes of work.

        Raises:
            InputError: the song cannot be read, or the output cannot hold it.
            ResourceError: the output folder cannot be written.
        """
        from autovoice import io

        source = self.source()
        info = io.probe(source)
        io.Writer(self.output, info.sample_rate_hz, info.channels)
        if self.output.exists() and self.output.samefile(source):
            raise InputError(f"{self.output}: the output would replace the song; name another file")
        for folder in (self.output.parent, self.stems, self.report and self.report.parent):
            if folder is not None:
                make_folder(folder)

    def write(self, conversion: Conversion) -> Report:
        """Write cover, stems and report, and return what to tell."""
        from autovoice.eval.range_words import sentences

        conversion.save(self.output)
        result = as_dict(conversion, self.output)
        if self.stems is not None:
            paths = conversion.save_stems(self.stems)
            result["stems"] = {name: str(path) for name, path in paths.items()}
        report = Report(self.label, result=result, remarks=tuple(sentences(conversion.range)))
        try:
            self._write_report(result)
        except OSError as error:
            return self._without(report, "a report", error)
        return report

    def judged(self, report: Report, conversion: Conversion, judge: Judge) -> Report:
        """Write the card of a conversion that is written already, and add it to its report.

        Whatever keeps the card from being made, the conversion stays: the error is said, and
        becomes part of the report.
        """
        if self.report is None:
            return report
        try:
            folder, name = self.report.parent, self.report.stem
            card = judge.write(conversion, folder, name, Path(self.song).name)
        except Exception as error:
            return self._without(report, "a card", error)
        report = replace(report, result={**report.result, "card": card})
        try:
            self._write_report(report.result)
        except OSError as error:
            return self._without(report, "its card in the report", error)
        return report

    def _without(self, report: Report, what: str, error: Exception) -> Report:
        """Say what a conversion lacks, and return its report with the error.

        Raises:
            Cancelled: that was the error; whoever asked to stop wants no more songs.
        """
        said, code = str(error), 1
        if isinstance(error, AutoVoiceError):
            code = error.exit_code
            if code == _INTERRUPTED:
                raise error
        else:
            said = f"{type(error).__name__}: {error}"
            log.debug("%s", "".join(traceback.format_exception(error)))
        if isinstance(error, MemoryError):
            code = _OUT_OF_RESOURCES
        said = f"converted, but without {what}: {said}"
        click.echo(f"error: {self.label}: {said}", err=True)
        return replace(report, error=said, exit_code=code)

    def _write_report(self, result: Mapping[str, Any]) -> None:
        if self.report is None:
            return
        text = json.dumps(result, allow_nan=False, ensure_ascii=False, indent=2)
        temporary = self.report.with_name(f".{self.report.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(self.report)
        finally:
            temporary.unlink(missing_ok=True)


def as_dict(conversion: Conversion, output: Path) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    return {"output": str(output), **conversion.to_json()}


def plan_jobs(
    songs: Sequence[str], output: str, *, stems: Path | None = None, report: Path | None = None
) -> list[Job]:
    """Return a job for each song.

    One song goes to ``output``, or into it when it is a folder or ends with a slash. Many songs go
    into the folder ``output``, each under its own name and, where that can be written, its own
    format; so do their stems and reports.

    Raises:
        InputError: many songs, but the output is a file.
    """
    alone, folder = len(songs) == 1, Path(output)
    into_folder = not alone or folder.is_dir() or output.endswith(("/", os.sep))
    if not alone and (folder.is_file() or folder.suffix.lower() in _KEPT_SUFFIXES):
        raise InputError(f"{output}: {len(songs)} songs need a folder; name one with -o")
    jobs: list[Job] = []
    for song, name in zip(songs, _names(songs), strict=True):
        suffix = Path(song).suffix.lower()
        file = name + (suffix if suffix in _KEPT_SUFFIXES else ".wav")
        target = folder / file if into_folder else folder
        own_stems = stems if alone or stems is None else stems / name
        jobs.append(Job(song, target, own_stems, report and report / f"{name}.json"))
    return jobs


def _names(songs: Sequence[str]) -> list[str]:
    """Return a name for each song; songs of the same name get a number."""
    names: list[str] = []
    for song in songs:
        stem = Path(song).stem or "song"
        name, count = stem, 1
        while name.casefold() in {known.casefold() for known in names}:
            count += 1
            name = f"{stem}-{count}"
        names.append(name)
    return names


def _part(score: Mapping[str, Any], key: str, style: str) -> str:
    value = score.get(key)
    return "" if value is None else style.format(value)
