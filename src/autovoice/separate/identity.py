"""The separator for what is already a vocal."""

from __future__ import annotations

import numpy as np

from autovoice.separate.base import Progress
from autovoice.types import Audio, Stems


class Identity:
    """Pass an a cappella recording through: vocals are the input, the backing is silence."""

    def separate(self, audio: Audio, *, progress: Progress | None = None) -> Stems:
        """Return the input as vocals and zeros as backing; see ``Separator.separate``."""
        if progress is not None:
            progress(1.0)
        silence = Audio(np.zeros_like(audio.samples), audio.sample_rate_hz, audio.metadata)
        return Stems(vocals=audio, backing=silence)
