"""What Prometheus makes of the service: its format, and the alerts that come with the docs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_desk import serving, tone
from process_desk import running
from prometheus_client.parser import text_string_to_metric_families
from server_desk import IS_CI, reserved_port

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "prometheus"
RULES, TESTS = FOLDER / "autovoice.rules.yml", FOLDER / "autovoice.test.yml"
NAME = re.compile(r"\b(?:autovoice_[a-z0-9_]+|up)\b")
# By Prometheus itself, of each target.
OF_PROMETHEUS = {"up"}


def needs(program: str) -> pytest.MarkDecorator:
    reason = f"{program} is not installed (Debian: apt-get install prometheus)"
    return pytest.mark.skipif(shutil.which(program) is None and not IS_CI, reason=reason)


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def scraped(folder: Path) -> str:
    """Return the figures of a service that has done a little of everything."""
    with serving(folder) as desk:
        desk.song()
        desk.song(voice="poison-input")
        desk.work(2)
        desk.client.get("/nothing")
        return str(desk.client.get("/metrics").text)


def names_of(text: str) -> dict[str, str]:
    """Return the name of each series that there is or can be, and the type of its family."""
    found: dict[str, str] = {}
    endings = {
        "counter": ("_total",),
        "histogram": ("_bucket", "_sum", "_count"),
        "info": ("_info",),
    }
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        assert family.type != "unknown", family.name
        for ending in endings.get(family.type, ("",)):
            found[family.name.removesuffix(ending) + ending] = family.type
        for sample in family.samples:
            assert sample.value == sample.value, sample
    return found


def test_the_figures_are_in_the_format_and_in_base_units(tmp_path: Path) -> None:
    names = names_of(scraped(tmp_path))
    assert len(names) > 25
    for name in names:
        assert name.startswith("autovoice_")
        assert not re.search(r"_(ms|milliseconds|minutes|hours|mb|kb|gib|percent)(_|$)", name), name


def test_alerts_name_only_figures_that_there_are(tmp_path: Path) -> None:
    there = set(names_of(scraped(tmp_path))) | OF_PROMETHEUS
    for rule in alerts():
        used = set(NAME.findall(rule["expr"]))
        assert used, rule["alert"]
        assert used <= there, (rule["alert"], used - there)


def test_alerts_say_what_to_do_and_each_is_tested() -> None:
    tested: dict[str, set[bool]] = {}
    for case in yaml.safe_load(TESTS.read_text(encoding="utf-8"))["tests"]:
        for check in case["alert_rule_test"]:
            tested.setdefault(check["alertname"], set()).add(bool(check["exp_alerts"]))
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert tested[rule["alert"]] == {True, False}, rule["alert"]
    assert len(tested) == len(alerts())


@needs("promtool")
def test_promtool_agrees(tmp_path: Path) -> None:
    for command, piped in (
        (["check", "rules", str(RULES)], None),
        (["test", "rules", str(TESTS)], None),
        (["check", "metrics"], scraped(tmp_path)),
    ):
        done = subprocess.run(
            ["promtool", *command], input=piped, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@needs("prometheus")
def test_a_real_server_scrapes_and_evaluates(tmp_path: Path) -> None:
    with reserved_port() as port, running(tmp_path / "d") as service:
        job = service.submit(service.upload(tone()), "k")
        service.until(lambda: service.jobs()[job]["state"] == "done", "the job is done")
        target = urllib.parse.urlsplit(service.url).netloc
        config = {
            "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {"job_name": "autovoice", "static_configs": [{"targets": [target]}]}
            ],
        }
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
        server = subprocess.Popen(
            [
                "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            ask = f"http://127.0.0.1:{port}/api/v1"
            done = 'autovoice_jobs_finished_total{outcome="done"}'
            wait_for(lambda: values(ask, 'up{job="autovoice"}') == [1.0])
            wait_for(lambda: values(ask, done) == [1.0])
            books = "autovoice_jobs_submitted_total) - sum(autovoice_jobs_finished_total)"
            assert values(ask, f"sum({books} - sum(autovoice_jobs_in_state)") == [0.0]
            wait_for(lambda: {rule["health"] for rule in rules(ask)} == {"ok"})
            assert len(rules(ask)) == len(alerts())
            assert not [rule for rule in rules(ask) if rule["state"] == "firing"]
        finally:
            server.kill()
            server.wait()


def got(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.loads(answer.read())["data"]
    except OSError:
        return {"result": [], "groups": []}  # not there yet


def values(ask: str, query: str) -> list[float]:
    found = got(f"{ask}/query?query={urllib.parse.quote(query)}")["result"]
    return [float(one["value"][1]) for one in found]


def rules(ask: str) -> list[dict[str, Any]]:
    return [rule for group in got(f"{ask}/rules")["groups"] for rule in group["rules"]]


def wait_for(true: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "Prometheus did not get there"
        time.sleep(0.2)
