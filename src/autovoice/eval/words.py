"""How well the words were kept: Whisper-base listens to source and output."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from autovoice import io, weights
from autovoice.errors import AutoVoiceError
from autovoice.eval.cer import character_error_rate
from autovoice.nn.whisper_mel import SAMPLE_RATE_HZ, WhisperMel
from autovoice.types import Audio, FloatArray

MODEL_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.json")
WINDOW_S = 30
BEAM = 5
_MOST_TOKENS = 224


@dataclass(frozen=True)
class Transcript:
    """What was heard, and in which language (``en``, ``zh``, ...)."""

    text: str
    language: str


class Transcriber:
    """Write down the words of a recording with Whisper-base.

    Runs through CTranslate2 (the ``eval`` extra): beam of 5, greedy temperature, no timestamps,
    windows of 30 s cut without overlap, each on its own.

    Args:
        device: ``cpu`` or ``cuda``. Default ``cpu``.
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

    def transcribe(self, audio: Audio, language: str | None = None) -> Transcript:
        """Write down what is sung or said.

        Args:
            audio: any rate and length.
            language: two or three letters as Whisper knows them; by default that of the first
                30 s is detected.
        """
        mono = io.resample(audio.mono()[None], audio.sample_rate_hz, SAMPLE_RATE_HZ)[0]
        texts: list[str] = []
        for window in _windows(mono):
            mel = self._view(self._mel(torch.from_numpy(window)[None]).numpy())
            if language is None:
                language = self._model.detect_language(mel)[0][0][0].strip("<|>")
            texts.append(self._read(mel, language))
        return Transcript(" ".join(text for text in texts if text), language or "")

    def _read(self, mel: Any, language: str) -> str:
        prompt = ["<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>"]
        results = self._model.generate(mel, [prompt], beam_size=BEAM, max_length=_MOST_TOKENS)
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
