"""Judge a voice on held-out slices: is it that person, are the words there?

The similarity is Resemblyzer's and the words are the recogniser's where the ``eval`` extra is
installed; without it the project's own speaker encoder and the distance of the recogniser's hidden
features stand in, and the record says so. Neither ever gives a gradient.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from autovoice import eval as judging
from autovoice.analyse.speaker import SpeakerEncoder
from autovoice.errors import AutoVoiceError
from autovoice.eval.cer import normalised
from autovoice.eval.distillmos import DistillMos
from autovoice.eval.figure import NotApplicable
from autovoice.eval.resemblyzer import Resemblyzer
from autovoice.eval.similarity import cosine
from autovoice.eval.words import GREEDY, error_rate
from autovoice.train.losses import cosine_gap
from autovoice.train.voice.learner import LAST_LAYER, Learner
from autovoice.train.voice.material import Item
from autovoice.types import Audio, FloatArray
from autovoice.voices import Scores

log = logging.getLogger(__name__)
RATE_HZ = 24_000
_PAUSE = RATE_HZ // 4
# A character error rate may move so much by chance; more of it counts against a state.
WORDS_FREE, LETTERS_FREE = 0.03, 2


class Ear(Protocol):
    """What judges sound: a voice, words, naturalness."""

    name: str
    notes: list[str]

    def voice(self, samples: FloatArray) -> FloatArray | None:
        """Embed the voice, ``[S]`` at 24 kHz; None where no voice is heard."""

    def words(self, samples: FloatArray) -> str | None:
        """Write the words down; None where that cannot be."""

    def opinion(self, samples: FloatArray) -> float | None:
        """Predict how natural it sounds, 1 to 5; None where that cannot be."""


class Ears:
    """The judges that are installed.

    Args:
        device: for the speaker encoder and DistillMOS.
        threads: of the recogniser.
    """

    def __init__(self, device: str, threads: int = 1) -> None:
        self.notes: list[str] = []
        self.name = "resemblyzer"
        self._language: str | None = None
        try:
            self._encoder: Resemblyzer | SpeakerEncoder = Resemblyzer(device)
            self._listener: judging.Transcriber | None = judging.Transcriber(threads=threads)
            self._taste: DistillMos | None = DistillMos(device)
        except AutoVoiceError as error:
            self.name = "ge2e"
            self._encoder = SpeakerEncoder(device=device)
            self._listener = self._taste = None
            self.notes.append(
                "words and naturalness are not scored, the recogniser's features stand in "
                f"({error})"
            )

    def voice(self, samples: FloatArray) -> FloatArray | None:
        """Embed the voice."""
        try:
            return self._encoder.embed(samples, RATE_HZ)
        except AutoVoiceError:
            return None

    def words(self, samples: FloatArray) -> str | None:
        """Write the words down, in the language of the first call."""
        if self._listener is None:
            return None
        heard = self._listener.transcribe(
            Audio(samples[None], RATE_HZ), self._language, beam=GREEDY
        )
        self._language = self._language or heard.language or None
        return heard.text

    def opinion(self, samples: FloatArray) -> float | None:
        """Predict how natural it sounds."""
        if self._taste is None:
            return None
        return float(self._taste.score(Audio(samples[None], RATE_HZ)))


@dataclass(eq=False)
class Judge:
    """Scores a learner on held-out slices.

    Args:
        items: the held-out slices; what somebody else sang is converted, where there is that.
        reference: ``[S]`` 24 kHz, the recordings that were trained on.
        ear: who listens.
        others: what others said, never trained on; converted too. Of them no true sound and no
            sure text is known: they count for the voice, the feature gap and the opinion.
    """

    items: Sequence[Item]
    reference: FloatArray
    ear: Ear
    others: Sequence[Item] = ()

    def __post_init__(self) -> None:
        self.wanted = self.ear.voice(self.reference)
        self.true = _joined([item.audio.numpy() for item in self.items])
        self.text = self.ear.words(self.true)

    def score(self, learner: Learner, *, natural: bool = False) -> Scores:
        """Convert the held-out slices and what others said, and judge it.

        Args:
            learner: the voice as it is.
            natural: predict the opinion too, which takes as long as the rest.
        """
        both = [*self.items, *self.others]
        made = [convert(learner, item, seed) for seed, item in enumerate(both)]
        return self._judge(made, both, learner, natural)

    def recordings(self, learner: Learner) -> Scores:
        """Judge the held-out recordings themselves."""
        return self._judge([item.audio.numpy() for item in self.items], self.items, learner, True)

    def _judge(
        self, made: list[FloatArray], items: Sequence[Item], learner: Learner, natural: bool
    ) -> Scores:
        whole = _joined(made)
        near = cosine(self.ear.voice(whole), self.wanted)
        return Scores(
            similarity=float(np.clip(near or 0.0, -1.0, 1.0)),
            cer=self._error(self.ear.words(_joined(made[: len(self.items)]))),
            words_gap=_gap(made, items, learner),
            distillmos=self.ear.opinion(whole) if natural else None,
        )

    def _error(self, heard: str | None) -> float | None:
        if heard is None or self.text is None:
            return None
        try:
            return round(error_rate(heard, self.text), 4)
        except NotApplicable:
            return None

    @property
    def words_free(self) -> float:
        """How much the character error rate may rise by chance: two letters, 0.03 at least."""
        return max(WORDS_FREE, LETTERS_FREE / max(len(normalised(self.text or "")), 1))


@torch.no_grad()
def convert(learner: Learner, item: Item, seed: int) -> FloatArray:
    """Sing a slice in the voice as it is, ``[S]``."""
    device, hearing = learner.parts.device, item.hearings[-1]
    noise = torch.randn(1, len(item.audio), generator=torch.Generator().manual_seed(seed))
    sound = learner.say(
        hearing.content[None].to(device).float(),
        item.f0_hz[:1].to(device),
        hearing.energy[None].to(device),
        noise.to(device),
    )
    samples: FloatArray = sound[0].float().cpu().numpy()
    return samples


@torch.no_grad()
def _gap(made: Sequence[FloatArray], items: Sequence[Item], learner: Learner) -> float:
    gaps = [
        cosine_gap(_hear(sound, learner), _hear(item.audio.numpy(), learner))
        for sound, item in zip(made, items, strict=True)
    ]
    return float(torch.stack(gaps).mean().clamp(0.0, 2.0))


def _hear(samples: FloatArray, learner: Learner) -> Tensor:
    """Hear the recogniser's last layer, ``[1, 512, F]``."""
    return learner.parts.hear(torch.from_numpy(samples)[None].to(learner.parts.device))[
        :, LAST_LAYER
    ]


def _joined(pieces: Sequence[FloatArray]) -> FloatArray:
    pause = np.zeros(_PAUSE, np.float32)
    joined: FloatArray = np.concatenate([part for piece in pieces for part in (piece, pause)])
    return joined


def worth(scores: Scores, before: Scores, words_free: float = WORDS_FREE) -> float:
    """Return one number for how good a state is: its similarity, less what it lost of the words.

    The gap of the recogniser's features counts as it is, for it is smooth; the character error
    rate only where it rose by more than chance.

    Args:
        scores, before: of the state, and of the untrained voice.
        words_free: how much the character error rate may rise.
    """
    lost = scores.words_gap - before.words_gap
    if scores.cer is not None and before.cer is not None:
        lost += max(0.0, scores.cer - before.cer - words_free)
    return scores.similarity - lost
