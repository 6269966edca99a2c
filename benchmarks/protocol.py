"""Run the development protocol: every a cappella source in the voice of every target.

    python -m benchmarks.protocol --out DIR [--limit N] [--sources ...] [--targets ...]

Writes DIR/results.csv, results.json and report.md. A run that was cut off goes on where it
stopped; use another DIR (or ``--fresh``) after a change.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from autovoice import eval as judge
from autovoice import io
from autovoice.analyse.speaker import SpeakerEncoder
from autovoice.eval.cer import normalised
from autovoice.eval.similarity import embedding
from autovoice.types import Audio
from benchmarks.pairs import EVAL_FOLDER, SOURCES, TARGETS, Item, items
from benchmarks.summarise import Row, markdown, means, worst, write_csv

log = logging.getLogger("benchmarks.protocol")
_LEAST_LETTERS = 4


class Converter(Protocol):
    """What the protocol needs of ``autovoice.Engine``."""

    def voice(self, voice: Any) -> Any:
        """Make a voice of a recording."""

    def convert(self, song: Any, voice: Any, *, separate: bool, semitones: str) -> Any:
        """Convert; the result has ``audio`` and ``semitones``."""


class Listener(Protocol):
    """What the protocol needs of ``autovoice.eval.Transcriber``."""

    def transcribe(self, audio: Audio, language: str | None = None) -> judge.Transcript:
        """Write down the words."""


class Run:
    """One run: converts, judges, and keeps each row as soon as it is known.

    Args:
        engine: converts.
        encoder: embeds voices.
        transcriber: writes words down; None leaves the character error rate out.
        out: folder of the rows.
        most_s: convert only the first seconds of each source; None for all of it.
        keep_audio: also write every output, ``out/audio/SOURCE__TARGET.flac``.
    """

    def __init__(
        self,
        engine: Converter,
        encoder: SpeakerEncoder,
        transcriber: Listener | None,
        out: Path,
        *,
        most_s: float | None = None,
        keep_audio: bool = False,
    ) -> None:
        self.engine, self.encoder, self.transcriber = engine, encoder, transcriber
        self.out, self.keep_audio, self.most_s = out, keep_audio, most_s
        self._words: dict[str, judge.Transcript] = {}
        self._voices: dict[str, Any] = {}
        self._rows_path = out / "rows.jsonl"

    def pairs(self, sources: Sequence[Item], targets: Sequence[Item]) -> list[Row]:
        """Convert and judge every pair that is not yet known, and return all rows."""
        self.out.mkdir(parents=True, exist_ok=True)
        known = {(row["source"], row["target"]): row for row in self._known()}
        rows: list[Row] = []
        for target in targets:
            voice: Any = None
            for source in sources:
                key = (source.name, target.name)
                if key not in known:
                    voice = voice or self.engine.voice(target.path)
                    known[key] = self._keep(self.pair(source, target, voice))
                rows.append(known[key])
        return rows

    def pair(self, source: Item, target: Item, voice: Any) -> Row:
        """Convert one source into one voice and judge the result."""
        song = io.read(source.path)
        if self.most_s is not None:
            song = judge.cut(song, 0.0, self.most_s)
        begin = time.perf_counter()
        conversion = self.engine.convert(song, voice, separate=False, semitones="auto")
        took_s = time.perf_counter() - begin
        output: Audio = conversion.audio
        if self.keep_audio:
            folder = self.out / "audio"
            folder.mkdir(exist_ok=True)
            io.write(output, folder / f"{source.name}__{target.name}.flac")
        span = judge.most_active_part(song)
        ours, theirs = judge.cut(output, *span), judge.cut(song, *span)
        pitch = judge.pitch_score(ours, theirs, conversion.semitones)
        voices = (self._voice(source, theirs), self._voice(target))
        alike = judge.similarity_score(ours, *voices, self.encoder)
        row: dict[str, Any] = {
            "source": source.name,
            "target": target.name,
            "semitones": conversion.semitones,
            "seconds": round(song.seconds, 3),
            "realtime_factor": took_s / song.seconds,
            "length_error_samples": judge.length_error_samples(output, song),
            **{f"similarity_{key}": value for key, value in asdict(alike).items()},
            "similarity_gain": _gain(alike),
            **(asdict(pitch) if pitch else {}),
            **self._heard(ours, theirs, source),
        }
        log.info("%s -> %s: %s", source.name, target.name, json.dumps(row))
        return row

    def _voice(self, item: Item, audio: Audio | None = None) -> Any:
        """Embed a source or a target once: of a target the whole, of a source what is judged."""
        if item.name not in self._voices:
            self._voices[item.name] = embedding(audio or io.read(item.path), self.encoder)
        return self._voices[item.name]

    def _heard(self, output: Audio, source: Audio, item: Item) -> dict[str, Any]:
        if self.transcriber is None:
            return {"cer": None}
        if item.name not in self._words:
            self._words[item.name] = self.transcriber.transcribe(source, item.language or None)
        wanted = self._words[item.name]
        heard = self.transcriber.transcribe(output, wanted.language)
        # A vocalise ("ooo") has no words to keep: what is "heard" in it is made up anew each time.
        wordless = len(set(normalised(wanted.text))) < _LEAST_LETTERS
        error = None if wordless else judge.character_error_rate(heard.text, wanted.text)
        return {"cer": error, "heard": heard.text, "heard_in_source": wanted.text}

    def _known(self) -> list[Row]:
        if not self._rows_path.is_file():
            return []
        lines = self._rows_path.read_text(encoding="utf-8").split("\n")
        # What follows the last line end was cut off while it was written.
        return [json.loads(line) for line in lines[:-1] if line]

    def _keep(self, row: Row) -> Row:
        known = self._known()
        text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in [*known, row])
        part = self._rows_path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(self._rows_path)
        return row


def report(rows: Sequence[Row], out: Path, about: dict[str, str]) -> None:
    """Write results.csv, results.json and report.md."""
    write_csv(rows, out / "results.csv")
    whole = {"about": about, "mean": means(rows), "worst": worst(rows), "pairs": list(rows)}
    text = json.dumps(whole, indent=1, ensure_ascii=False)
    (out / "results.json").write_text(text + "\n", encoding="utf-8")
    (out / "report.md").write_text(markdown(rows, about), encoding="utf-8")


def about_run(device: str, command: str) -> dict[str, str]:
    """Say where and with what a run was made."""
    import torch

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    machine = torch.cuda.get_device_name() if device.startswith("cuda") else platform.machine()
    return {
        "device": f"{device} ({machine})",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}",
        "commit": commit.stdout.strip() or "unknown",
        "command": f"`{command}`",
    }


def _gain(alike: judge.SimilarityScore) -> float | None:
    if alike.target is None or alike.floor is None:
        return None
    return alike.target - alike.floor


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--eval-folder", type=Path, default=EVAL_FOLDER)
    parser.add_argument("--sources", nargs="+", default=SOURCES)
    parser.add_argument("--targets", nargs="+", default=TARGETS)
    parser.add_argument("--limit", type=int, help="convert only the first N sources")
    parser.add_argument("--seconds", type=float, help="convert only the first seconds of each")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-words", action="store_true", help="leave the error rate out")
    parser.add_argument("--keep-audio", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run found")
    return parser.parse_args(words)


def _engine(device: str) -> Any:
    from autovoice import Engine

    return Engine(device)


def main(words: Sequence[str] | None = None, engine: Callable[[str], Any] = _engine) -> None:
    """Run from the command line; ``engine`` makes the converter of a device name."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = _arguments(words)
    if chosen.fresh:
        (chosen.out / "rows.jsonl").unlink(missing_ok=True)
    converter = engine(chosen.device)
    transcriber = None if chosen.no_words else judge.Transcriber()
    run = Run(
        converter,
        SpeakerEncoder(),
        transcriber,
        chosen.out,
        most_s=chosen.seconds,
        keep_audio=chosen.keep_audio,
    )
    sources = items(chosen.eval_folder, chosen.sources)[: chosen.limit]
    rows = run.pairs(sources, items(chosen.eval_folder, chosen.targets))
    arguments = " ".join(sys.argv[1:] if words is None else words)
    device = str(getattr(converter, "device", chosen.device))
    report(rows, chosen.out, about_run(device, f"python -m benchmarks.protocol {arguments}"))
    print((chosen.out / "report.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
