"""Convert every place and measure what came of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from autovoice.errors import Cancelled, ResourceError, WeightsError
from autovoice.eval.cache import content_hash
from autovoice.eval.harvest import harvest
from autovoice.eval.pitch import Tracker
from autovoice.eval.stress.columns import trouble
from autovoice.eval.stress.figures import measure
from autovoice.eval.stress.place import Place

log = logging.getLogger(__name__)


class Converter(Protocol):
    """What a run needs of ``autovoice.Engine``."""

    def convert(self, song: Any, voice: Any, *, separate: bool, semitones: int) -> Any:
        """Return a ``Conversion``."""


def run(
    engine: Converter,
    voice: Any,
    places: Sequence[Place],
    *,
    semitones: int = 0,
    tracker: Tracker = harvest,
    progress: Callable[[int, Place, dict[str, Any] | None], None] | None = None,
) -> list[dict[str, Any]]:
    """Convert and measure places one by one, without separation.

    Args:
        engine: converts.
        voice: whose voice is wanted.
        places: of ``makers`` and ``cutters``.
        semitones: shift of every melody. Default 0: notes stay where they are hard.
        tracker: finds F0. Default ``harvest``.
        progress: hears the number of places done and the one that comes next, or was just done
            when it gets a row too.

    Returns:
        A row for each place: ``name``, ``kind``, ``says``, ``seconds``, ``sha256`` of the sound,
        ``figures``, ``why_not``, ``trouble``; of one that failed ``error`` and no figures.

    Raises:
        WeightsError, ResourceError, Cancelled: no other place would fare better.
    """
    tell = progress or (lambda *_: None)
    rows = []
    for done, place in enumerate(places):
        tell(done, place, None)
        rows.append(_row(engine, voice, place, semitones, tracker))
        tell(done + 1, place, rows[-1])
    return rows


def _row(
    engine: Converter, voice: Any, place: Place, semitones: int, tracker: Tracker
) -> dict[str, Any]:
    head = {
        "name": place.name,
        "kind": place.kind,
        "says": place.says,
        "seconds": round(place.audio.seconds, 3),
        "sha256": content_hash(place.audio),
        "error": None,
    }
    try:
        begin_s = time.perf_counter()
        done = engine.convert(place.audio, voice, separate=False, semitones=semitones)
        converted_s = time.perf_counter() - begin_s
        figures = measure(done.audio, place.audio, semitones, tracker=tracker)
    except (WeightsError, ResourceError, Cancelled):
        raise
    except Exception as error:  # whatever it was, the other places are still wanted
        log.warning("%s: %s: %s", place.name, type(error).__name__, error)
        log.debug("%s", place.name, exc_info=True)
        return {**head, "error": f"{type(error).__name__}: {error}"}
    values = {key: figure.value for key, figure in figures.items()}
    return {
        **head,
        "figures": values,
        "why_not": {key: figure.why_not for key, figure in figures.items() if figure.why_not},
        "trouble": trouble(values),
        "timings": {
            "convert": round(converted_s, 3),
            "measure": round(time.perf_counter() - begin_s - converted_s, 3),
        },
    }
