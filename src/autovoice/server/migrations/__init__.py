"""Bring a database to the tables of this version; every step is a file in ``versions``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from autovoice.errors import InputError
from autovoice.server.database import Database


def upgrade(database: Database, target: str = "head") -> None:
    """Apply the steps that are missing, in one transaction.

    Args:
        database: to change.
        target: revision to reach. Default: the newest.

    Raises:
        InputError: a newer version of AutoVoice made the tables.
        DatabaseUnavailable: it cannot be written.
    """
    script = _steps()

    def needed(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs(target, revision)  # what alembic's own command calls

    with (
        database.write() as connection,
        EnvironmentContext(Config(), script, fn=needed) as environment,
    ):
        environment.configure(connection=connection, transactional_ddl=False)
        try:
            environment.run_migrations()
        except CommandError as error:
            raise InputError(
                f"the database holds tables of another version ({error}); use the newer AutoVoice, "
                "or restore the backup that was made before the upgrade"
            ) from error


def revision(database: Database) -> str | None:
    """Return the step that a database is at; None where it has no tables."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """Return the newest step of this version."""
    return _steps().get_current_head()


def _steps() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)
