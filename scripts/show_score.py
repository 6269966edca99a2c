"""Print the JSON object of ``autovoice convert --json`` as a few readable lines.

Usage: ``python scripts/show_score.py demo/score.json``
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# Key of the score card, what to call it, how to write it.
SCORES = (
    ("pitch_error_cents", "median pitch error", "{:.1f} cents"),
    ("pitch_within_50_cents", "frames within 50 cents", "{:.1%}"),
    ("similarity_target", "similarity to the target voice", "{:.2f}"),
    ("similarity_floor", "  before the conversion", "{:.2f}"),
    ("similarity_source", "similarity to the first singer", "{:.2f}"),
    ("length_error_samples", "length error", "{} samples"),
)


def summary(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that tell what one conversion did, how well and how fast."""
    timings: Mapping[str, float] = result["timings"]
    spent = sum(s for name, s in timings.items() if name != "total")
    yield f"{result['output']}: {result['seconds']:.1f} s sung by {result['voice']}"
    yield f"  {spent:.1f} s on {result['device']} ({spent / result['seconds']:.2f} x real time)"
    stages = ", ".join(f"{name} {s:.1f}" for name, s in timings.items() if name != "total")
    yield f"  seconds per stage: {stages}"
    yield f"  shift: {result['semitones']:+d} semitones"
    for key, title, style in SCORES:
        value = result["score"].get(key)
        yield f"  {title}: {'not measured' if value is None else style.format(value)}"


def main(arguments: Sequence[str]) -> int:
    """Print the summary of the one file named in ``arguments``."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    for line in summary(json.loads(Path(arguments[0]).read_text(encoding="utf-8"))):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
