"""The processes that ``autovoice serve`` starts: ``python -m autovoice.cli.serve_process ROLE``.

They live here because the checks of a new voice come from ``train``, which only commands may use.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autovoice.server.files import FileStore
    from autovoice.server.live.host import LiveMaker
    from autovoice.server.settings import Settings
    from autovoice.server.work.real import CheckedSamples
    from autovoice.server.work.runner import Runner
    from autovoice.voices import Encoders

LEAST_VOICE_S = 3.0
STRANGERS = frozenset({"several speakers", "another speaker"})


def make_runner(settings: Settings, device: str, store: FileStore) -> Runner:
    """Return the engine of a worker."""
    if settings.engine == "fake":
        from autovoice.server.work.fake import FakeRunner

        return FakeRunner(settings.fake_chunk_s)
    from autovoice.server.work.real import EngineRunner

    return EngineRunner(settings, device, store, check_samples)


def make_live(settings: Settings, device: str) -> LiveMaker:
    """Return what makes live sessions."""
    if settings.engine == "fake":
        from autovoice.server.live.fake import FakeMaker

        return FakeMaker(0.0, settings.max_streams)
    from autovoice.server.live.real import EngineMaker

    return EngineMaker(settings, device)


def check_samples(files: Sequence[Path], encoders: Encoders) -> CheckedSamples:
    """Look at the recordings of a new voice.

    Raises:
        VoiceError: too little of them can be used; the message says why.
    """
    import numpy as np

    from autovoice.errors import VoiceError
    from autovoice.server.work.real import CheckedSamples
    from autovoice.train.voice.scan import samples_of, scan
    from autovoice.types import Audio

    try:
        found = scan(files, encoders, least_s=LEAST_VOICE_S)
    except VoiceError as error:
        raise VoiceError(str(error).replace("training needs", "a voice needs", 1)) from error
    pieces = [samples_of(one, where) for one in found.recordings for where in one.slices]
    return CheckedSamples(
        audio=Audio(np.concatenate(pieces)[None], 24_000),
        reports=found.as_json(),
        speakers=any(STRANGERS & set(report.problems) for report in found.reports),
    )


def main(role: str) -> int:
    """Run one process until it is told to end; return its exit code."""
    if role == "api":
        from autovoice.server.api.main import main as serve

        return serve()
    if role == "live":
        from autovoice.server.live.main import main as host

        return host(make_live)
    from autovoice.server.work.main import main as work

    return work(make_runner)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
