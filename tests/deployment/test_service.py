"""The service's pods: ports, probes, shutdown and configuration are those of the code."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from mcsvc import config
from mcsvc.entrypoints.grpc.server import LIVENESS
from tests.certificates import authority
from tests.deployment import manifests as m

DEPLOYMENT = m.ROOT / "docs/deployment.md"
DATABASE = "postgresql://user:password@host/name"
OPTIONS_OF_OTEL = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_RESOURCE_ATTRIBUTES"}

pytestmark = pytest.mark.parametrize("overlay", m.OVERLAYS)


def loaded(overlay: str) -> config.Config:
    """What the service would make of its environment in the cluster."""
    rendered = m.overlay(overlay)
    pod = m.service_pod(rendered)
    return config.load(m.settings(rendered, pod) | {"DATABASE_URL": DATABASE})


def before_sigterm(pod: m.Manifest) -> timedelta:
    """How long the container goes on once its pod is to go."""
    return timedelta(seconds=m.container(pod)["lifecycle"]["preStop"]["sleep"]["seconds"])


def budgets(rendered: tuple[m.Manifest, ...]) -> list[m.Manifest]:
    """The service's own."""
    return [each for each in m.of_kind(rendered, "PodDisruptionBudget") if each["metadata"]["name"] == "mcsvc"]


def test_the_environment_makes_a_configuration(overlay: str) -> None:
    assert loaded(overlay).environment == overlay


def test_every_variable_of_the_configuration_is_set_and_no_other(overlay: str) -> None:
    rendered = m.overlay(overlay)
    pod = m.service_pod(rendered)
    known = {each.name for each in config.variables().values()}
    given = set(m.settings(rendered, pod)) | m.secret_names(pod)
    assert given == known | OPTIONS_OF_OTEL


def test_secrets_come_from_a_secret_and_nothing_else_does(overlay: str) -> None:
    assert m.secret_names(m.service_pod(m.overlay(overlay))) == m.config_secrets()


def test_the_base_states_the_defaults_of_the_code(overlay: str) -> None:
    base = m.settings(m.render("k8s/base"), m.service_pod(m.render("k8s/base")))
    plain = {name: value for name, value in m.config_defaults().items() if name not in m.config_secrets()}
    assert {name: base.get(name) for name in plain} == plain, overlay


def test_container_ports_are_those_the_service_listens_on(overlay: str) -> None:
    settings = loaded(overlay)
    ports = {each["name"]: each["containerPort"] for each in m.container(m.service_pod(m.overlay(overlay)))["ports"]}
    assert ports == {"grpc": settings.grpc_port, "http": settings.http_port}


def test_the_service_offers_each_port_under_its_number_and_protocol(overlay: str) -> None:
    settings = loaded(overlay)
    service = m.one(m.overlay(overlay), "Service", "mcsvc")["spec"]
    assert [(each["name"], each["port"], each["targetPort"], each["appProtocol"]) for each in service["ports"]] == [
        ("grpc", settings.grpc_port, "grpc", "grpc"),
        ("http", settings.http_port, "http", "http"),
    ]


@pytest.mark.parametrize(
    ("probe", "service"), [("startupProbe", LIVENESS), ("readinessProbe", ""), ("livenessProbe", LIVENESS)]
)
def test_probes_ask_the_names_that_health_knows(overlay: str, probe: str, service: str) -> None:
    asked = m.container(m.service_pod(m.overlay(overlay)))[probe]["grpc"]
    assert asked == {"port": loaded(overlay).grpc_port, "service": service}


def test_the_pod_is_not_killed_before_the_shutdown_is_over(overlay: str) -> None:
    pod = m.service_pod(m.overlay(overlay))
    promised = timedelta(seconds=25)
    assert loaded(overlay).shutdown_timeout <= promised
    grace = timedelta(seconds=pod["spec"]["terminationGracePeriodSeconds"])
    proxy = yaml.safe_load(pod["metadata"]["annotations"]["proxy.istio.io/config"])["terminationDrainDuration"]
    assert grace >= before_sigterm(pod) + promised + timedelta(seconds=5)
    assert grace >= timedelta(seconds=float(proxy.removesuffix("s"))) >= before_sigterm(pod) + promised


