"""Write what was trained, and the built-in voices, into the program's ``models/`` folder.

python -m autovoice.train.export --checkpoint OLDER --checkpoint NEWER --models models
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from autovoice import weights
from autovoice.analyse.loudness import level_gain
from autovoice.analyse.pitch import SwiftF0Tracker
from autovoice.analyse.speaker import SpeakerEncoder
from autovoice.errors import InputError
from autovoice.io import resample
from autovoice.nn.decoder import SAMPLE_RATE_HZ, KokoroDecoder
from autovoice.nn.kokoro_text import KokoroText
from autovoice.train import checkpoint
from autovoice.train.phonemes import resources

log = logging.getLogger(__name__)
FILE_BYTES = 45_000_000
VOICES = ("alpha", "gongitsune", "nezumi", "tebukuro", "kumo")
SENTENCES = (
    "ðə ɹˈɪvəɹ wʌz kˈOld ðæt mˈɔɹnɪŋ, ænd nˈObədi spˈOk.",
    "kˈæn ju hˈɪɹ hˌW ðə wˈɪnd kˈʌmz θɹu ðə tɹˈiz?",
    "wi wˈɔkt ˈɔl dˈA lˈɔŋ ænd sˈæŋ ən ˈOld sˈɔŋ təɡˈɛðəɹ.",
)


def export_model(checkpoints: Sequence[Path], models: Path) -> list[Path]:
    """Merge checkpoints into ``voice-model-*.safetensors``: int8 rows, without the judge.

    Args:
        checkpoints: folders that training wrote, oldest first; what a later one holds wins.
        models: where to write.

    Raises:
        InputError: a folder has no checkpoint; the models are left as they are.
    """
    tensors: dict[str, Tensor] = {}
    for folder in checkpoints:
        found = checkpoint.load(folder, "model")
        if not found:
            raise InputError(
                f"{folder}: found no model-*.safetensors; give the folder that training wrote"
            )
        tensors.update({k: v for k, v in found.items() if not k.startswith("judge.")})
    for old in models.glob("voice-model-*.safetensors"):
        old.unlink()
    # Rounding to int8 twice gives the same as once, so a merged part loses nothing more.
    packed = sorted(checkpoint.pack(tensors, True).items())
    written: list[Path] = []
    part: dict[str, Tensor] = {}
    size = 0
    for index, (name, value) in enumerate(packed):
        part[name] = value
        size += value.numel() * value.element_size()
        if size > FILE_BYTES - 5_000_000 or index == len(packed) - 1:
            written.append(models / f"voice-model-{len(written)}.safetensors")
            save_file(part, written[-1])
            part, size = {}, 0
    return written


def timbre(pack: np.ndarray) -> Tensor:
    """Return a pack's style for sentences of 40 to 160 phonemes, ``[256]``."""
    return torch.from_numpy(pack[40:160, 0].mean(0))


def export_voices(models: Path) -> Path:
    """Let each of Kokoro's voices speak, and write style, embedding and pitch of each."""
    with np.load(weights.file("kokoro-82m", "voices_ja.npz")) as packs:
        styles = {name.split("_")[1]: timbre(packs[name]) for name in packs}
    kokoro = weights.tensors("kokoro-82m")
    text, decoder = KokoroText(), KokoroDecoder()
    text.load_state_dict({k: v for k, v in kokoro.items() if not k.startswith("decoder.")})
    decoder.load_state_dict(
        {k.removeprefix("decoder."): v for k, v in kokoro.items() if k.startswith("decoder.")}
    )
    vocabulary = resources()["vocabulary"]
    tracker, speaker = SwiftF0Tracker(), SpeakerEncoder()
    tensors: dict[str, Tensor] = {}
    for name in VOICES:
        parts = []
        for sentence in SENTENCES:
            ids = [0, *(vocabulary[c] for c in sentence), 0]
            with torch.inference_mode():
                f = text(torch.tensor([ids]), torch.tensor([len(ids)]), styles[name][None])
                sound = decoder(f.asr, f.f0_hz, f.energy, styles[name][None, :128])
            parts.append(sound[0].numpy())
        audio = np.concatenate(parts)
        audio *= np.float32(level_gain(audio, SAMPLE_RATE_HZ))
        f0_hz = tracker.track(resample(audio[None], SAMPLE_RATE_HZ, 16_000)[0]).f0_hz
        tensors[f"{name}.style"] = styles[name][:128].contiguous()
        tensors[f"{name}.embedding"] = torch.from_numpy(speaker.embed(audio, SAMPLE_RATE_HZ))
        median = np.percentile(f0_hz[f0_hz > 0], [50, 5, 95]).astype(np.float32)
        tensors[f"{name}.f0_hz"] = torch.from_numpy(median)
    path = models / "builtin-voices.safetensors"
    metadata = {
        "base_model_id": "kokoro-82m",
        "base_model_sha256": "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
        "licence": "Apache-2.0",
    }
    save_file(tensors, path, metadata=metadata)
    return path


def main() -> None:
    """Run from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, action="append", required=True)
    parser.add_argument("--models", type=Path, required=True)
    arguments = parser.parse_args()
    written = export_model(arguments.checkpoint, arguments.models)
    written.append(export_voices(arguments.models))
    for path in written:
        log.info("%s: %d bytes", path, path.stat().st_size)


if __name__ == "__main__":
    main()
