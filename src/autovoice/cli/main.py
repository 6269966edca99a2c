"""The command ``autovoice``: its group, and how errors become one line and an exit code."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from autovoice import __version__
from autovoice.errors import AutoVoiceError

# Command -> where it is (module, and function where its name is another one), and what the help
# says of it; a command's module is loaded when it is run.
COMMANDS = {
    "convert": ("autovoice.cli.convert", "Sing songs in another voice."),
    "speak": ("autovoice.cli.speak", "Say a text in a voice."),
    "sing": ("autovoice.cli.sing", "Sing a score in a voice."),
    "live": ("autovoice.cli.live", "Send a recording through a live session."),
    "voice": ("autovoice.cli.voice", "Make, list and pass on voices."),
    "eval": ("autovoice.cli.evaluate:evaluate", "Judge how good a conversion is."),
    "train": ("autovoice.cli.train", "Train the voice model itself."),
    "serve": ("autovoice.cli.serve", "Run the HTTP service."),
    "models": ("autovoice.cli.models", "Fetch and check the model weights."),
    "bench": ("autovoice.cli.bench", "Measure how fast the engine is here."),
    "doctor": ("autovoice.cli.doctor", "Say what is installed and what will be used."),
}
INTERRUPTED = 130
OUT_OF_RESOURCES = 4


class EchoHandler(logging.Handler):
    """Write log records to stderr, wherever that leads when they come."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        click.echo(f"{record.levelname.lower()}: {one_line(record.getMessage())}", err=True)


class LazyGroup(click.Group):
    """A group that knows its commands by name and loads only the one that runs."""

    def list_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
    ) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), function or cmd_name)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="autovoice")
@click.option("-v", "--verbose", count=True, help="Say more on stderr (twice: everything).")
@click.pass_context
def autovoice(ctx: click.Context, verbose: int) -> None:
    """Turn a song into the same song sung by another voice, and text into speech.

    Exit codes: 0 done, 2 usage or bad input, 3 missing weights, 4 out of resources.
    """
    ctx.obj = {"verbose": verbose}
    logger = logging.getLogger("autovoice")
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    if not any(isinstance(handler, EchoHandler) for handler in logger.handlers):
        logger.addHandler(EchoHandler())


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command line and leave with its exit code.

    Args:
        arguments: the words after ``autovoice``. Default: those of the process.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    verbose = any(word in {"-vv", "--verbose"} or word == "-v" for word in words)
    try:
        code = autovoice.main(args=words, prog_name="autovoice", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except AutoVoiceError as error:
        sys.exit(_told(error, str(error), error.exit_code, verbose))
    except MemoryError as error:
        sys.exit(_told(error, "out of memory", OUT_OF_RESOURCES, verbose))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _told(error: BaseException, message: str, code: int, verbose: bool) -> int:
    """Write one line about ``error`` and return the exit code."""
    if verbose:
        traceback.print_exception(error)
    click.echo(f"error: {one_line(message)}", err=True)
    return code


def one_line(message: str) -> str:
    """Return a message without line breaks or other control characters.

    >>> one_line("two\\nlines")
    'two lines'
    """
    return "".join(c if c.isprintable() else " " for c in message)
