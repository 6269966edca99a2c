"""``autovoice doctor``: what is installed, what will be used and why, what to mend."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from autovoice.cli.doctor_gpu import (
    check_device,
    check_kernels,
    check_ops,
    check_toolkit,
    check_torch,
)
from autovoice.cli.finding import Check, Finding, gigabytes

CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
LEAST_MEMORY_BYTES = 3 << 30
WEIGHTS_DISK_BYTES = 2 << 30


def check_python() -> Iterator[Finding]:
    """Look at the interpreter and the operating system."""
    from autovoice import __version__

    supported = (3, 10) <= sys.version_info < (3, 14)
    advice = "" if supported else "install Python 3.10 to 3.13 and run make setup again"
    yield Finding("autovoice", "ok", __version__)
    version = f"{platform.python_version()} ({platform.python_implementation()})"
    yield Finding("python", "ok" if supported else "broken", version, advice)
    yield Finding("platform", "ok", platform.platform(terse=True) + " " + platform.machine())


def check_processor() -> Iterator[Finding]:
    """Look at cores and memory."""
    yield Finding("cpu", "ok", f"{usable_cores()} cores")
    memory = memory_bytes()
    if memory is None:
        yield Finding("memory", "ok", "unknown")
    elif memory < LEAST_MEMORY_BYTES:
        advice = "convert shorter pieces, or use a machine with 4 GB"
        yield Finding("memory", "note", gigabytes(memory), advice)
    else:
        yield Finding("memory", "ok", gigabytes(memory))


def check_sound() -> Iterator[Finding]:
    """Look at the libraries that read, write and resample audio."""
    import soundfile
    import soxr

    yield Finding("soundfile", "ok", f"{soundfile.__version__}, {soundfile.__libsndfile_version__}")
    missing = [name for name in ("WAV", "FLAC", "OGG", "MP3") if not _writes(soundfile, name)]
    if missing:
        advice = "install libsndfile 1.1 or newer"
        yield Finding("formats", "broken", f"{', '.join(missing)} cannot be written", advice)
    else:
        yield Finding("formats", "ok", "WAV, FLAC, OGG, MP3")
    yield Finding("soxr", "ok", str(soxr.__version__))


def check_weights() -> Iterator[Finding]:
    """Look at the cache, the disk under it, each model's weights and AutoVoice's own."""
    from autovoice import weights

    store = weights.WeightStore()
    needed = set(weights.needed_by("convert"))
    states = [store.status(name) for name in store.catalogue.models]
    ready = needed <= {status.name for status in states if status.state == "ready"}
    yield _disk(store.root, ready)
    for status in states:
        yield _weight(status.name, status.state, status.detail, needed=status.name in needed)
    for item in weights.verify_bundled():
        if item.state == "ready":
            yield Finding(f"models/{item.name}", "ok", "ready")
        else:
            advice = "git checkout -- models, or install the package again"
            yield Finding(f"models/{item.name}", "broken", item.detail or item.state, advice)


def _disk(root: Path, ready: bool) -> Finding:
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found = f"{root} ({gigabytes(free)} free)"
    if not os.access(there, os.W_OK):
        advice = "make the folder writable, or set AUTOVOICE_CACHE_DIR to one that is"
        return Finding("cache", "note" if ready else "broken", f"{found}, not writable", advice)
    if free < WEIGHTS_DISK_BYTES and not ready:
        advice = f"free {gigabytes(WEIGHTS_DISK_BYTES)}, or set AUTOVOICE_CACHE_DIR"
        return Finding("cache", "broken", found, advice)
    return Finding("cache", "ok", found)


def _weight(name: str, state: str, detail: str, *, needed: bool) -> Finding:
    topic = f"weights {name}"
    if state == "ready" or (state == "absent" and not needed):
        return Finding(topic, "ok", state if needed or state == "ready" else "absent, optional")
    found = f"{state}: {detail}" if detail else state
    return Finding(topic, "note", found, f"autovoice models pull {name}")


def _writes(soundfile: object, name: str) -> bool:
    return name in soundfile.available_formats()  # type: ignore[attr-defined]


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes(limits: Sequence[Path] = CGROUP_LIMITS) -> int | None:
    """Return the memory that this process may use: the machine's, or its container's if less."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    for limit in limits:
        try:
            memory = min(memory, int(limit.read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or the word "max"
            continue
    return memory


CHECKS: tuple[tuple[str, Check], ...] = (
    ("python", check_python),
    ("cpu", check_processor),
    ("torch", check_torch),
    ("device", check_device),
    ("kernels", check_kernels),
    ("ops", check_ops),
    ("nvcc", check_toolkit),
    ("sound", check_sound),
    ("weights", check_weights),
)


def examine(checks: Sequence[tuple[str, Check]] = CHECKS) -> list[Finding]:
    """Run every check; one that fails becomes a ``broken`` finding, and the others go on."""
    findings: list[Finding] = []
    for topic, check in checks:
        try:
            findings.extend(check())
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
            advice = "run make setup again, or pip install --force-reinstall autovoice"
            findings.append(Finding(topic, "broken", found, advice))
    return findings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:
    """Say what is installed, what will be used and why, and what to mend."""
    findings = examine()
    broken = any(finding.state == "broken" for finding in findings)
    if as_json:
        rows = [asdict(finding) for finding in findings]
        click.echo(json.dumps({"ok": not broken, "findings": rows}, indent=2))
    else:
        _show(findings)
        click.echo(f"\n{_verdict(findings)}")
    sys.exit(1 if broken else 0)


def _verdict(findings: Sequence[Finding]) -> str:
    broken = [finding.topic for finding in findings if finding.state == "broken"]
    if broken:
        return f"To mend: {', '.join(broken)}."
    notes = sum(finding.state == "note" for finding in findings)
    return f"All that is needed works ({notes} notes)." if notes else "All that is needed works."


def _show(findings: Sequence[Finding]) -> None:
    marks = {"ok": "ok", "note": "note", "broken": "BROKEN"}
    width = max(len(finding.topic) for finding in findings)
    for finding in findings:
        click.echo(f"{marks[finding.state]:<6}  {finding.topic:<{width}}  {finding.found}")
        if finding.advice:
            click.echo(f"{'':<8}{'':<{width}}  -> {finding.advice}")
