"""The quality gates: figures against the thresholds of ``gates.toml``."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from autovoice.errors import InputError
from autovoice.eval.card import Gate, Kind
from autovoice.eval.figure import Figure
from autovoice.eval.measures import BY_KEY, printed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS: tuple[Kind, ...] = get_args(Kind)
GATES_FILE = Path(__file__).with_name("gates.toml")


@dataclass(frozen=True)
class Condition:
    """Where a gate holds: the figure ``measure`` is at least ``least``."""

    measure: str
    least: float


@dataclass(frozen=True)
class Rule:
    """One gate of the file.

    Args:
        name: of the gate; once per kind.
        measure: key of the figure.
        kinds: of cards for which it holds.
        protocol: under which conditions the threshold holds, in words.
        above, below: the threshold; exactly one is given.
        only_where: what else must hold; None for always.
    """

    name: str
    measure: str
    kinds: tuple[Kind, ...]
    protocol: str
    above: float | None = None
    below: float | None = None
    only_where: Condition | None = None

    @property
    def wanted(self) -> str:
        """The condition as cards show it, such as ``"> 0.74"``."""
        sign, limit = (">", self.above) if self.above is not None else ("<", self.below)
        unit = BY_KEY[self.measure].unit
        return f"{sign} {limit:g} {unit}".rstrip()

    def holds(self, value: float) -> bool:
        """Tell whether a value passes; equal to the threshold does not."""
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below


def judge(
    figures: Mapping[str, Figure], kind: Kind, gates: Sequence[Rule] | None = None
) -> tuple[Gate, ...]:
    """Return a verdict of every gate that holds for cards of ``kind``.

    Args:
        figures: by measure key.
        kind: ``song``, ``speech`` or ``copy``.
        gates: the rules. Default: those of ``gates.toml``.
    """
    rules = load_gates() if gates is None else gates
    return tuple(_verdict(rule, figures) for rule in rules if kind in rule.kinds)


def _verdict(rule: Rule, figures: Mapping[str, Figure]) -> Gate:
    figure = figures.get(rule.measure, Figure(None, "not measured"))
    why = figure.why_not or _not_here(rule.only_where, figures)
    if figure.value is None or why:
        return _gate(rule, figure.value, "not applicable", why or "not measured")
    return _gate(rule, figure.value, "pass" if rule.holds(figure.value) else "fail", "")


def _gate(rule: Rule, value: float | None, status: Any, why: str) -> Gate:
    return Gate(rule.name, rule.measure, rule.wanted, rule.protocol, value, status, why)


def _not_here(condition: Condition | None, figures: Mapping[str, Figure]) -> str:
    """Return why the condition of a gate is not met, ``""`` where it is."""
    if condition is None:
        return ""
    measure = BY_KEY[condition.measure]
    figure = figures.get(condition.measure, Figure(None, "not measured"))
    if figure.value is None:
        return f"{measure.heading}: {figure.why_not}"
    if figure.value >= condition.least:
        return ""
    found = printed(measure.key, figure.value)
    if float(found) >= condition.least:  # 4.0996 is not to be called 4.10
        found = f"{figure.value:.6g}"
    return f"{measure.heading} reads {found}, the gate holds from {condition.least:g} up"


def load_gates(path: Path | None = None) -> tuple[Rule, ...]:
    """Read a file of gates.

    Args:
        path: TOML with ``[[gate]]`` tables: ``name``, ``measure``, ``kinds``, ``protocol``, one of
            ``above`` and ``below``, and maybe ``only_where = {measure, least}``. Default: the file
            that comes with AutoVoice.

    Raises:
        InputError: the file cannot be read, or says something else.
    """
    file = path or GATES_FILE
    try:
        with file.open("rb") as stream:
            tables = tomllib.load(stream)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file}: found no readable TOML ({error})") from error
    gates = tables.get("gate")
    if set(tables) != {"gate"} or not isinstance(gates, list) or not gates:
        raise InputError(f"{file}: found {sorted(tables)}, expected [[gate]] tables alone")
    rules = tuple(_rule(gate, f"{file}, gate {place}") for place, gate in enumerate(gates, start=1))
    taken = [(rule.name, kind) for rule in rules for kind in rule.kinds]
    twice = sorted({f"{name} ({kind})" for name, kind in taken if taken.count((name, kind)) > 1})
    if twice:
        raise InputError(f"{file}: found twice: {', '.join(twice)}; a gate needs a name of its own")
    return rules


def _rule(gate: Any, where: str) -> Rule:
    known = {"name", "measure", "kinds", "protocol", "above", "below", "only_where"}
    _known_keys(gate, known, where)
    kinds = gate.get("kinds")
    if not isinstance(kinds, list) or not kinds or not all(kind in KINDS for kind in kinds):
        raise InputError(f"{where}: kinds: found {kinds!r}, expected some of {', '.join(KINDS)}")
    if ("above" in gate) == ("below" in gate):
        raise InputError(f"{where}: expected one of above and below")
    limits = {key: _number(gate, key, where) for key in ("above", "below") if key in gate}
    condition = gate.get("only_where")
    return Rule(
        name=_text(gate, "name", where),
        measure=_measure(gate, where),
        kinds=cast("tuple[Kind, ...]", tuple(kinds)),
        protocol=_text(gate, "protocol", where),
        only_where=None if condition is None else _condition(condition, f"{where}, only_where"),
        **limits,
    )


def _condition(table: Any, where: str) -> Condition:
    _known_keys(table, {"measure", "least"}, where)
    return Condition(_measure(table, where), _number(table, "least", where))


def _known_keys(table: Any, known: set[str], where: str) -> None:
    if not isinstance(table, dict) or not set(table) <= known:
        found = sorted(table) if isinstance(table, dict) else repr(table)
        raise InputError(f"{where}: found {found}, expected {', '.join(sorted(known))}")


def _measure(table: Mapping[str, Any], where: str) -> str:
    key = _text(table, "measure", where)
    if key not in BY_KEY:
        raise InputError(f"{where}: found no measure {key!r}, expected one of {', '.join(BY_KEY)}")
    return key


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {key}: found {value!r}, expected words")
    return value


def _number(table: Mapping[str, Any], key: str, where: str) -> float:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{where}: {key}: found {value!r}, expected a finite number")
    return float(value)
