"""How well the words were kept: Whisper-base listens to source and output."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from autovoice import io, weights
from autovoice.errors import AutoVoiceError, InputError
from autovoice.eval.cer import character_error_rate, normalised
from autovoice.eval.figure import NotApplicable
from autovoice.nn.whisper_mel import SAMPLE_RATE_HZ, WhisperMel
from autovoice.types import Audio, FloatArray

MODEL_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.json")
WINDOW_S = 30
BEAM = 5
GREEDY = 1
# What transcripts depend on besides the sound and the language; part of cache keys.
VERSION = "whisper-base-1"
_MOST_TOKENS = 224
# A vocalise ("ooo") has no words to keep: what is "heard" in it is made up anew each time.
_LEAST_LETTERS = 4
# Endless loops fill what a window may hold; a refrain is sung two or three times.
_LOOP = re.compile(r"(.{1,80}?)\1{4,}")
_LEAST_LOOP = 40


@dataclass(frozen=True)
class Transcript:
    """What was heard, and in which language (``en``, ``zh``, ...)."""

    text: str
    language: str


class Transcriber:
    """Write down the words of a recording with Whisper-base.

    Runs through CTranslate2 (the ``eval`` extra): temperature 0, no timestamps, windows of 30 s
    cut without overlap, each on its own.

    Args:
        device: ``cpu`` or ``cuda``. Default ``cpu``, where figures are the same on every machine.
        threads: processor threads; 0 lets CTranslate2 choose. Default 0.

    Raises:
        AutoVoiceError: the extra is not installed.
        WeightsError: the weights cannot be had.

    Source: Radford et al., "Robust speech recognition via large-scale weak supervision", 2022.
    """

    def __init__(self, *, device: str = "cpu", threads: int = 0) -> None:
        engine, tokenizers = _needed("ctranslate2"), _needed("tokenizers")
        paths = [weights.file("whisper-base", name) for name in MODEL_FILES]
        with tempfile.TemporaryDirectory() as folder:
            # CTranslate2 wants its files side by side under their own names.
            for path in paths:
                Path(folder, path.name).symlink_to(path)
            self._model: Any = engine.models.Whisper(
                folder,
                device=device,
                compute_type="float32" if device == "cpu" else "default",
                intra_threads=threads,
            )
        self._view: Any = engine.StorageView.from_array
        self._tokens: Any = tokenizers.Tokenizer.from_file(str(paths[2]))
        self._mel = WhisperMel()

    def transcribe(
        self, audio: Audio, language: str | None = None, *, beam: int = BEAM
    ) -> Transcript:
        """Write down what is sung or said.

        Args:
            audio: any rate and length.
            language: two or three letters as Whisper knows them; by default that of the first
                30 s is detected. InputError where it knows none of that name.
            beam: readings followed side by side; 1 takes the likeliest next word each time
                (greedy). Default 5.
        """
        return self.transcribe_each(audio, language, beams=(beam,))[0]

    def transcribe_each(
        self, audio: Audio, language: str | None = None, *, beams: Sequence[int] = (BEAM, GREEDY)
    ) -> tuple[Transcript, ...]:
        """Write down the same once per beam; each window is listened to once.

        Args:
            audio, language: as for ``transcribe``.
            beams: the beam of each transcript. Default 5 and 1.

        Raises:
            InputError: Whisper knows no such language.
        """
        if language is not None and not self._knows(language):
            raise InputError(
                f"language: found {language!r}, expected a code that Whisper knows, such as en"
            )
        mono = io.resample(audio.mono()[None], audio.sample_rate_hz, SAMPLE_RATE_HZ)[0]
        texts: list[list[str]] = [[] for _ in beams]
        for window in _windows(mono):
            mel = self._view(self._mel(torch.from_numpy(window)[None]).numpy())
            heard = self._model.encode(mel)
            if language is None:
                language = self._model.detect_language(heard)[0][0][0].strip("<|>")
            for beam, parts in zip(beams, texts, strict=True):
                parts.append(self._read(heard, language, beam))
        return tuple(Transcript(" ".join(filter(None, parts)), language or "") for parts in texts)

    def _knows(self, language: str) -> bool:
        # The longer words between such signs are orders, such as <|translate|>.
        return len(language) <= 3 and self._tokens.token_to_id(f"<|{language}|>") is not None

    def _read(self, heard: Any, language: str, beam: int) -> str:
        prompt = ["<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>"]
        results = self._model.generate(heard, [prompt], beam_size=beam, max_length=_MOST_TOKENS)
        text: str = self._tokens.decode(results[0].sequences_ids[0])
        return text.strip()


def words_score(
    transcriber: Transcriber, output: Audio, source: Audio, language: str | None = None
) -> float | None:
    """Return the character error rate of the output's transcript against the source's own.

    Args:
        transcriber: who listens.
        output, source: converted vocal and source vocal.
        language: of the source; by default detected there.

    Returns:
        0 where the same words were heard; None where none were heard in the source.
    """
    wanted = transcriber.transcribe(source, language)
    heard = transcriber.transcribe(output, wanted.language or language)
    return character_error_rate(heard.text, wanted.text)


def error_rate(heard: str, wanted: str) -> float:
    """Return the character error rate of a transcript against that of the source.

    Args:
        heard, wanted: what was heard in the output and in the source.

    Raises:
        NotApplicable: fewer than four different letters were heard in the source.
    """
    if len(set(normalised(wanted))) < _LEAST_LETTERS:
        raise NotApplicable(
            f"no words heard in the source; {_LEAST_LETTERS} different letters are needed"
        )
    error = character_error_rate(heard, wanted)
    return 0.0 if error is None else error


def repeats_itself(text: str) -> bool:
    """Tell whether a transcript holds the same five times and more on end, 40 letters or longer.

    That is how Whisper's endless loops look. They are scored as they are.

    >>> repeats_itself("I was in the " * 12)
    True
    >>> repeats_itself("la la la la la, and on we go")
    False
    """
    return any(len(loop[0]) >= _LEAST_LOOP for loop in _LOOP.finditer(normalised(text)))


def _windows(mono: FloatArray) -> Iterator[FloatArray]:
    """Yield stretches of exactly 30 s, the last filled up with silence."""
    length = WINDOW_S * SAMPLE_RATE_HZ
    for start in range(0, len(mono), length):
        piece = mono[start : start + length]
        yield np.pad(piece, (0, length - len(piece)))


def _needed(module: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise AutoVoiceError(
            f"found no {module}, which scores words; run `pip install 'autovoice[eval]'`"
        ) from error
