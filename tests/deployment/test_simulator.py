"""The RayService: what it imports exists, its ports are those the service calls, its sizes add up."""

from __future__ import annotations

import importlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcsvc import config
from mcsvc.adapters import ray_serve
from simulator.serve.settings import Settings, from_args
from tests.deployment import manifests as m
from tests.deployment.lock import pins

pytestmark = pytest.mark.parametrize("overlay", m.OVERLAYS)
FROM_RAY = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Ray's own, when it is first imported."""


def spec(overlay: str) -> m.Manifest:
    """The RayService's own part."""
    found: m.Manifest = m.one(m.overlay(overlay), "RayService")["spec"]
    return found


def serve_config(overlay: str) -> m.Manifest:
    """What is deployed on Ray Serve."""
    found = yaml.safe_load(spec(overlay)["serveConfigV2"])
    assert isinstance(found, dict)
    return found


def application(overlay: str) -> m.Manifest:
    """The only application."""
    (only,) = serve_config(overlay)["applications"]
    assert isinstance(only, dict)
    return only


def imported(path: str, *, separator: str) -> Any:
    """What an import path of the manifest names."""
    module, _, attribute = path.rpartition(separator)
    return getattr(importlib.import_module(module), attribute)


@FROM_RAY
def test_ray_takes_the_serve_config_and_knows_every_key(overlay: str) -> None:
    from ray.serve.schema import ServeApplicationSchema, ServeDeploySchema

    given = serve_config(overlay)
    ServeDeploySchema.model_validate(given)
    assert set(given) <= set(ServeDeploySchema.model_fields)
    assert set(application(overlay)) <= set(ServeApplicationSchema.model_fields)


def app_settings(overlay: str) -> Settings:
    """What the app makes of its arguments."""
    return from_args(application(overlay)["args"])


def worker_pod(overlay: str) -> m.Manifest:
    """The group whose pods the workers fill: the one with GPUs if they ask for any."""
    return m.ray_groups(m.overlay(overlay))["gpu" if app_settings(overlay).worker_gpus else "cpu"]


@FROM_RAY
def test_the_app_is_built_by_what_the_manifest_imports(overlay: str) -> None:
    from ray.serve import Application

    build = imported(application(overlay)["import_path"], separator=":")
    assert isinstance(build(application(overlay)["args"]), Application)


def test_one_worker_and_an_ingress_fill_a_pod_and_leave_it_room(overlay: str) -> None:
    settings = app_settings(overlay)
    cpus = m.quantity(m.container(worker_pod(overlay)["template"])["resources"]["limits"]["cpu"])
    assert cpus / 2 <= settings.worker_cpus < cpus
    assert 0 < settings.ingress_cpus <= cpus - settings.worker_cpus
    assert settings.ingress_replicas <= settings.min_workers


def test_the_app_scales_between_the_bounds_of_its_pods(overlay: str) -> None:
    settings, group = app_settings(overlay), worker_pod(overlay)
    assert (settings.min_workers, settings.max_workers) == (group["minReplicas"], group["maxReplicas"])


def test_the_compile_cache_is_on_a_volume_that_can_be_written(overlay: str) -> None:
    mounts = m.container(worker_pod(overlay)["template"])["volumeMounts"]
    assert any(app_settings(overlay).compile_cache.startswith(f"{each['mountPath']}/") for each in mounts)


@FROM_RAY
def test_the_application_is_the_one_the_service_calls(overlay: str) -> None:
    from simulator.serve.__main__ import parse

    assert application(overlay)["name"] == ray_serve.APPLICATION == parse([]).name


@FROM_RAY
def test_the_proxy_serves_the_engine_service(overlay: str) -> None:
    from simulator.serve import proxying
    from simulator.serve.app import GRPC_SERVICES

    functions = serve_config(overlay)["grpc_options"]["grpc_servicer_functions"]
    assert functions == list(GRPC_SERVICES)
    assert [imported(path, separator=".") for path in functions] == [proxying.add_engine_service]


@FROM_RAY
def test_the_port_is_the_usual_one_of_the_simulator(overlay: str) -> None:
    from simulator.serve.__main__ import parse

    assert serve_config(overlay)["grpc_options"]["port"] == parse([]).port


def test_the_service_calls_the_port_of_the_proxy_under_the_name_of_its_service(overlay: str) -> None:
    rendered = m.overlay(overlay)
    offered = spec(overlay)["serveService"]
    ports = {each["name"]: each["port"] for each in offered["spec"]["ports"]}
    url = m.settings(rendered, m.service_pod(rendered))["RAY_SERVE_URL"]
    assert url == f"{offered['metadata']['name']}:{ports['serve-grpc']}"
    options = serve_config(overlay)
    assert ports == {"serve": options["http_options"]["port"], "serve-grpc": options["grpc_options"]["port"]}


