"""Bring weights and corpus together on the device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

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


def build(
    data: Path, device: str, frames: int, limit: int | None, resume: Path | None
) -> tuple[Networks, Corpus, SyntheticPairs, PitchLoss]:
    """Build networks, corpus and teacher from the files in ``data``.

    ``data`` holds ``kokoro-82m.safetensors``, ``whisper-base.safetensors``,
    ``resemblyzer.safetensors``, ``swift-f0.safetensors``,
    ``voices_ja.npz``, ``phonemes.npz`` and what ``prepare`` wrote.
    """
    kokoro = load_file(data / "kokoro-82m.safetensors")
    voices = np.load(data / "voices_ja.npz")
    packs = torch.from_numpy(np.stack([voices[name][:, 0] for name in sorted(voices)]))
    whisper = load_file(data / "whisper-base.safetensors")
    speaker = load_file(data / "resemblyzer.safetensors")
    decoder = part(kokoro, "decoder")
    nets = Networks(Pretrained(decoder, whisper, speaker, packs))
    if resume is not None:
        judge = {f"judge.{k}": v for k, v in checkpoint.load(resume, "judge").items()}
        trained = {**checkpoint.load(resume, "model"), **judge}
        nets.load_state_dict({**nets.state_dict(), **trained})
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
    pitch = PitchLoss(load_file(data / "swift-f0.safetensors")).to(device)
    return nets.to(device), Corpus(data, device, limit), teacher, pitch
