"""The real engine behind the API: what no recorder writes goes in, and sound comes out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from process_desk import running

RATE = 16_000
SUNG = 0.3 * np.sin(2 * np.pi * 220 * np.arange(2 * RATE) / RATE)


def wav(sound: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    sf.write(file, sound, rate, subtype, format="WAV")
    return file.getvalue()


def spoilt(value: float) -> np.ndarray:
    """Return the tone with every hundredth sample replaced."""
    sound = SUNG.copy()
    sound[::100] = value
    return sound


STRANGE = {
    "NaN": wav(spoilt(np.nan)),
    "infinite": wav(spoilt(np.inf)),
    "peaks of 1e38": wav(spoilt(1e38)),
    "denormals": wav(SUNG * 1e-39),
    "DC": wav(SUNG + 0.6),
    "silence": wav(np.zeros(2 * RATE)),
    "0.02 s": wav(SUNG[: RATE // 50]),
    "8 bit": wav(SUNG, subtype="PCM_U8"),
    "8 channels": wav(np.stack([SUNG] * 8, axis=1)),
    "8 kHz": wav(SUNG[::2], RATE // 2),
}


@pytest.mark.e2e
def test_strange_sound_becomes_sound(tmp_path: Path) -> None:
    """Finite, at most 1, and as long as what came; in any order, none harms the next."""
    with running(tmp_path / "d", engine="real") as service:
        jobs = {
            name: service.submit(service.upload(content), str(number), separate=False, format="wav")
            for number, (name, content) in enumerate(STRANGE.items())
        }
        states = {"queued", "running"}
        service.until(
            lambda: not [job for job in service.jobs().values() if job["state"] in states],
            "all songs are sung",
        )
        found = service.jobs()
        assert {name: found[job]["error"] for name, job in jobs.items()} == dict.fromkeys(jobs)
        for name, job in jobs.items():
            content = service.insist("GET", f"/api/v1/jobs/{job}/result")[1]
            sound, rate = sf.read(io.BytesIO(content), always_2d=True)
            source = sf.info(io.BytesIO(STRANGE[name]))
            assert np.isfinite(sound).all(), name
            assert np.abs(sound).max() <= 1.0, name
            assert len(sound) / rate == pytest.approx(source.duration, abs=1 / rate), name