def test_the_pod_serves_on_until_the_others_have_learnt_that_it_goes(overlay: str) -> None:
    assert before_sigterm(m.service_pod(m.overlay(overlay))) >= timedelta(seconds=5)


def test_metrics_are_scraped_where_they_are_served(overlay: str) -> None:
    notes = m.service_pod(m.overlay(overlay))["metadata"]["annotations"]
    assert notes["prometheus.io/port"] == str(loaded(overlay).http_port)
    assert notes["prometheus.io/path"] == "/metrics"


def test_whatever_selects_the_service_selects_its_pods_and_not_the_migration(overlay: str) -> None:
    rendered = m.overlay(overlay)
    assert m.SERVICE_PODS.items() <= m.service_pod(rendered)["metadata"]["labels"].items()
    assert not m.SERVICE_PODS.items() <= m.migration_pod(rendered)["metadata"]["labels"].items()
    spread = m.service_pod(rendered)["spec"]["topologySpreadConstraints"]
    selectors: list[dict[str, Any]] = [
        m.one(rendered, "Service", "mcsvc")["spec"]["selector"],
        m.one(rendered, "Deployment", "mcsvc")["spec"]["selector"]["matchLabels"],
        *(each["spec"]["selector"]["matchLabels"] for each in budgets(rendered)),
        *(each["labelSelector"]["matchLabels"] for each in spread),
    ]
    assert selectors == [m.SERVICE_PODS] * len(selectors)


def test_only_a_required_secret_must_be_in_the_secret(overlay: str) -> None:
    for each in m.container(m.service_pod(m.overlay(overlay)))["env"]:
        reference = each.get("valueFrom", {}).get("secretKeyRef")
        if reference is not None:
            assert reference["key"] == each["name"]
            assert reference.get("optional", False) is (each["name"] in m.config_defaults())


def folder_of_secret(pod: m.Manifest, name: str) -> Path:
    """Where the files of the secret mcsvc-NAME are, which need not be there and which the pod may but read."""
    [mount] = [each for each in m.container(pod)["volumeMounts"] if each["name"] == name]
    [volume] = [each for each in pod["spec"]["volumes"] if each["name"] == name]
    assert volume["secret"] == {"secretName": f"mcsvc-{name}", "optional": True}
    assert mount["readOnly"]
    return Path(mount["mountPath"])


def test_a_cluster_that_asks_for_tls_and_a_login_is_reached_by_its_secrets_alone(overlay: str, tmp_path: Path) -> None:
    rendered = m.overlay(overlay)
    pod = m.service_pod(rendered)
    files_at = folder_of_secret(pod, "kafka")
    documented = DEPLOYMENT.read_text().split("\n## Kafka\n")[1]
    settings = dict(re.findall(r"^(KAFKA_\w+)=(\S+)$", documented, re.MULTILINE))
    files = {name: path for name, path in settings.items() if name.endswith("_FILE")}
    assert {Path(path).parent for path in files.values()} == {files_at}
    own = authority(tmp_path).own
    there = dict(zip(sorted(files), (own.certificate, own.certificate, own.key), strict=True))
    secrets = {"DATABASE_URL": DATABASE, "KAFKA_SASL_PASSWORD": "secret"}
    environ = m.settings(rendered, pod) | settings | {name: str(path) for name, path in there.items()} | secrets
    assert config.load(environ).kafka_access().security_protocol == "sasl_ssl"


def test_a_redis_that_asks_for_tls_and_a_user_is_reached_by_its_secrets_alone(overlay: str, tmp_path: Path) -> None:
    rendered = m.overlay(overlay)
    pod = m.service_pod(rendered)
    files_at = folder_of_secret(pod, "redis")
    documented = DEPLOYMENT.read_text().split("\n## Redis\n")[1]
    settings = dict(re.findall(r"^(REDIS_\w+)=(\S+)$", documented, re.MULTILINE))
    assert Path(settings["REDIS_CA_FILE"]).parent == files_at
    there = {"REDIS_CA_FILE": str(authority(tmp_path).own.certificate)}
    secrets = {"DATABASE_URL": DATABASE, "REDIS_PASSWORD": "secret"}
    access = config.load(m.settings(rendered, pod) | settings | there | secrets).redis_access()
    assert (access.username, access.password.reveal(), access.tls) == ("mcsvc", "secret", True)


