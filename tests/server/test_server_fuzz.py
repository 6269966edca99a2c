"""Damaged RIFF, FLAC, OGG and MP3 files over HTTP, changed at random from a corpus of small ones.

The decoder is a subprocess without instrumentation, so coverage could not guide the changes:
Hypothesis draws them, and makes them smaller where one is found.
"""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from api_desk import ApiDesk, serving, tone, wav_claiming
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autovoice import io
from autovoice.errors import AutoVoiceError

# All that docs/api.md says of a file that is no song.
DOCUMENTED = {(202, ""), (415, "unsupported_audio"), (422, "input_error"), (422, "empty_file")}
BUDGET_S, LONGEST_S = 8.0, 60.0
EXAMPLES, FEWEST = 40, 5


def chunk(name: bytes, content: bytes, claimed: int | None = None) -> bytes:
    size = len(content) if claimed is None else claimed
    return name + struct.pack("<I", size) + content


def wav(*chunks: bytes, name: bytes = b"RIFF") -> bytes:
    return chunk(name, b"WAVE" + b"".join(chunks))


def fmt(channels: int = 1, rate: int = 8000, bits: int = 16, align: int = 2, tag: int = 1) -> bytes:
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits)
    return chunk(b"fmt ", head)


SOUND = bytes(range(256)) * 8
DATA = chunk(b"data", SOUND)
# Whole files of each kind, and such as have stopped decoders before: sizes that lie, nothing where
# something has to be, much of what may be once.
CORPUS: dict[str, bytes] = {
    "wav": tone(0.05),
    "wav of floats": tone(0.05, subtype="FLOAT"),
    "wav of 24 bits": tone(0.05, kind="WAVEX", subtype="PCM_24"),
    "rf64": tone(0.05, kind="RF64"),
    "flac": tone(0.05, kind="FLAC"),
    "ogg": tone(0.05, kind="OGG"),
    "opus": tone(0.05, kind="OGG", subtype="OPUS"),
    "mp3": tone(0.1, kind="MP3"),
    "no channels": wav(fmt(channels=0), DATA),
    "no block": wav(fmt(align=0), DATA),
    "no bits": wav(fmt(bits=0), DATA),
    "no rate": wav(fmt(rate=0), DATA),
    "strange codec": wav(fmt(tag=0x11, bits=4), DATA),
    "data first": wav(DATA, fmt()),
    "two formats": wav(fmt(), fmt(channels=2, align=4), DATA),
    "huge list": wav(fmt(), chunk(b"LIST", b"INFO", 0xFFFFFFF0), DATA),
    "many lists": wav(fmt(), chunk(b"LIST", b"INFO") * 200, DATA),
    "data of odd size": wav(fmt(), chunk(b"data", SOUND, 0x7FFFFFFF)),
    "ds64 that lies": wav(chunk(b"ds64", b"\xff" * 28), fmt(), DATA, name=b"RF64"),
    "claims hours": wav_claiming(0xFFFFFFFF - 36),
}


def changed(content: bytes, changes: list[tuple[str, float, int, int]]) -> bytes:
    """Return a file with changes: what, where (0 to 1 of its length), how much, which value."""
    made = bytearray(content)
    for what, place, length, value in changes:
        at = int(place * len(made))
        if what == "byte":
            made[at : at + 1] = bytes([value & 255])
        elif what == "size":
            made[at : at + 4] = struct.pack("<I", value)
        elif what == "drop":
            del made[at : at + length]
        elif what == "again":
            made[at:at] = made[at : at + length]
        else:
            del made[at:]
    return bytes(made)


SIZES = [0, 1, 2, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
# Heads decide what a decoder does, so most changes are near the beginning.
PLACES = st.one_of(st.floats(0.0, 0.1), st.floats(0.0, 1.0, exclude_max=True))
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["byte", "byte", "size", "drop", "again", "cut"]),
        PLACES,
        st.integers(1, 64),
        st.one_of(st.sampled_from(SIZES), st.integers(0, 0xFFFFFFFF)),
    ),
    max_size=6,
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApiDesk]:
    quotas = {"requests_per_minute": 0, "concurrent_jobs": 0}
    with serving(tmp_path, engine="real", max_audio_s=60.0, quotas=quotas) as made:
        yield made


def send(desk: ApiDesk, content: bytes, name: str) -> str:
    """Send a file, check all that has to hold of the answer, and return its code."""
    begun = time.monotonic()
    before = stored(desk)
    answer = desk.song(content, name)
    assert time.monotonic() - begun < LONGEST_S
    code = answer.json().get("code", "")
    assert (answer.status_code, code) in DOCUMENTED, answer.text
    assert str(desk.settings.data_dir) not in answer.text
    assert list((desk.settings.data_dir / "parts").iterdir()) == []
    new = stored(desk) - before
    assert len(new) == (answer.status_code == 202)
    for path in new:
        check_decoded(path)
    return str(code)


def stored(desk: ApiDesk) -> set[Path]:
    return {one for one in (desk.settings.data_dir / "files").rglob("*") if one.is_file()}


def check_decoded(path: Path) -> None:
    """What is taken is a song, or the job says in words why it is none."""
    try:
        audio = io.read(path, max_seconds=60.0)
    except AutoVoiceError:
        return
    assert np.isfinite(audio.samples).all()
    assert np.abs(audio.samples).max(initial=0.0) <= 1.0


def test_damaged_files_meet_documented_refusals(desk: ApiDesk) -> None:
    met: Counter[str] = Counter()
    end = time.monotonic() + BUDGET_S

    @given(seed=st.sampled_from(sorted(CORPUS)), changes=CHANGES)
    @example(seed="wav", changes=[("cut", 0.02, 1, 0)])  # a head alone, which is refused
    @example(seed="flac", changes=[("cut", 0.5, 1, 0)])
    @example(seed="ogg", changes=[("size", 0.05, 1, 0xFFFFFFFF)])
    @example(seed="rf64", changes=[("byte", 0.02, 1, 255)])
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def meet(seed: str, changes: list[tuple[str, float, int, int]]) -> None:
        if time.monotonic() < end or met.total() < FEWEST:
            met[send(desk, changed(CORPUS[seed], changes), "song.wav")] += 1

    meet()
    assert met.total() >= FEWEST
    assert met.keys() & {"unsupported_audio", "input_error"}


@pytest.mark.parametrize("name", [name for name in CORPUS if " " in name and "wav" not in name])
def test_the_corpus_itself(desk: ApiDesk, name: str) -> None:
    send(desk, CORPUS[name], "song.wav")
