"""The recordings that workflows run on: the demo song, and the evaluation audio where it is."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from autovoice import io, weights
from autovoice.eval.figure import NotApplicable
from autovoice.eval.part import cut
from autovoice.types import Audio

EVAL_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "eval"


@dataclass(frozen=True)
class Materials:
    """Recordings and cuts of them.

    Args:
        work: where cuts are written.
        eval_folder: of the evaluation audio; need not exist.
    """

    work: Path
    eval_folder: Path = EVAL_FOLDER

    def demo(self) -> Path:
        """Return the demo song: 10.9 s, stereo, a voice over a band."""
        return weights.file("demo-song", "audio_example.mp3")

    def demo_vocals(self) -> Path:
        """Return the voice of the demo song alone, taken out by the separator."""
        path = self.work / "demo_vocals.flac"
        if not path.is_file():
            from autovoice.separate.spleeter import Spleeter

            vocals = Spleeter().separate(io.read(self.demo())).vocals
            io.write(vocals, path)
        return path

    def recording(self, name: str) -> Path:
        """Return a recording of the evaluation set.

        Raises:
            NotApplicable: it is not there.
        """
        path = self.eval_folder / f"{name}.flac"
        if not path.is_file():
            raise NotApplicable(
                f"no evaluation audio at {self.eval_folder}, pass --eval-folder ({name})"
            )
        return path

    def language(self, path: Path) -> str | None:
        """Return the language of a recording of the evaluation set; None where none is stated."""
        listing = self.eval_folder / "manifest.csv"
        if not listing.is_file():
            return None
        with listing.open(encoding="utf-8", newline="") as file:
            rows = {row["file"]: row["language"] for row in csv.DictReader(file)}
        # Cuts are called NAME@BEGIN-END.
        found = rows.get(f"{path.stem.partition('@')[0]}.flac", "")
        return found[:2] if found and found[:2].isalpha() and not found.endswith("?") else None

    def cut(
        self, path: Path, begin_s: float, end_s: float, *, suffix: str = ".flac", mono: bool = False
    ) -> Path:
        """Write the seconds from ``begin_s`` to ``end_s`` of a recording and return the file.

        Raises:
            NotApplicable: the recording is shorter.
        """
        channels = "-mono" if mono else ""
        target = self.work / f"{path.stem}@{begin_s:g}-{end_s:g}{channels}{suffix}"
        if target.is_file():
            return target
        audio = io.read(path)
        if audio.seconds < end_s:
            raise NotApplicable(f"{path.name} is {audio.seconds:.1f} s long, {end_s:g} s are asked")
        part = cut(audio, begin_s, end_s)
        if mono:
            part = Audio(part.mono()[None], part.sample_rate_hz)
        return io.write(part, target)