@pytest.mark.parametrize("pod_of", [m.service_pod, m.migration_pod])
def test_a_database_is_proven_by_the_authority_in_its_secret(overlay: str, pod_of: Callable[..., m.Manifest]) -> None:
    files_at = folder_of_secret(pod_of(m.overlay(overlay)), "database")
    [url] = re.findall(r"^\| `DATABASE_URL` \| yes \| `(.+)` \|$", DEPLOYMENT.read_text(), re.MULTILINE)
    told = conninfo_to_dict(url)
    assert told["sslmode"] == "verify-full"
    assert Path(str(told["sslrootcert"])) == files_at / "ca.crt"


def test_the_migration_runs_the_same_image_against_the_same_database(overlay: str) -> None:
    rendered = m.overlay(overlay)
    service, migration = m.service_pod(rendered), m.migration_pod(rendered)
    assert m.container(migration)["image"] == m.container(service)["image"]
    assert m.container(migration)["envFrom"] == m.container(service)["envFrom"]
    assert m.secret_names(migration) == {"DATABASE_URL"}
    assert migration["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"


def test_production_keeps_two_replicas_and_lets_no_drain_take_both(overlay: str) -> None:
    rendered = m.overlay(overlay)
    replicas = m.one(rendered, "Deployment", "mcsvc")["spec"]["replicas"]
    assert (replicas, len(budgets(rendered))) == {"production": (2, 1), "local": (1, 0)}[overlay]
    assert all(each["spec"]["minAvailable"] < replicas for each in budgets(rendered))


def test_replicas_that_are_not_ready_hold_no_drain_up(overlay: str) -> None:
    """Both are unready while the database is away, and the budget counts those that are ready."""
    assert all(each["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow" for each in budgets(m.overlay(overlay)))


def test_the_service_reaches_what_its_environment_names_and_only_that(overlay: str) -> None:
    rendered = m.overlay(overlay)
    policy = m.one(rendered, "NetworkPolicy", "mcsvc")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= m.migration_pod(rendered)["metadata"]["labels"].items()
    assert policy["podSelector"]["matchLabels"].items() <= m.SERVICE_PODS.items()
    assert policy["policyTypes"] == ["Egress"]
    assert all(rule.get("ports") for rule in policy["egress"])
    anywhere = {each["port"] for rule in policy["egress"] if "to" not in rule for each in rule["ports"]}
    simulator = {each["port"] for rule in policy["egress"] if "to" in rule for each in rule["ports"]}
    named = m.settings(rendered, m.service_pod(rendered))
    urls = [urlsplit(each) for each in (DATABASE, named["CORE_SERVICE_URL"], named["OTEL_EXPORTER_OTLP_ENDPOINT"])]
    brokers = [int(each.rpartition(":")[2]) for each in named["KAFKA_BROKERS"].split(",")]
    asked = {each.port or {"postgresql": 5432, "http": 80, "https": 443}[each.scheme] for each in urls if each.scheme}
    assert asked | {*brokers, int(named["REDIS_PORT"])} <= anywhere
    assert int(named["RAY_SERVE_URL"].rpartition(":")[2]) in simulator


def test_the_policy_lets_a_sidecar_reach_istios_control_plane(overlay: str) -> None:
    control_plane = {"kubernetes.io/metadata.name": "istio-system"}
    rules = m.one(m.overlay(overlay), "NetworkPolicy", "mcsvc")["spec"]["egress"]
    [rule] = [each for each in rules if {"port": 15012} in each["ports"]]
    assert rule["to"] == [{"namespaceSelector": {"matchLabels": control_plane}}]


def test_only_a_cluster_with_istio_gets_a_sidecar(overlay: str) -> None:
    labels = m.service_pod(m.overlay(overlay))["metadata"]["labels"]
    assert labels["sidecar.istio.io/inject"] == {"production": "true", "local": "false"}[overlay]
