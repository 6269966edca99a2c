"""Base training from a TOML file: strict, with one message for each wrong key."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autovoice.config import Device
from autovoice.errors import InputError
from autovoice.train.options import WEIGHTS, Moves, Options

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHIPPED = Path(__file__).with_name("configs")
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0)]


_MOVES = Moves()


class LossWeights(BaseModel):
    """What each loss counts in the sum that is descended; 0 leaves it out (``train/steps.py``)."""

    model_config = _STRICT

    asr: Weight = WEIGHTS["asr"]
    style: Weight = WEIGHTS["style"]
    mel_synthetic: Weight = WEIGHTS["mel_synthetic"]
    mel_real: Weight = WEIGHTS["mel_real"]
    peaks: Weight = WEIGHTS["peaks"]
    words: Weight = WEIGHTS["words"]
    voice: Weight = WEIGHTS["voice"]
    leak: Weight = WEIGHTS["leak"]
    pitch: Weight = WEIGHTS["pitch"]
    octave: Weight = WEIGHTS["octave"]
    doubled: Weight = WEIGHTS["doubled"]
    floor: Weight = WEIGHTS["floor"]
    colour: Weight = WEIGHTS["colour"]
    adversarial: Weight = WEIGHTS["adversarial"]
    features: Weight = WEIGHTS["features"]
    match: Weight = WEIGHTS["match"]
    power: Weight = WEIGHTS["power"]
    power_long: Weight = WEIGHTS["power_long"]
    valleys: Weight = WEIGHTS["valleys"]
    valleys_long: Weight = WEIGHTS["valleys_long"]
    consonants: Weight = WEIGHTS["consonants"]


class MelodyMoves(BaseModel):
    """How melodies are moved; :class:`autovoice.train.options.Moves` says what each key means."""

    model_config = _STRICT

    whole_share: Share = _MOVES.whole_share
    raised_share: Share = _MOVES.raised_share
    raised_octaves: Annotated[float, Field(ge=0.0, le=3.0)] = _MOVES.raised_octaves
    lowered_share: Share = _MOVES.lowered_share
    lowered_octaves: Annotated[float, Field(ge=0.0, le=3.0)] = _MOVES.lowered_octaves
    octave_share: Share = _MOVES.octave_share
    octave_most: Annotated[int, Field(ge=1, le=3)] = _MOVES.octave_most

    @model_validator(mode="after")
    def _apart(self) -> MelodyMoves:
        if self.raised_share + self.lowered_share > 1.0:
            raise ValueError("found raised_share + lowered_share above 1; expected 1 or less")
        return self


class BaseTraining(BaseModel):
    """A base training; unknown keys are errors. :class:`Options` says what each key means."""

    model_config = _STRICT

    phase: Literal["frozen", "joint"]
    seconds: Seconds = 480.0
    steps: Count | None = None
    judge_seconds: Seconds = 60.0
    judge_steps: Count | None = None
    batch: Count = 12
    frames: Annotated[int, Field(ge=16)] = 96
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 4e-4
    decoder_share: Share = 0.1
    device: Device = "auto"
    precision: Literal["bfloat16", "off"] = "bfloat16"
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 0
    limit: Count | None = None
    save_every_s: Annotated[float, Field(gt=0.0)] = 75.0
    report_every: Count = 50
    compile: bool = False
    sung_every: Count = 2
    graphs: bool = False
    stock: Annotated[int, Field(ge=0)] = 0
    critic_frames: Annotated[int, Field(ge=0)] = 0
    critics_alone: Annotated[int, Field(ge=0)] = 120
    clean_critics: bool = False
    noisy_weight: Share = 1.0
    unmatched_share: Share = 0.8
    stock_renew: Annotated[int, Field(ge=0)] = 32
    total_seconds: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    rate_floor: Share = 0.05
    rate_power: Annotated[float, Field(gt=0.0, le=8.0)] = 1.0
    judge_colour_db: Annotated[float, Field(ge=0.0, le=12.0)] = 1.0
    keep_state: bool = True
    profile: Annotated[int, Field(ge=0)] = 0
    moves: MelodyMoves = MelodyMoves()
    weights: LossWeights = LossWeights()

    @model_validator(mode="after")
    def _ends(self) -> BaseTraining:
        if self.steps is None and not math.isfinite(self.seconds):
            raise ValueError("found no end; expected steps, or seconds that are finite")
        return self

    def options(self, data: Path, out: Path, resume: Path | None = None) -> Options:
        """Return what the loop reads."""
        values = self.model_dump()
        values["moves"] = Moves(**values["moves"])
        return Options(data=data, out=out, resume=resume, **values)


def read(config: str | Path, changes: Mapping[str, Any] | None = None) -> BaseTraining:
    """Read a configuration and change single values of it.

    Args:
        config: a TOML file, or the name of one that comes with AutoVoice (``frozen``, ``joint``,
            ``toy``).
        changes: values by key; ``weights.words`` reaches into the table.

    Raises:
        InputError: no such file, no TOML, or a key or value that is not known; names each.
    """
    file = _file(config)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file}: found no readable TOML ({error})") from error
    for key, value in (changes or {}).items():
        _put(table, key, value)
    try:
        return BaseTraining.model_validate(table)
    except ValidationError as error:
        told = "; ".join(_explain(dict(detail)) for detail in error.errors())
        raise InputError(f"{file.name}: {told}") from None


def changes_of(settings: Sequence[str]) -> dict[str, Any]:
    """Read ``key=value`` words; a value is TOML, and text where it is none.

    Raises:
        InputError: a word has no ``=``, or no key before it.

    >>> changes_of(["batch=4", "weights.words=2.5", "precision=off", "compile=true"])
    {'batch': 4, 'weights.words': 2.5, 'precision': 'off', 'compile': True}
    """
    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = (word.strip() for word in setting.partition("="))
        if not key or not equals:
            raise InputError(f"--set: found {setting!r}, expected KEY=VALUE, such as batch=8")
        found[key] = _value(text)
    return found


def _value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if len(table) == 1 else text


def _file(config: str | Path) -> Path:
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}
    file = shipped.get(str(config), Path(config))
    if not file.is_file():
        raise InputError(
            f"--config: found no file {str(config)!r}, expected a TOML file or one of "
            f"{', '.join(shipped)}"
        )
    return file


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise InputError(f"{key}: found a value at {parent!r}, expected a table")
    table[last] = value


def _explain(detail: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        tables = {"weights": LossWeights.model_fields, "moves": MelodyMoves.model_fields}
        table, dot, _ = where.partition(".")
        fields = tables.get(table, BaseTraining.model_fields) if dot else BaseTraining.model_fields
        return f"{where} is unknown; expected one of {', '.join(fields)}"
    if detail["type"] == "missing":
        return f"{where} is missing"
    if not where:
        return str(detail["msg"]).removeprefix("Value error, ")
    return f"{where}: found {detail['input']!r}: {detail['msg']}"
