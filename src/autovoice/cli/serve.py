"""``autovoice serve``: the service, on one machine, by one command."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autovoice.errors import AutoVoiceError

if TYPE_CHECKING:
    from autovoice.server.keys import KeyRing
    from autovoice.server.settings import Settings

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(invoke_without_command=True)
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="[default: 8000]")
@click.option("--workers", type=click.IntRange(0, 64), help="Engine processes. [default: 1]")
@click.option("--worker-jobs", metavar="N", help="Jobs at once in each. [default: auto]")
@click.option("--data-dir", type=_FOLDER, help="Database, files, voices and logs.")
@click.option(
    "--database-url",
    envvar="AUTOVOICE_DATABASE_URL",
    help="PostgreSQL instead of SQLite; better given by AUTOVOICE_DATABASE_URL.",
)
@click.option("--config", type=_FILE, metavar="FILE", help="TOML with these and more settings.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Of stderr.")
@click.pass_context
def serve(ctx: click.Context, /, config: Path | None, **given: Any) -> None:
    """Run the HTTP service. Ctrl-C ends it in good order."""
    _need_packages()
    settings = _settings(config, given)
    if ctx.invoked_subcommand is None:
        ctx.exit(_run(settings))
    ctx.obj = settings


@serve.group()
def key() -> None:
    """Make, list and revoke API keys."""


@key.command(name="create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="convert, voices, speak, stream, metrics.")
@click.pass_obj
def create_key(settings: Settings, name: str, scopes: tuple[str, ...]) -> None:
    """Make an API key and show it, this once. Without --scope it may do everything."""
    from autovoice.server.keys import SCOPES

    click.echo(_keys(settings).create(name, scopes or SCOPES))


@key.command(name="list")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """List the API keys by their ids."""
    from autovoice.server.api.schemas import iso

    found = _keys(settings).list()
    for one in found:
        state = f"revoked {iso(one.revoked_at)}" if one.revoked_at else "in use"
        click.echo(f"{one.id}  {iso(one.created_at)}  {state}  {','.join(one.scopes)}  {one.name}")
    if not found:
        click.echo("no keys; make one with: autovoice serve key create NAME")


@key.command(name="revoke")
@click.argument("key_id")
@click.pass_obj
def revoke_key(settings: Settings, key_id: str) -> None:
    """Make the key with the id KEY_ID worthless."""
    _keys(settings).revoke(key_id)
    click.echo(f"{key_id}: revoked")


def _settings(config: Path | None, given: dict[str, Any]) -> Settings:
    from autovoice.server.settings import load_settings
    from autovoice.voices import data_dir

    return load_settings(config, given, default_dir=data_dir() / "server")


def _keys(settings: Settings) -> KeyRing:
    from autovoice.server.database import Database
    from autovoice.server.keys import KeyRing
    from autovoice.server.migrations import upgrade

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.url)
    upgrade(database)
    return KeyRing(database)


def _run(settings: Settings) -> int:
    from autovoice.server import logs
    from autovoice.server.files import LOGS
    from autovoice.server.supervisor import Supervisor

    folder = settings.data_dir / LOGS
    folder.mkdir(parents=True, exist_ok=True)
    writer = logs.LogWriter(
        folder / "autovoice.log",
        file_bytes=settings.log_bytes,
        files=settings.log_files,
        style=settings.log_format,
    )
    logs.configure(settings.log_level, "supervisor", _Lines(writer))  # type: ignore[arg-type]
    module = [sys.executable, "-m", "autovoice.cli.serve_process"]
    try:
        return Supervisor(
            settings, {role: [*module, role] for role in ("api", "worker", "live")}, writer
        ).run()
    finally:
        writer.close()


class _Lines(io.TextIOBase):
    """A text stream for the logger whose lines go to the one writer."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, text: str) -> int:
        """Take text; a handler writes whole lines."""
        for line in filter(None, text.split("\n")):
            self._writer.write(line)
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""


def _need_packages() -> None:
    try:
        import fastapi  # noqa: F401
        import sqlalchemy  # noqa: F401
        import structlog  # noqa: F401
    except ImportError as error:
        raise AutoVoiceError(
            f"the package {error.name!r} is missing; install the service with: "
            "pip install 'autovoice[server]'"
        ) from error
