"""Words: hidden layers of a speech recogniser."""

from autovoice.analyse.content.whisper import ContentEncoder

__all__ = ["ContentEncoder"]
