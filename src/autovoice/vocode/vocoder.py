"""Run the decoder: words, pitch, energy and timbre to 24 kHz sound."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch.nn import functional

from autovoice import weights
from autovoice.errors import InputError
from autovoice.nn.decoder import ASR_DIM, FRAME_SAMPLES, SAMPLE_RATE_HZ, KokoroDecoder
from autovoice.nn.decoder_window import DecoderWindow, plain_window
from autovoice.nn.held_norm import HeldNorm
from autovoice.nn.low_rank import Adapted
from autovoice.nn.stage import NetworkStage
from autovoice.nn.transfer import Passed, Rows, uploaded
from autovoice.types import Audio, FloatArray, Speaker
from autovoice.vocode.accelerated import AcceleratedDecoder, can_accelerate
from autovoice.vocode.breath import breath
from autovoice.vocode.high_notes import Reach

log = logging.getLogger(__name__)

FRAMES_PER_S = SAMPLE_RATE_HZ // FRAME_SAMPLES
# Where lengths may differ in a pass, they are filled up to a multiple of this: shapes recur so.
RAGGED_FRAMES = FRAMES_PER_S


class Features(Protocol):
    """What the vocoder reads, see ``convert.DecoderFeatures``."""

    @property
    def asr(self) -> FloatArray:
        """``[512, T]``."""

    @property
    def f0_hz(self) -> FloatArray:
        """``[2 T]``."""

    @property
    def energy(self) -> FloatArray:
        """``[2 T]``."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """One sound to be made: what the decoder reads, and whose additions it wears."""

    asr: FloatArray
    reach: Reach
    energy: FloatArray
    style: FloatArray
    noise: FloatArray
    adapter: Mapping[str, Any]

    def finished(self, samples: FloatArray) -> Audio:
        """Return what was decoded, high notes where they belong."""
        return Audio(self.reach.raised(samples, SAMPLE_RATE_HZ)[None], SAMPLE_RATE_HZ)

    @property
    def frames(self) -> int:
        """Length in frames of 25 ms."""
        return int(self.asr.shape[-1])


class Vocoder(NetworkStage):
    """Synthesise speech and song.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        tensors: weights by name; by default Kokoro-82M's decoder with what the project's own
            training changed.
        lean: where the fused kernels run on their own copy of the weights, leave the network itself
            on the CPU until something needs it: 213 MB less. Default off.

    Raises:
        WeightsError: the weights cannot be had.

    Source: see ``nn.decoder``.
    """

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
        cpu_fallback: bool = True,
        tensors: Mapping[str, torch.Tensor] | None = None,
        lean: bool = False,
    ) -> None:
        super().__init__(device=device, mixed_precision=mixed_precision, cpu_fallback=cpu_fallback)
        self._lean = lean
        self.network = KokoroDecoder()
        self.network.load_state_dict(dict(tensors or _default_tensors()))
        self.add_network(self.network)
        self.adapted = Adapted(self.network, "decoder.")
        self._fast = self._accelerated()

    @property
    def ragged(self) -> bool:
        """Whether ``_decode`` takes items of several lengths in one pass, each as if alone."""
        return self._fast is not None

    @property
    def fills_up(self) -> bool:  # type: ignore[override]
        """Whether a pass takes any number of items: the fused decoder fills it up."""
        return self.ragged

    def to(self, device: str | torch.device) -> None:
        """Move the decoder to ``device``."""
        super().to(device)
        self._fast = self._accelerated()

    def _accelerated(self) -> AcceleratedDecoder | None:
        usable, reason = can_accelerate(self.device)
        log.info("decoder: %s", reason)
        if not usable:
            return None
        return AcceleratedDecoder(self.network, self.device)

    def _place(self, network: torch.nn.Module) -> None:
        if self._lean and can_accelerate(self.device)[0]:
            network.to("cpu")
            return
        super()._place(network)

    def _plain(self) -> KokoroDecoder:
        """Return the network on this stage's device, where it stays from then on."""
        if self._lean:
            self._lean = False
            self._place(self.network)
        return self.network

    def synthesise(
        self,
        features: Features,
        speaker: Speaker,
        manner: Features | None = None,
        *,
        seed: int | None = None,
    ) -> Audio:
        """Make sound.

        Args:
            features: of a piece of up to about a minute.
            speaker: whose ``style`` gives the timbre, and whose ``adapter`` the decoder wears.
            manner: the same words in the pace of speech, whose statistics the decoder then takes:
                for notes that are held longer than any vowel it learned from (see
                ``nn.held_norm``). Default: those of ``features``.
            seed: of the breath; the same seed gives the same one on every device, whatever else
                is made meanwhile. Default: PyTorch's own random state.

        Returns:
            Mono at 24 kHz, 600 samples per frame of ``features.asr``. Notes above the voice's
            reach are decoded lower and raised, see ``high_notes``.

        Raises:
            InputError: shapes that do not belong together.
            VoiceError: the adapter does not fit the decoder.
        """
        piece = _piece(features, speaker, seed)
        if manner is not None:
            like = _piece(manner, speaker, seed)
            return piece.finished(self.guarded(partial(self._run_like, piece, like)))
        samples = self.batched(
            self._run, piece, key=self._key(piece), seconds=piece.frames / FRAMES_PER_S
        )
        return piece.finished(samples)

    def synthesise_many(self, asked: Sequence[tuple[Features, Speaker, int | None]]) -> list[Audio]:
        """Make several sounds, those of one length and adapter in one pass.

        Args:
            asked: features, speaker and seed of each, as ``synthesise`` takes them.

        Returns:
            One for each, within 1e-5 (relative, float32) of what ``synthesise`` gives.

        Raises:
            InputError, VoiceError: see ``synthesise``.
        """
        pieces = [_piece(*each) for each in asked]
        groups: dict[Hashable, list[int]] = {}
        for index, piece in enumerate(pieces):
            groups.setdefault(self._key(piece), []).append(index)
        made: dict[int, FloatArray] = {}
        for indices in groups.values():
            group = [pieces[index] for index in indices]
            made.update(zip(indices, self.guarded(partial(self._run, group)), strict=True))
        return [piece.finished(made[index]) for index, piece in enumerate(pieces)]

    def _key(self, piece: _Piece) -> Hashable:
        """Return what pieces of one pass have in common."""
        adapter = id(piece.adapter) if piece.adapter else None
        longest = -(-piece.frames // RAGGED_FRAMES) if self.ragged else piece.frames
        return longest, adapter

    def _run(self, pieces: Sequence[_Piece]) -> list[FloatArray]:
        """Decode pieces of one key in one pass, each to its ``[600 T]``."""
        self.wear(pieces[0].adapter)
        counts = [piece.frames for piece in pieces]
        longest = max(counts)
        if self.ragged:
            longest = -(-longest // RAGGED_FRAMES) * RAGGED_FRAMES
        lengths = torch.tensor(counts, dtype=torch.int32) if self.ragged else None
        audio = self._decode(
            *self._inputs(pieces, longest),
            lengths=None if lengths is None else lengths.to(self.device),
        )
        (samples,) = Passed((audio.float(),)).views()
        pairs = zip(samples, counts, strict=True)
        return [row[: FRAME_SAMPLES * count].copy() for row, count in pairs]

    def _run_like(self, piece: _Piece, manner: _Piece) -> FloatArray:
        """Decode a piece with the statistics of another, ``[600 T]``."""
        self.wear(piece.adapter)
        network = self._plain()
        held = HeldNorm(network)
        with held.listening():
            network(*self._inputs([manner], manner.frames))
        with held.holding():
            audio = network(*self._inputs([piece], piece.frames))
        samples: FloatArray = audio[0].float().cpu().numpy()
        return samples

    def sound(
        self,
        asr: torch.Tensor,
        curves: tuple[torch.Tensor, torch.Tensor],
        style: torch.Tensor,
        noise: torch.Tensor,
        adapter: Mapping[str, Any],
    ) -> torch.Tensor:
        """Decode words that are on the device; called from inside of a turn.

        Args:
            asr: ``[B, 512, T]``.
            curves: F0 and energy, ``[B, 2 T]`` each.
            style: ``[B, 128]``.
            noise: ``[B, 600 T]``, see ``breath``.
            adapter: what training added to the voice.

        Shape: ``[B, 600 T]``.
        """
        self.wear(adapter)
        frames = asr.shape[2]
        missing = -frames % RAGGED_FRAMES if self.ragged else 0
        lengths = None
        if self.ragged:
            lengths = torch.full((len(asr),), frames, dtype=torch.int32, device=asr.device)
        tensors = [asr, *curves, style, noise]
        for index, per_frame in ((0, 1), (1, 2), (2, 2), (4, FRAME_SAMPLES)):
            tensors[index] = functional.pad(tensors[index], (0, per_frame * missing))
        return self._decode(*tensors, lengths=lengths).float()[:, : FRAME_SAMPLES * frames]

    def window(self, given: DecoderWindow) -> torch.Tensor:
        """Decode windows of streams; called from inside of a turn, the voice worn.

        Shape: ``[B, 600 T - 300 skipped]`` float32.
        """
        if self._fast is not None:
            return self._fast.window(given)
        return plain_window(self.network, given).float()

    def _inputs(self, pieces: Sequence[_Piece], longest: int) -> list[torch.Tensor]:
        """Stack what the decoder reads, filled up with zeros to one length, in one copy."""
        parts = [
            Rows([piece.asr for piece in pieces], longest),
            Rows([piece.reach.low_hz for piece in pieces], 2 * longest),
            Rows([piece.energy for piece in pieces], 2 * longest),
            Rows([piece.style for piece in pieces], pieces[0].style.shape[-1]),
            Rows([piece.noise for piece in pieces], FRAME_SAMPLES * longest),
        ]
        return list(uploaded(self.device, *parts))

    def _decode(self, *tensors: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Run the network over a batch: the one place that knows which.

        Args:
            tensors: ``asr, f0_hz, energy, style, noise`` of ``nn.decoder.KokoroDecoder``.
            lengths: ``[B]`` int32, frames of each item that count; None unless ``ragged``.

        Shape: ``[B, 600 T]``.
        """
        if self._fast is not None:
            return self._fast(*tensors, lengths=lengths)
        audio: torch.Tensor = self.network(*tensors)
        return audio

    def wear(self, adapter: Mapping[str, Any]) -> None:
        """Let the decoder wear what training added to a voice; called from inside of a turn."""
        with torch.inference_mode(mode=False):
            if adapter:
                self._plain()
            if self.adapted.wear(adapter) and self._fast is not None:
                self._fast.refresh()


def _piece(features: Features, speaker: Speaker, seed: int | None) -> _Piece:
    """Check what one sound is made of, and draw its breath."""
    frames = features.asr.shape[-1]
    found = (features.asr.shape, features.f0_hz.shape, features.energy.shape)
    if found != ((ASR_DIM, frames), (2 * frames,), (2 * frames,)) or not frames:
        raise InputError(f"vocoder: found shapes {found}, expected [512, T], [2 T], [2 T]")
    as_written = getattr(features, "as_written", False)
    reach = Reach.of(features.f0_hz, None if as_written else speaker.f0_median_hz)
    noise = breath(frames, seed)
    return _Piece(features.asr, reach, features.energy, speaker.style, noise, speaker.adapter)


def _default_tensors() -> dict[str, torch.Tensor]:
    trained = weights.voice_model("decoder")
    with torch.device("meta"):
        names = set(KokoroDecoder().state_dict())
    if names <= trained.keys():
        return trained
    tensors = {
        key.removeprefix("decoder."): value
        for key, value in weights.tensors("kokoro-82m").items()
        if key.startswith("decoder.")
    }
    return {**tensors, **trained}