def test_every_ray_pod_names_the_proxy_ports_as_kuberay_looks_for_them(overlay: str) -> None:
    offered = {each["name"]: each["port"] for each in spec(overlay)["serveService"]["spec"]["ports"]}
    for group in m.ray_groups(m.overlay(overlay)).values():
        ports = {each["name"]: each["containerPort"] for each in m.container(group["template"])["ports"]}
        assert offered.items() <= ports.items()


def test_ray_of_the_cluster_is_ray_of_the_image(overlay: str) -> None:
    assert spec(overlay)["rayClusterConfig"]["rayVersion"] == pins("requirements/image-simulator.txt")["ray"]


def test_an_old_cluster_outlives_its_longest_simulation(overlay: str) -> None:
    rendered = m.overlay(overlay)
    longest = float(m.settings(rendered, m.service_pod(rendered))["MCSVC_RUN_TIMEOUT_S"])
    assert spec(overlay)["rayClusterDeletionDelaySeconds"] >= longest + 60
    default = next(each for each in config.variables().values() if each.name == "MCSVC_RUN_TIMEOUT_S").default
    assert timedelta(seconds=longest) == timedelta(seconds=float(default or 0))


def test_the_head_runs_no_simulation(overlay: str) -> None:
    assert m.ray_groups(m.overlay(overlay))["head"]["rayStartParams"]["num-cpus"] == "0"
    assert spec(overlay)["excludeHeadPodFromServeSvc"] is True


def test_the_ray_cluster_asks_for_a_token(overlay: str) -> None:
    assert spec(overlay)["rayClusterConfig"]["authOptions"] == {"mode": "token"}


def test_sizes_and_bounds(overlay: str) -> None:
    groups = m.ray_groups(m.overlay(overlay))
    sizes = {
        name: (limits["cpu"], limits["memory"], group.get("minReplicas"), group.get("maxReplicas"))
        for name, group in groups.items()
        for limits in [m.container(group["template"])["resources"]["limits"]]
    }
    production = {"head": ("4", "8Gi", None, None), "cpu": ("8", "16Gi", 3, 10), "gpu": ("8", "16Gi", 0, 4)}
    assert spec(overlay)["rayClusterConfig"]["enableInTreeAutoscaling"] is True
    assert sizes == production or overlay == "local"
    assert "gpu" not in sizes or overlay == "production"


def test_ray_pods_have_no_sidecar_and_are_those_the_network_policies_guard(overlay: str) -> None:
    rendered = m.overlay(overlay)
    guarded = m.one(rendered, "NetworkPolicy", "simulator")["spec"]["podSelector"]["matchLabels"]
    for group in m.ray_groups(rendered).values():
        labels = group["template"]["metadata"]["labels"]
        assert labels["sidecar.istio.io/inject"] == "false"
        assert guarded.items() <= labels.items()


def test_only_the_service_reaches_the_grpc_port_of_the_simulator(overlay: str) -> None:
    rules = m.one(m.overlay(overlay), "NetworkPolicy", "simulator")["spec"]["ingress"]
    port = serve_config(overlay)["grpc_options"]["port"]
    callers = [rule["from"] for rule in rules if {"port": port, "protocol": "TCP"} in _ports(rule)]
    assert callers == [[{"podSelector": {"matchLabels": m.SERVICE_PODS}}]]


def _ports(rule: m.Manifest) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", **each} for each in rule.get("ports", [])]


def test_probes_need_no_program_of_the_image(overlay: str) -> None:
    """KubeRay's own probes call wget."""
    http = serve_config(overlay)["http_options"]["port"]
    for name, group in m.ray_groups(m.overlay(overlay)).items():
        ray = m.container(group["template"])
        assert ray["livenessProbe"]["httpGet"]["path"] == "/api/healthz"
        named = {each["name"]: each["containerPort"] for each in ray["ports"]}
        ready = ray["readinessProbe"]["httpGet"]
        expected = ("/api/healthz", 52365) if name == "head" else ("/-/healthz", http)
        assert (ready["path"], named.get(ready["port"], ready["port"])) == expected


def test_a_trace_goes_on_from_the_service_into_the_simulator(overlay: str) -> None:
    rendered = m.overlay(overlay)
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    collectors = {
        m.settings(rendered, pod)[name] for kind, pod in m.pods(rendered) if kind == "service" or "ray" in kind
    }
    assert len(collectors) == 1


@FROM_RAY
def test_the_ray_pods_are_given_variables_that_the_simulator_or_ray_reads(overlay: str) -> None:
    from ray._private import ray_constants

    ours = (m.ROOT / "simulator").rglob("*.py")
    sources = "".join(path.read_text() for path in (*ours, Path(ray_constants.__file__)))
    for group in m.ray_groups(m.overlay(overlay)).values():
        assert all(f'"{name}"' in sources for name in m.settings(m.overlay(overlay), group["template"]))
