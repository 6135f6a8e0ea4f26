"""The alerts of `k8s/monitoring` ask for metrics that a running service exports, with labels and values that it has."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.broker import send
from tests.deployment import manifests as m
from tests.postgres_server import PostgresServer
from tests.service_process import service_process, service_world

Samples = list[tuple[str, dict[str, str]]]
"""The name and the labels of each."""

SELECTOR = re.compile(r"(mcsvc_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=|!=)"([^"]*)"')
RULES = [
    rule for group in m.one(m.render("k8s/monitoring"), "PrometheusRule")["spec"]["groups"] for rule in group["rules"]
]
DEPLOYMENT = (m.ROOT / "docs/deployment.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scraped(postgres_server: PostgresServer, kafka_brokers: str) -> Samples:
    """Names and labels of the samples of a service that has swept, failed a job and put an event aside."""
    database, topic = postgres_server.create_database(), f"test.{uuid4().hex}"
    due = datetime.now(UTC) - timedelta(minutes=30)
    with service_world(postgres_server, kafka_brokers) as world:
        variables = world.environ(database, topic) | {"MCSVC_SWEEP_CRON": f"{due.minute} {due.hour} * * *"}
        with service_process(variables) as service:
            address = f"http://127.0.0.1:{service.wait_for('service_started')['http_port']}"
            send(kafka_brokers, topic, b"no event")
            subject = {"subject": {"assessment_id": "asm-of-nobody"}}
            httpx.post(f"{address}/simulations", json=subject, timeout=40).raise_for_status()
            for event in ("sweep_done", "job_failed", "message_dead_lettered"):
                service.wait_for(event)
            send(kafka_brokers, topic, b"no event either")  # once it is told, the first one has been counted
            service.wait_for("message_dead_lettered", where=lambda line: line["offset"] == 1)
            text = httpx.get(f"{address}/metrics", timeout=40).text
    postgres_server.drop_database(database)
    families = text_string_to_metric_families(text)
    return [(sample.name, sample.labels) for family in families for sample in family.samples]


@pytest.mark.stack
@pytest.mark.parametrize("alert", [each["alert"] for each in RULES])
def test_an_alert_asks_for_what_a_service_exports(alert: str, scraped: Samples) -> None:
    [expression] = [each["expr"] for each in RULES if each["alert"] == alert]
    selectors = SELECTOR.findall(expression)
    assert selectors
    by = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expression))))
    for name, matchers in selectors:
        wanted = MATCHER.findall(matchers)
        assert any(
            name == exported
            and by <= labels.keys()
            and all((labels.get(key) == value) == (sign == "=") for key, sign, value in wanted)
            for exported, labels in scraped
        ), f"{name}{{{matchers}}}"


def test_every_metric_to_be_alerted_to_has_an_alert() -> None:
    listed = re.findall(r"^\| `(mcsvc_\w+)", DEPLOYMENT, re.MULTILINE)
    asked = {name for rule in RULES for name, _ in SELECTOR.findall(rule["expr"])}
    assert set(listed) == asked - {"mcsvc_dependency_up"}


def test_every_alert_says_what_is_the_matter_and_how_grave_it_is() -> None:
    assert len({each["alert"] for each in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")


def test_the_pods_that_are_scraped_are_the_services() -> None:
    monitor = m.one(m.render("k8s/monitoring"), "PodMonitor")
    assert monitor["spec"]["selector"]["matchLabels"] == m.SERVICE_PODS
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    declared = {
        each["name"]: each["containerPort"] for each in m.container(m.service_pod(m.overlay("production")))["ports"]
    }
    assert endpoint["relabelings"][0]["regex"] == f"(.+):{declared[endpoint['port']]}", "others are dropped unseen"
    assert monitor["metadata"]["namespace"] == m.one(m.overlay("production"), "Deployment")["metadata"]["namespace"]
