"""Who sings or speaks."""

from autovoice.analyse.speaker.ge2e import SpeakerEncoder

__all__ = ["SpeakerEncoder"]
