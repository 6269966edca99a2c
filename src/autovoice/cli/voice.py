"""``autovoice voice``: make, list, show, pass on and delete voices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autovoice.cli.voice_train import card_lines, summary, train

if TYPE_CHECKING:
    from autovoice.voices import Encoders, Voice, VoiceStore

_FILE = click.Path(path_type=Path)


@click.group()
def voice() -> None:
    """Make, train, list and pass on voices."""


voice.add_command(train)


@voice.command()
@click.argument("name")
@click.argument("recordings", nargs=-1, required=True, type=_FILE)
@click.option("--consent", default="", help="The statement by which the speaker agreed; kept.")
@click.option("--licence", default="", help="What others may do with the voice; kept.")
@click.option("--description", default="", help="Free words for the list.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@click.option("--force", is_flag=True, help="Replace a voice of that name.")
def create(  # noqa: PLR0917 - one argument for each option
    name: str,
    recordings: tuple[Path, ...],
    consent: str,
    licence: str,
    description: str,
    device: str,
    force: bool,
) -> None:
    """Make the voice NAME from RECORDINGS of one person (3 s or more, 10 to 60 s work best)."""
    from autovoice.voices import make_voice

    store = _store()
    store.check_free(name, replace=force)
    made = make_voice(
        recordings,
        encoders=_encoders(device),
        name=name,
        description=description,
        consent=consent,
        licence=licence,
    )
    path = store.save(made, replace=force)
    used_s, count = made.header.seconds_used, len(recordings)
    click.echo(f"{name}: made from {used_s:.1f} s in {count} recording(s); kept in {path}")
    if not consent:
        click.echo("note: no consent is recorded; add it with --consent TEXT --force", err=True)


@voice.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_voices(as_json: bool) -> None:
    """List the built-in and the stored voices."""
    from autovoice.voices import BUILTIN_VOICES

    stored, damaged = _stored()
    builtin = [{"name": name, "description": text} for name, text in BUILTIN_VOICES.items()]
    if as_json:
        rows = [_record(one) for one in stored]
        click.echo(json.dumps({"builtin": builtin, "stored": rows, "damaged": damaged}))
        return
    for row in builtin:
        click.echo(f"{row['name']:<16} built in  {row['description']}")
    for one in stored:
        used = f"{one.header.seconds_used:.0f} s  {one.header.description}".rstrip()
        training = one.header.training
        told = f"  ({summary(training)})" if training else ""
        click.echo(f"{one.name:<16} stored    {used}{told}")
    for name in damaged:
        click.echo(f"{name:<16} DAMAGED   delete it with: autovoice voice delete {name}")


@voice.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(name: str, as_json: bool) -> None:
    """Show the record of a voice: a built-in name, a stored one, or a .voice file."""
    one = _named(name)
    record, comfortable = _record(one), one.speaker.comfortable
    if as_json:
        sings = None if comfortable is None else comfortable.to_json()
        click.echo(json.dumps({**record, "comfortable_range": sings}))
        return
    record.pop("training")
    record["comfortable range"] = "" if comfortable is None else comfortable.notes
    for key, value in record.items():
        click.echo(f"{key.replace('_', ' '):<18} {value if value != '' else '-'}")
    if one.header.training is not None:
        click.echo("\n".join(["", *card_lines(one.header.training)]))


@voice.command(name="import")
@click.argument("file", type=_FILE)
@click.option("--name", help="What to call it here. Default: the name in its record.")
@click.option("--force", is_flag=True, help="Replace a voice of that name.")
def import_voice(file: Path, name: str | None, force: bool) -> None:
    """Check a .voice FILE and keep it."""
    taken = _store().import_file(file, name=name, replace=force)
    click.echo(f"{taken.name}: imported")


@voice.command()
@click.argument("name")
@click.argument("file", type=_FILE)
def export(name: str, file: Path) -> None:
    """Write the voice NAME to the .voice FILE; a file there is replaced."""
    click.echo(f"{_named(name).save(file)}: written")


@voice.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, yes: bool) -> None:
    """Delete the stored voice NAME."""
    store = _store()
    store.path(name)
    if not yes:
        click.confirm(f"Delete the voice {name}?", abort=True, err=True)
    store.delete(name)
    click.echo(f"{name}: deleted")


def _store() -> VoiceStore:
    from autovoice.voices import VoiceStore

    return VoiceStore.default()


def _encoders(device: str) -> Encoders:
    from autovoice.engine import devices
    from autovoice.voices import encoders_on

    return encoders_on(devices.choose(device).device)


def _named(name: str) -> Voice:
    """Find a voice that has a record: everything but a recording."""
    from autovoice.errors import VoiceError
    from autovoice.voices import Resolver

    def refuse() -> Any:
        raise VoiceError(f"{name}: a recording has no record; make a voice of it first (create)")

    return Resolver(_store(), refuse).resolve(name)


def _stored() -> tuple[list[Voice], list[str]]:
    """Return the stored voices, and the names of those that cannot be read."""
    from autovoice.errors import VoiceError

    store = _store()
    voices: list[Voice] = []
    damaged: list[str] = []
    for name in store.names():
        try:
            voices.append(store.load(name))
        except VoiceError:
            damaged.append(name)
    return voices, damaged


def _record(one: Voice) -> dict[str, Any]:
    return {**one.header.model_dump(), "fine_tuned": bool(one.adapter)}
