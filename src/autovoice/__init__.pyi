from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from autovoice.engine import Conversion as Conversion
from autovoice.engine import Engine as Engine
from autovoice.engine import Performance as Performance
from autovoice.engine import Progress as Progress
from autovoice.engine import Song, Speech, Text
from autovoice.engine.progress import Cancel, Listener
from autovoice.errors import AutoVoiceError as AutoVoiceError
from autovoice.errors import Cancelled as Cancelled
from autovoice.errors import InputError as InputError
from autovoice.errors import ResourceError as ResourceError
from autovoice.errors import UnsupportedAudio as UnsupportedAudio
from autovoice.errors import VoiceError as VoiceError
from autovoice.errors import WeightsError as WeightsError
from autovoice.types import Audio as Audio
from autovoice.types import ScoreCard as ScoreCard
from autovoice.voices import Voice as Voice

__version__: str

def convert(
    song: Song,
    voice: str | Path | Voice | Audio,
    *,
    device: str = "auto",
    vram_bytes: int | str | None = None,
    semitones: int | Literal["auto"] = "auto",
    separate: bool = True,
    preset: Literal["fast", "balanced", "best"] = "balanced",
    seed: int = 0,
    progress: Listener | None = None,
    cancel: Cancel | None = None,
) -> Conversion: ...
def sing(
    score: str | Path,
    voice: str | Path | Voice | Audio,
    *,
    device: str = "auto",
    vram_bytes: int | str | None = None,
    language: str = "en-us",
    part: str = "",
    voice_part: str = "",
    verse: int | None = None,
    tempo: float | None = None,
    semitones: int | Literal["auto"] = "auto",
    vibrato_cents: float = 40.0,
    vibrato_hz: float = 5.5,
    portamento_ms: float = 80.0,
    lyrics: str | None = None,
    lexicon: Mapping[str, str] | None = None,
    backing: Song | None = None,
    seed: int = 0,
    progress: Listener | None = None,
    cancel: Cancel | None = None,
) -> Performance: ...
def speak(
    text: Text,
    voice: str | Path | Voice | Audio,
    *,
    device: str = "auto",
    vram_bytes: int | str | None = None,
    speed: float = 1.0,
    language: str = "en-us",
    lexicon: Mapping[str, str] | None = None,
    ssml: bool | None = None,
    seed: int = 0,
    progress: Listener | None = None,
    cancel: Cancel | None = None,
) -> Speech: ...
