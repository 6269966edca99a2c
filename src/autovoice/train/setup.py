"""Bring weights and corpus together on the device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from autovoice.errors import InputError
from autovoice.nn.decoder import KokoroDecoder
from autovoice.nn.kokoro_text import KokoroText
from autovoice.train import checkpoint
from autovoice.train.corpus import Corpus
from autovoice.train.networks import Networks, Pretrained
from autovoice.train.phonemes import load_bank
from autovoice.train.pitch_loss import PitchLoss
from autovoice.train.synthetic import SyntheticOptions, SyntheticPairs


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors under ``prefix.`` and strip it."""
    cut = len(prefix) + 1
    return {key[cut:]: value for key, value in tensors.items() if key.startswith(prefix + ".")}


def check(data: Path) -> None:
    """Refuse a folder without a packed corpus.

    Raises:
        InputError: a file is missing; the message says what makes it.
    """
    makers = {"corpus.npz": "prepare", "corpus.zip": "prepare", "phonemes.npz": "phonemes"}
    missing = [name for name in makers if not (data / name).is_file()]
    if missing:
        modules = sorted({f"python -m autovoice.train.{makers[name]}" for name in missing})
        raise InputError(
            f"{data}: found no {', '.join(missing)}; make them with {' and '.join(modules)}"
        )


def _tensors(data: Path, name: str) -> dict[str, Tensor]:
    """Read a model's weights from the folder, or else from the cache."""
    path = data / f"{name}.safetensors"
    if path.is_file():
        return load_file(path)
    from autovoice import weights  # only here: a machine with copies need not have a registry

    return weights.tensors(name)


def _voices(data: Path) -> Path:
    path = data / "voices_ja.npz"
    if path.is_file():
        return path
    from autovoice import weights

    return weights.file("kokoro-82m", "voices_ja.npz")


def restore(nets: Networks, folder: Path) -> None:
    """Put what a checkpoint holds into the networks; the rest stays."""
    judge = {f"judge.{k}": v for k, v in checkpoint.load(folder, "judge").items()}
    trained = {**checkpoint.load(folder, "model"), **judge}
    nets.load_state_dict({**nets.state_dict(), **trained})


def build(
    data: Path,
    device: str,
    frames: int,
    limit: int | None,
    resume: Path | None,
    *,
    noisy_weight: float = 1.0,
) -> tuple[Networks, Corpus, SyntheticPairs, PitchLoss]:
    """Build networks, corpus and teacher from the files in ``data``.

    ``data`` holds ``phonemes.npz`` and what ``prepare`` wrote. It may hold copies of the weights
    too (``kokoro-82m.safetensors``, ``whisper-base.safetensors``, ``resemblyzer.safetensors``,
    ``swift-f0.safetensors``, ``voices_ja.npz``), for a machine without a cache of them.

    Raises:
        InputError: a file is missing.
        WeightsError: a weight lies neither there nor in the cache, and cannot be fetched.
    """
    check(data)
    kokoro = _tensors(data, "kokoro-82m")
    voices = np.load(_voices(data))
    packs = torch.from_numpy(np.stack([voices[name][:, 0] for name in sorted(voices)]))
    whisper = _tensors(data, "whisper-base")
    speaker = _tensors(data, "resemblyzer")
    decoder = part(kokoro, "decoder")
    nets = Networks(Pretrained(decoder, whisper, speaker, packs))
    if resume is not None:
        restore(nets, resume)
    text = KokoroText()
    text.load_state_dict({k: v for k, v in kokoro.items() if not k.startswith("decoder.")})
    teacher_decoder = KokoroDecoder()
    teacher_decoder.load_state_dict(decoder)
    teacher_decoder.requires_grad_(False).eval().to(device)
    options = SyntheticOptions(crop_frames=frames, source_noise=True)
    teacher = SyntheticPairs(
        text.to(device).requires_grad_(False), teacher_decoder, packs,
        load_bank(data / "phonemes.npz"), options,
    )  # fmt: skip
    pitch = PitchLoss(_tensors(data, "swift-f0")).to(device)
    return nets.to(device), Corpus(data, device, limit, noisy_weight=noisy_weight), teacher, pitch
