"""From phonemes to what the decoder reads: words, melody and loudness of speech."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from autovoice import weights
from autovoice.errors import InputError
from autovoice.nn import residence
from autovoice.nn.graphs import GraphCache
from autovoice.nn.kokoro_text import STYLE, KokoroText
from autovoice.nn.precision import float32_convolutions
from autovoice.nn.stage import NetworkStage
from autovoice.nn.transfer import fetched
from autovoice.speak.packs import MODEL, Prosody, load_prosodies, nearest_prosody
from autovoice.speak.utterance import Utterance
from autovoice.types import FloatArray, Speaker

MOST_PHONEMES = 400
SLOWEST, FASTEST = 0.4, 2.5
UNVOICED_BELOW_HZ = 10.0
HIGHEST_F0_HZ = 1_400.0
# Texts of up to so many phonemes more share a pass: what is filled up costs little.
TOGETHER_PHONEMES = 64
MOST_GRAPHS = 64
# About how long a phoneme lasts, by which the need of a pass is told before it is known.
PHONEME_S = 0.08


@dataclass(frozen=True, eq=False)
class SpokenFeatures:
    """The decoder's input for one utterance of ``T`` frames of 25 ms.

    Args:
        asr: ``[512, T]`` words.
        f0_hz: ``[2 T]``, frame ``k`` centred at ``(k + 0.5) / 80`` s, 0 where unvoiced.
        energy: ``[2 T]``, frame ``k`` centred at ``k / 80`` s, log units.
        durations: ``[N + 2]`` int64 frames of each phoneme, with the silences at both ends.
    """

    asr: FloatArray
    f0_hz: FloatArray
    energy: FloatArray
    durations: np.ndarray


@dataclass(frozen=True, eq=False)
class _Asked:
    """One utterance as the network reads it: tokens, ``[128]`` prosody, factor on the rate."""

    tokens: list[int]
    prosody: FloatArray
    rate: float


_Found = tuple[FloatArray, FloatArray, FloatArray, np.ndarray]


class AcousticFront(NetworkStage):
    """Decide how phonemes are spoken: how long each, how high and how loud.

    The prosody is that of one of Kokoro's packs and has nothing to do with the timbre: any voice
    takes any of them. Unless one is named, it is the one nearest in pitch.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        tensors: weights of ``nn.kokoro_text.KokoroText``. Default: Kokoro-82M's.
        prosodies: by name. Default: Kokoro's packs.
        vocabulary: the token of each phoneme. Default: Kokoro's.

    Raises:
        WeightsError: the weights cannot be had.

    Source: see ``nn.kokoro_text``.
    """

    fills_up = True

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
        cpu_fallback: bool = True,
        tensors: Mapping[str, torch.Tensor] | None = None,
        prosodies: Mapping[str, Prosody] | None = None,
        vocabulary: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(device=device, mixed_precision=mixed_precision, cpu_fallback=cpu_fallback)
        # Lengths of text, lengths of sound and sizes of batches are shapes of their own.
        self.graphs = GraphCache(most=MOST_GRAPHS)
        self.network = KokoroText()
        self.network.load_state_dict(dict(tensors or _default_tensors()))
        self.add_network(self.network)
        self.prosodies = dict(prosodies or load_prosodies())
        self.vocabulary = dict(vocabulary or load_vocabulary())

    def features(
        self, utterance: Utterance, speaker: Speaker, *, speed: float = 1.0, prosody: str = ""
    ) -> SpokenFeatures:
        """Speak an utterance, as the decoder reads it.

        Args:
            utterance: phonemes, and what the markup asks for.
            speaker: the voice, whose pitch range the melody is moved to.
            speed: factor on the rate, above 0; with that of the utterance it is kept within 0.4
                to 2.5. The pitch stays. Default 1.
            prosody: name of the pack to speak like. Default: the one nearest in pitch.

        Raises:
            InputError: no phonemes, more than 400, or one that Kokoro does not know; no such
                prosody.
        """
        way, asked = self._asked(utterance, speaker, speed, prosody)
        size = len(asked.tokens)
        found = self.batched(
            self._run, asked, key=size // TOGETHER_PHONEMES, seconds=PHONEME_S * size
        )
        return _spoken(found, way, utterance, speaker)

    def features_many(
        self, asked: Sequence[tuple[Utterance, Speaker]], *, speed: float = 1.0
    ) -> list[SpokenFeatures]:
        """Speak several utterances in one pass.

        Args:
            asked: utterance and voice of each.
            speed: as for ``features``. Default 1.

        Returns:
            One for each, as ``features`` returns it, within rounding.

        Raises:
            InputError: see ``features``.
        """
        pairs = [self._asked(*each, speed, "") for each in asked]
        found = self.guarded(lambda: self._run([item for _, item in pairs]))
        rows = zip(found, pairs, asked, strict=True)
        return [_spoken(made, way, *each) for made, (way, _), each in rows]

    def _asked(
        self, utterance: Utterance, speaker: Speaker, speed: float, prosody: str
    ) -> tuple[Prosody, _Asked]:
        tokens = self._tokens(utterance.phonemes)
        way = self._prosody(prosody, speaker)
        rate = min(max(speed * utterance.speed, SLOWEST), FASTEST)
        return way, _Asked(tokens, way.style(len(tokens) - 2), rate)

    def _tokens(self, phonemes: str) -> list[int]:
        if not phonemes or len(phonemes) > MOST_PHONEMES:
            raise InputError(
                f"utterance: found {len(phonemes)} phonemes, expected 1 to {MOST_PHONEMES}; "
                "split the text"
            )
        unknown = sorted(set(phonemes) - set(self.vocabulary))
        if unknown:
            shown = ", ".join(f"{sign!r} (U+{ord(sign):04X})" for sign in unknown[:8])
            raise InputError(
                f"phonemes: found {shown}, which the voice model does not know; write the word "
                "with the phonemes of Kokoro (docs/speak.md)"
            )
        return [0, *(self.vocabulary[sign] for sign in phonemes), 0]

    def _prosody(self, name: str, speaker: Speaker) -> Prosody:
        if not name:
            return nearest_prosody(self.prosodies, speaker)
        if name not in self.prosodies:
            raise InputError(
                f"prosody: found {name!r}, expected one of {', '.join(self.prosodies)}"
            )
        return self.prosodies[name]

    def _run(self, asked: Sequence[_Asked]) -> list[_Found]:
        """Read several texts in one pass; each comes out as if it were alone."""
        device, longest = self.device, max(len(one.tokens) for one in asked)
        count = len(asked)
        if device.type != "cpu":
            asked = _filled(asked)
        ids = torch.tensor([one.tokens + [0] * (longest - len(one.tokens)) for one in asked])
        lengths = torch.tensor([len(one.tokens) for one in asked])
        # The text side reads the prosody half alone; the timbre is the decoder's.
        style = torch.zeros(len(asked), 2 * STYLE)
        style[:, STYLE:] = torch.from_numpy(np.stack([one.prosody for one in asked]))
        speed = torch.tensor([one.rate for one in asked])
        # In float32 throughout: a duration that rounds to another frame moves all that follows.
        with float32_convolutions():
            found = self.network(
                ids.to(device),
                lengths.to(device),
                style.to(device),
                speed.to(device),
                # On the CPU nothing is gained by shapes that recur.
                run=None if device.type == "cpu" else self.graphs.several,
            )
        curves = (found.asr.float(), found.f0_hz.float(), found.energy.float())
        asr, f0_hz, energy, durations, frames = fetched(*curves, found.durations, found.frames)
        rows = []
        for index, (length, one) in enumerate(zip(frames.tolist()[:count], asked, strict=False)):
            words = np.ascontiguousarray(asr[index, :, :length])
            if device.type != "cpu":
                # The decoder reads them next: they need not go up again.
                residence.keep(words, curves[0][index, :, :length].clone())
            f0, loud = (curve[index, : 2 * length].copy() for curve in (f0_hz, energy))
            rows.append((words, f0, loud, durations[index, : len(one.tokens)].copy()))
        return rows


def _filled(asked: Sequence[_Asked]) -> list[_Asked]:
    """Return a batch of a size that comes again, a power of two; what is new is one silence long.

    A captured graph serves one size only.
    """
    missing = (1 << (len(asked) - 1).bit_length()) - len(asked)
    return [*asked, *[_Asked([0], asked[0].prosody, FASTEST)] * missing]


def _spoken(found: _Found, way: Prosody, utterance: Utterance, speaker: Speaker) -> SpokenFeatures:
    """Move the melody to the voice."""
    asr, f0_hz, energy, durations = found
    factor = speaker.f0_median_hz / way.f0_median_hz if speaker.f0_median_hz > 0 else 1.0
    moved = moved_pitch(f0_hz, factor * 2.0 ** (utterance.semitones / 12))
    return SpokenFeatures(asr, moved, energy, durations)


def moved_pitch(f0_hz: FloatArray, factor: float) -> FloatArray:
    """Return a pitch curve times ``factor``; 0 where unvoiced, at most 1,400 Hz.

    Args:
        f0_hz: ``[F]``, below 10 Hz where unvoiced.
        factor: above 0.
    """
    voiced = f0_hz > UNVOICED_BELOW_HZ
    moved = np.where(voiced, np.minimum(f0_hz * np.float32(factor), HIGHEST_F0_HZ), 0.0)
    return moved.astype(np.float32)


def load_vocabulary() -> dict[str, int]:
    """Return the token of each phoneme of Kokoro's alphabet.

    Raises:
        WeightsError: it cannot be had.
    """
    data = json.loads(weights.file(MODEL, "vocab.json").read_text(encoding="utf-8"))
    vocabulary: dict[str, int] = data.get("vocab", data)
    return vocabulary


def _default_tensors() -> dict[str, torch.Tensor]:
    tensors = weights.tensors(MODEL)
    return {key: value for key, value in tensors.items() if not key.startswith("decoder.")}
