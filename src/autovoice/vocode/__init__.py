"""Make sound of decoder features."""

from autovoice.vocode.vocoder import Vocoder

__all__ = ["Vocoder"]
