"""How a song fits a voice, in sentences, for the command line and for the page of a card."""

from __future__ import annotations

from collections.abc import Sequence

from autovoice.note_names import note_name
from autovoice.types import RangeFit, RangeSpan, ShiftAdvice

_MOST_SPANS = 3
# A shift that leaves as much less of the song outside is worth a word.
WORTH_SHARE = 0.05


def sentences(fit: RangeFit) -> list[str]:
    """Return where the song lies and, where another shift is clearly better, which."""
    if fit.song is None or fit.voice is None:
        return [f"the song's range was not compared with the voice's: {fit.why_not}"]
    shift = f"after a shift of {fit.semitones:+d}" if fit.semitones else "without a shift"
    lies = f"the song lies at {fit.song.notes} {shift}"
    voice = f"the voice's comfortable range ({fit.voice.notes})"
    parts = [
        f"{percent(share)} {side}"
        for side, share in (("above", fit.share_above), ("below", fit.share_below))
        if share
    ]
    if not parts:
        return [f"{lies}, all of it in {voice}"]
    outside = " and ".join(parts).replace(" % ", " % of it lies ", 1)
    return [f"{lies}; {outside} {voice}: {places(fit.spans)}", *_advice(fit)]


def places(spans: Sequence[RangeSpan], most: int = _MOST_SPANS) -> str:
    """Return the times of the longest spans in words, in the order of time."""
    longest = sorted(spans, key=lambda span: -span.outside_s)[:most]
    words = [
        f"{when(span)} ({direction(span)} {note_name(span.note)})"
        for span in sorted(longest, key=lambda span: span.start_s)
    ]
    more = f" and {len(spans) - most} more" if len(spans) > most else ""
    return ", ".join(words) + more


def when(span: RangeSpan) -> str:
    """Return the time of a span in whole seconds, such as ``0:41-0:44``."""
    start, end = (_clock(time_s) for time_s in (span.start_s, span.end_s))
    return start if start == end else f"{start}-{end}"


def direction(span: RangeSpan) -> str:
    """Return the word before the farthest note of a span."""
    return "up to" if span.side == "above" else "down to"


def percent(share: float) -> str:
    """Return a share in words.

    >>> percent(0.084), percent(0.004), percent(0.0)
    ('8 %', 'less than 1 %', '0 %')
    """
    return "less than 1 %" if 0.0 < share < 0.01 else f"{100 * share:.0f} %"


def _advice(fit: RangeFit) -> list[str]:
    """Return the shifts that are worth a word: an octave, and a key if it is better still."""
    best, words = fit.share_outside or 0.0, []
    for shift in (fit.auto, fit.octave, fit.key):
        if shift is not None and shift.share_outside <= best - WORTH_SHARE:
            best = shift.share_outside
            words.append(_shift(shift))
    return ["; ".join(words)] if words else []


def _shift(shift: ShiftAdvice) -> str:
    left = f"{percent(shift.share_outside)} of it" if shift.share_outside else "nothing"
    would = f"--semitones {shift.semitones} would leave {left} outside"
    backing = shift.backing_semitones
    return would + (f", if the backing can be moved by {backing:+d}" if backing else "")


def _clock(time_s: float) -> str:
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes}:{seconds:02d}"
