"""The service as processes of its own, and what each of them takes of the machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.service_client import ask, get

BASE: dict[str, Any] = {
    "engine": "fake", "workers": 2, "free_bytes": 0, "max_streams": 0, "log_level": "info",
}  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A running service.

    Args:
        port: on which it answers.
        pid: of the supervisor.
    """

    port: int
    pid: int

    def processes(self) -> dict[int, str]:
        """Return each process of the service, and what it does: api, worker, live, supervisor."""
        found = {self.pid: "supervisor"}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == self.pid:
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    found[int(folder.name)] = words[-2].decode()
        return found

    def cpu_s(self) -> Mapping[str, float]:
        """Return how long processors have worked for each role, and for this process, seconds."""
        found: dict[str, float] = {"client": sum(os.times()[:2])}
        for pid, role in self.processes().items():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks = int(fields[11]) + int(fields[12])
                found[role] = found.get(role, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
        return found

    def own_bytes(self) -> Mapping[str, int]:
        """Return how much memory each role has for itself alone (USS), bytes."""
        found: dict[str, int] = {}
        for pid, role in self.processes().items():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                own = sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
                found[role] = found.get(role, 0) + 1024 * own
        return found


def shares(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> Any:
    """Return the part of one core that each role took, from two readings of ``cpu_s``."""
    return {role: round((after[role] - before.get(role, 0.0)) / seconds, 2) for role in after}


@contextlib.contextmanager
def serving(source: Path, *, patience_s: float = 60.0, **settings: Any) -> Iterator[Served]:
    """Yield a service that runs the code of ``source``, ready for work within ``patience_s``."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "load.toml"
        quotas = settings.pop("quotas", {"requests_per_minute": 0, "concurrent_jobs": 0})
        values = {**BASE, "data_dir": f"{folder}/data", **settings}
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        lines += ["[quotas]", *(f"{key} = {value}" for key, value in quotas.items())]
        config.write_text("\n".join(lines))
        paths = [str(source), os.environ.get("PYTHONPATH", "")]
        with (Path(folder) / "said").open("w+b") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "autovoice", "serve", "--port", "0", "--config", config],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
                stderr=said,
            )
            try:
                yield Served(asyncio.run(_ready(Path(folder) / "said", patience_s)), process.pid)
            finally:
                process.terminate()
                process.wait(60)


async def _ready(said: Path, patience_s: float) -> int:
    """Return the port, once the service takes work."""
    port = 0
    for _ in range(round(10 * patience_s)):
        await asyncio.sleep(0.1)
        _, found, address = said.read_text(errors="replace").partition("url=http://127.0.0.1:")
        port = int(address.split()[0]) if found and address.split() else 0
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if port and (await ask(port, get("/health/ready")))[0] == 200:
                return port
    raise SystemExit(f"the service did not start:\n{said.read_text(errors='replace')[-2000:]}")
