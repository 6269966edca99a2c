"""What the voice model is trained against: is it real sound, and is it that person?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor

from autovoice.train import checkpoint
from autovoice.train.clean_sound import CleanSound
from autovoice.train.discriminators import Discriminators, VoiceCritic
from autovoice.train.losses import (
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    limit_band,
    match_loss,
)
from autovoice.train.state import Tensors, of_optimiser, to_optimiser, under
from autovoice.train.steps import Losses, Made

_FOLDER = "critics"


class Adversary:
    """The discriminators with their optimiser.

    Args:
        device: where they run.
        mel: turns sound into what the voice critic reads.
        precision: makes the context that networks run in.
        resume: a checkpoint's folder; critics that lie in it go on from there.
        segment_samples: how much of each item the critics of sound hear, at a random place. A
            second tells them as much as two and a half at half the price. Default 0: all of it.
    """

    def __init__(
        self,
        device: str,
        mel: Callable[[Tensor], Tensor],
        precision: Callable[[], AbstractContextManager[object]],
        resume: Path | None = None,
        *,
        segment_samples: int = 0,
    ) -> None:
        self.mel, self.precision, self.segment_samples = mel, precision, segment_samples
        self.sound, self.voice = Discriminators(), VoiceCritic()
        found = checkpoint.load(resume / _FOLDER, _FOLDER) if resume else {}
        self.fresh = not found
        for name, network in self._named().items():
            prefix = f"{name}."
            kept = {k.removeprefix(prefix): v for k, v in found.items() if k.startswith(prefix)}
            if kept:
                network.load_state_dict(kept)
            network.to(device)
        self.sound.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.parameters = [p for n in self._named().values() for p in n.parameters()]
        cuda = device.startswith("cuda")
        self.optimiser = torch.optim.AdamW(
            self.parameters, lr=3e-4, betas=(0.8, 0.99), fused=cuda, capturable=cuda
        )

    def _named(self) -> dict[str, torch.nn.Module]:
        return {"sound": self.sound, "voice": self.voice}

    def judge(
        self, made: Made, *, matched: bool, teach: bool, clean: CleanSound | None = None
    ) -> Losses:
        """Return what the critics hold against a step's sound; let them learn from it first.

        Args:
            made: what was decoded and what is real.
            matched: the real sound is what the made one should have been, sample by sample.
            teach: let the critics learn.
            clean: real sound of the same shape that the critics of sound go by instead, up to its
                band: what is made has to sound so there too, whatever its own recording holds.
                ``features`` are still those of the real sound.
        """
        losses: Losses = {}
        false, true = self._heard(made, clean)
        if teach:
            losses["critic"] = self._teach(made, true, false.detach())
        with self.precision():
            verdict = self.sound(false)
            losses["adversarial"] = adversarial_loss(verdict)
            if made.wanted is not None:
                losses["match"] = match_loss(self.voice(self.mel(made.made), made.wanted), 1.0)
            if matched:
                if clean is not None:
                    false, true = self._heard(made, None)
                    verdict = self.sound(false)
                with torch.no_grad():
                    reference = self.sound(true)
                losses["features"] = feature_loss(reference, verdict)
        return losses

    def learn(self, made: Made, clean: CleanSound | None = None) -> Losses:
        """Let the critics learn, as :meth:`judge` does, and ask them for no verdict."""
        false, true = self._heard(made, clean)
        return {"critic": self._teach(made, true, false.detach())}

    def _heard(self, made: Made, clean: CleanSound | None) -> tuple[Tensor, Tensor]:
        """Return what was made and what is real, as far as both have sound."""
        real, band_hz = (made.real, made.band_hz) if clean is None else (clean.audio, clean.band_hz)
        return self._segments(limit_band(made.made, band_hz), limit_band(real, band_hz))

    def _segments(self, false: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
        """Cut both at the same random place of each item."""
        room = false.shape[1] - self.segment_samples
        if not self.segment_samples or room <= 0:
            return false, true
        start = torch.randint(room + 1, (len(false), 1), device=false.device)
        place = start + torch.arange(self.segment_samples, device=false.device)
        return false.gather(1, place), true.gather(1, place)

    def _teach(self, made: Made, true: Tensor, false: Tensor) -> Tensor:
        for network in self._named().values():
            network.requires_grad_(True)
        with self.precision():
            loss = discriminator_loss(self.sound(true), self.sound(false))
            if made.wanted is not None:
                loss = loss + self._voice_loss(made.made.detach(), made.real, made.wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        # In place: a CUDA graph writes to the gradients that it was captured with.
        self.optimiser.zero_grad(set_to_none=False)
        for network in self._named().values():
            network.requires_grad_(False)
        return loss.detach()

    def _voice_loss(self, made: Tensor, real: Tensor, wanted: Tensor) -> Tensor:
        """Real sound of that person is right; anybody else's, and all that was made, is wrong."""
        with torch.no_grad():
            heard, mel = self.mel(real), self.mel(made)
        right = match_loss(self.voice(heard, wanted), 1.0)
        stranger = match_loss(self.voice(heard.roll(1, 0), wanted), 0.0)
        return right + 0.5 * stranger + match_loss(self.voice(mel, wanted), 0.0)

    def state(self) -> Tensors:
        """Name everything that the critics need to go on exactly."""
        weights = {f"critic.{i}": p for i, p in enumerate(self.parameters)}
        return {**weights, **of_optimiser(self.optimiser, "critics")}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state` named."""
        kept = under(tensors, "critic")
        if not kept:
            return
        with torch.no_grad():
            for index, parameter in enumerate(self.parameters):
                parameter.copy_(kept[str(index)])
                # What has moments moves on by them even where a step has no gradient for it.
                parameter.grad = torch.zeros_like(parameter)
        to_optimiser(self.optimiser, "critics", tensors)

    def save(self, out: Path, facts: dict[str, object]) -> None:
        """Write the critics to ``out/critics``."""
        tensors = {
            f"{name}.{key}": value
            for name, network in self._named().items()
            for key, value in network.state_dict().items()
        }
        checkpoint.save(out / _FOLDER, _FOLDER, checkpoint.pack(tensors, False), facts)
