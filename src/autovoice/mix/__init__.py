"""Put the converted vocal into the song: loudness, dynamics, place, true-peak limiter."""

from __future__ import annotations

from autovoice.mix.mixer import Mixdown, MixOptions, mix, mixdown, place_vocal

__all__ = ["MixOptions", "Mixdown", "mix", "mixdown", "place_vocal"]
