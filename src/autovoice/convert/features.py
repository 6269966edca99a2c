"""What the decoder reads."""

from __future__ import annotations

from dataclasses import dataclass

from autovoice.types import FloatArray


@dataclass(frozen=True, eq=False)
class DecoderFeatures:
    """The decoder's input for one piece of ``T`` frames of 25 ms.

    Args:
        asr: ``[512, T]`` words.
        f0_hz: ``[2 T]``, frame ``k`` centred at ``(k + 0.5) / 80`` s, 0 where unvoiced.
        energy: ``[2 T]``, frame ``k`` centred at ``k / 80`` s, log units.
        as_written: decode high notes as they are written (``vocode.high_notes``): where the melody
            is not moved, the recording itself is heard, and only the colour is taken from here.
    """

    asr: FloatArray
    f0_hz: FloatArray
    energy: FloatArray
    as_written: bool = False
