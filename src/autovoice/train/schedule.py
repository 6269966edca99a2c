"""How far a training is, and the learning rate there: over one call or over several."""

from __future__ import annotations

import math
from collections.abc import Mapping

from autovoice.train.options import Options

WARM_UP_STEPS = 40


def spent_before(options: Options, facts: Mapping[str, object], step: int) -> float:
    """Return the seconds that earlier calls of the same training took.

    Args:
        options: of this call.
        facts: what was written beside the checkpoint that is resumed.
        step: where this call goes on; 0 where another phase begins.
    """
    same = options.total_seconds is not None and step > 0
    if not same or facts.get("total_seconds") != options.total_seconds:
        return 0.0
    return float(str(facts.get("spent_s", 0.0)))


def share_done(options: Options, step: int, begin_s: float, now_s: float, spent_s: float) -> float:
    """Return the share of the training that is over: of its steps, or of its time.

    Args:
        options: steps count where they are set, else the seconds of all calls, else of this one.
        step: steps so far.
        begin_s, now_s: seconds of this call when the steps began, and now.
        spent_s: seconds of earlier calls.
    """
    if options.steps is not None:
        return step / options.steps
    if options.total_seconds is not None:
        return min(1.0, (spent_s + now_s) / options.total_seconds)
    return (now_s - begin_s) / max(options.seconds - begin_s, 1e-9)


def rate(options: Options, done: float, taught: int) -> float:
    """Return the learning rate: a warm-up, then a half cosine to a power, down to a floor.

    Args:
        options: the rate, its floor and the power.
        done: share of the training that is over, 0 to 1.
        taught: steps that the optimiser has made since it was new; may be negative before.
    """
    warm = min(1.0, max(0, taught + 1) / WARM_UP_STEPS)
    fallen: float = (0.5 * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0)))) ** options.rate_power
    return options.learning_rate * warm * (options.rate_floor + (1 - options.rate_floor) * fallen)
