"""What an operator may set, from a TOML file and the command line."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from autovoice.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST_CONFIG_BYTES = 1 << 20
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
MOST_JOBS = 32


def _jobs(found: Any) -> Any:
    text = str(found)
    if text != "auto" and not (text.isdecimal() and 1 <= int(text) <= MOST_JOBS):
        raise ValueError(f"expected auto, or a whole number from 1 to {MOST_JOBS}")
    return text if text == "auto" else int(text)


WorkerJobs = Annotated[int | Literal["auto"], BeforeValidator(_jobs)]


class Quotas(BaseModel):
    """What one API key may use; 0 means no limit.

    Args:
        requests_per_minute: of any kind. Default 600.
        concurrent_jobs: queued and running at once. Default 200.
        audio_minutes_per_day: submitted in the last 24 hours. Default none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: Annotated[int, Field(ge=0)] = 600
    concurrent_jobs: Annotated[int, Field(ge=0)] = 200
    audio_minutes_per_day: Annotated[float, Field(ge=0)] = 0.0


class Settings(BaseModel):
    """Everything that can be set; unknown keys are errors.

    Args:
        host, port: where to listen. Default loopback, 8000. Port 0 takes a free one.
        workers: engine processes. Default 1.
        worker_jobs: that one of them runs at once, 1 to 32. On the CPU their memory adds up.
            Default ``auto``: 8 on a GPU, 1 on the CPU.
        devices: where they run, handed out in turn. Default ``("auto",)``.
        vram_bytes: cap on GPU memory per worker, bytes or text such as ``4G``.
        warm_up_s: lengths of songs that a worker converts when it loads: on a GPU what first calls
            of such lengths would have to wait for, graphs are then captured. Default one of 1 s.
        data_dir: database, files, voices and logs.
        database_url: SQLAlchemy URL. Default: a SQLite file in ``data_dir``.
        engine: ``real``, or ``fake`` of fixed speed, for load tests.
        fake_chunk_s: how long the fake engine takes for a chunk, seconds.
        auth: ``required`` needs an API key; ``auto`` needs one unless bound to loopback.
        allowed_origins: of browsers (CORS). Default none.
        allowed_hosts: further names under which an open service may be addressed.
        max_upload_bytes: of one request's files. Default 256 MiB.
        max_audio_s: decoded length of a song. Default 1200 (20 minutes).
        max_text_characters: of a text to speak. Default 100,000, about two hours.
        speech_wait_s: how long a caller of ``/v1/audio/speech`` waits for a worker. Default 30.
        max_queued: jobs waiting or running; above it 503. Default 1000.
        max_streams: live sessions at once, where the engine has room for them; 0 starts no live
            engine. Default 1000.
        live_device: where the live engine runs. Default: the first of ``devices``.
        storage_bytes: budget of all files. Default 50 GiB.
        free_bytes: of the disk, kept free. Default 512 MiB.
        retention_s: how long finished jobs and unused files are kept. Default 7 days.
        orphan_s: age from which files are removed that nothing mentions, left by a crash; at least
            the time of an upload and an hour. Default 1 day.
        lease_s: how long a worker may be silent before its job is given to another. Default 30.
        attempts: without progress, after which a job fails. Default 3.
        grace_s: between the request to stop and the end. Default 20.
        receive_idle_s, receive_s: longest silence within a body, and its longest time in all.
        header_s: longest time for the head of a request.
        send_idle_s: in which whoever asked has to read 48 kB of an answer, or all that is left.
            Default 60.
        quotas: per key.
        log_level, log_format: ``json`` for programs, ``text`` for people.
        traces_endpoint: where spans are sent by OTLP over HTTP, such as
            ``http://127.0.0.1:4318/v1/traces``. Default none: no tracing.
        log_bytes, log_files: of each log file, and how many. Default 10 MiB, 5.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(ge=0, le=64)] = 1
    worker_jobs: WorkerJobs = "auto"
    devices: tuple[Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")], ...] = ("auto",)
    vram_bytes: str | int | None = None
    warm_up_s: tuple[Annotated[float, Field(gt=0, le=600)], ...] = (1.0,)
    data_dir: Path
    database_url: str | None = Field(default=None, repr=False)
    engine: Literal["real", "fake"] = "real"
    fake_chunk_s: Annotated[float, Field(ge=0)] = 0.05
    auth: Literal["auto", "required"] = "auto"
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_upload_bytes: Annotated[int, Field(ge=1 << 10)] = 256 << 20
    max_audio_s: Positive = 1200.0
    max_text_characters: Count = 100_000
    speech_wait_s: Positive = 30.0
    max_queued: Count = 1000
    max_streams: Annotated[int, Field(ge=0)] = 1000
    live_device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")] | None = None
    storage_bytes: Annotated[int, Field(ge=0)] = 50 << 30
    free_bytes: Annotated[int, Field(ge=0)] = 512 << 20
    retention_s: Positive = 7 * 86_400.0
    orphan_s: Positive = 86_400.0
    lease_s: Positive = 30.0
    attempts: Count = 3
    grace_s: Positive = 20.0
    receive_idle_s: Positive = 20.0
    receive_s: Positive = 900.0
    header_s: Positive = 10.0
    send_idle_s: Positive = 60.0
    quotas: Quotas = Quotas()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "text"
    traces_endpoint: str | None = Field(default=None, pattern=r"^https?://", repr=False)
    log_bytes: Annotated[int, Field(ge=1 << 10)] = 10 << 20
    log_files: Annotated[int, Field(ge=1, le=100)] = 5

    @property
    def url(self) -> str:
        """The database: the one that was set, or a file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'autovoice.sqlite3'}"

    @property
    def needs_key(self) -> bool:
        """Whether requests need an API key."""
        return self.auth == "required" or not is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches ``host``.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(
    file: Path | None, changes: Mapping[str, Any], *, default_dir: Path | None = None
) -> Settings:
    """Read settings.

    Args:
        file: TOML, or None.
        changes: values that win over the file's; None leaves the file's.
        default_dir: data folder where neither names one.

    Raises:
        InputError: the file cannot be read, or a value is unknown or out of range.
    """
    values: dict[str, Any] = {} if default_dir is None else {"data_dir": default_dir}
    values.update({} if file is None else _read(file))
    values.update({key: value for key, value in changes.items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise InputError("; ".join(_told(dict(detail)) for detail in error.errors())) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as handle:
            text = handle.read(LARGEST_CONFIG_BYTES).decode("utf-8")
        return tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file}: found no settings ({error}), expected a TOML file") from error


def _told(detail: Mapping[str, Any]) -> str:
    """Return one problem in words, without the value of a secret."""
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"setting {where!r} is unknown; expected one of {', '.join(Settings.model_fields)}"
    found = "" if where in {"database_url", "traces_endpoint"} else f"found {detail['input']!r}: "
    return f"setting {where}: {found}{detail['msg']}"
