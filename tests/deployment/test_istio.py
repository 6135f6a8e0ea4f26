"""The mesh's routes and policies: every method has a route of its own, and none repeats what is not safe to repeat."""

from __future__ import annotations

import re
from typing import Any

from mcsvc import config
from mcsvc.entrypoints.grpc.server import SERVICE
from mcsvc.entrypoints.http.app import HttpApi
from montecarlo.v1 import simulation_service_pb2
from tests.deployment import manifests as m

METHODS = simulation_service_pb2.DESCRIPTOR.services_by_name["SimulationService"].methods
RETRIED_WHEN_NOTHING_ARRIVED = {"connect-failure"}
REPEATABLE = {"GetSimulation", "ListSimulations", "CancelSimulation"}


def rendered() -> tuple[m.Manifest, ...]:
    """Production: the overlay that has Istio."""
    return m.overlay("production")


def routes() -> list[dict[str, Any]]:
    """The routes to the service, in order."""
    found: list[dict[str, Any]] = m.one(rendered(), "VirtualService", "mcsvc")["spec"]["http"]
    return found


def route_of(method: str) -> dict[str, Any]:
    """The first route that takes a call of a method."""
    path, port = f"/{SERVICE}/{method}", int(m.config_defaults()["GRPC_PORT"])
    for route in routes():
        for match in route["match"]:
            if match["port"] == port and match.get("uri", {"exact": path}) == {"exact": path}:
                return route
    raise AssertionError(f"no route takes {path}")


def hosts() -> dict[str, set[int]]:
    """The full name of each Service with its ports."""
    services = [*m.of_kind(rendered(), "Service"), m.one(rendered(), "RayService")["spec"]["serveService"]]
    return {
        f"{each['metadata']['name']}.montecarlo.svc.cluster.local": {port["port"] for port in each["spec"]["ports"]}
        for each in services
    }


def test_the_local_overlay_has_nothing_of_istio() -> None:
    assert not [each for each in m.overlay("local") if "istio.io" in each["apiVersion"]]


def test_every_route_leads_to_a_port_of_a_service() -> None:
    for virtual in m.of_kind(rendered(), "VirtualService"):
        for route in virtual["spec"]["http"]:
            (target,) = (each["destination"] for each in route["route"])
            assert [target["host"]] == virtual["spec"]["hosts"]
            assert target["port"]["number"] in hosts()[target["host"]]
            assert {match["port"] for match in route.get("match", [])} <= {target["port"]["number"]}


def test_every_policy_is_about_a_service_and_its_ports() -> None:
    for rule in m.of_kind(rendered(), "DestinationRule"):
        levels = rule["spec"]["trafficPolicy"].get("portLevelSettings", [])
        assert {each["port"]["number"] for each in levels} <= hosts()[rule["spec"]["host"]]


def test_every_port_has_a_route_without_condition_at_its_end() -> None:
    open_ports = {match["port"] for route in routes() for match in route["match"] if set(match) == {"port"}}
    assert open_ports == hosts()["mcsvc.montecarlo.svc.cluster.local"]


def test_no_route_leaves_retries_and_time_to_istio() -> None:
    for virtual in m.of_kind(rendered(), "VirtualService"):
        for route in virtual["spec"]["http"]:
            assert {"retries", "timeout"} <= set(route)


def test_every_method_has_a_route_of_its_own() -> None:
    assert all("uri" in route_of(method.name)["match"][0] for method in METHODS)
    named = {match["uri"]["exact"] for route in routes() for match in route["match"] if "uri" in match}
    assert named == {f"/{SERVICE}/{method.name}" for method in METHODS}


def test_streams_have_no_limit_in_time_and_are_not_repeated() -> None:
    for method in METHODS:
        route = route_of(method.name)
        if method.server_streaming:
            assert (route["timeout"], route["retries"]) == ("0s", {"attempts": 0})
        else:
            assert route["timeout"] not in {"0s", ""}


def test_only_calls_that_change_nothing_are_repeated_once_they_arrived() -> None:
    for method in METHODS:
        retries = route_of(method.name)["retries"]
        causes = set(filter(None, retries.get("retryOn", "").split(",")))
        if method.name in REPEATABLE:
            assert "unavailable" in causes
            assert retries["attempts"] > 0
        else:
            assert causes <= RETRIED_WHEN_NOTHING_ARRIVED


def test_a_simulation_is_neither_repeated_nor_cut_off_by_the_mesh() -> None:
    (route,) = m.one(rendered(), "VirtualService", "simulator")["spec"]["http"]
    assert (route["timeout"], route["retries"]) == ("0s", {"attempts": 0})


def test_the_simulator_is_called_in_the_clear_for_it_has_no_sidecar() -> None:
    assert m.one(rendered(), "DestinationRule", "simulator")["spec"]["trafficPolicy"]["tls"] == {"mode": "DISABLE"}


def test_the_service_takes_mutual_tls_only() -> None:
    peers = m.one(rendered(), "PeerAuthentication")["spec"]
    assert peers == {"selector": {"matchLabels": m.SERVICE_PODS}, "mtls": {"mode": "STRICT"}}


def test_what_is_authorized_is_what_there_is() -> None:
    from grpc_health.v1 import health
    from grpc_reflection.v1alpha import reflection

    policy = m.one(rendered(), "AuthorizationPolicy")["spec"]
    assert (policy["action"], policy["selector"]["matchLabels"]) == ("ALLOW", m.SERVICE_PODS)
    paths = {port: set(to["paths"]) for rule in policy["rules"] for to in _operations(rule) for port in to["ports"]}
    defaults = {each.name: each.default for each in config.variables().values()}
    assert set(paths) == {defaults["GRPC_PORT"], defaults["PORT"]}
    services = {SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME}
    assert {f"/{each}/*" for each in services} <= paths[str(defaults["GRPC_PORT"])]
    nothing: Any = None
    http = HttpApi(use=nothing, monitor=nothing, prometheus=nothing, tracer=nothing, metrics=nothing).app()
    assert {re.sub(r"\{\w+\}", "*", getattr(route, "path", "")) for route in http.routes} == paths[
        str(defaults["PORT"])
    ]


def test_nobody_without_an_identity_is_authorized() -> None:
    for rule in m.one(rendered(), "AuthorizationPolicy")["spec"]["rules"]:
        assert all(each["source"].get("principals") for each in rule["from"])
    assert not m.of_kind(rendered(), "RequestAuthentication")


def _operations(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["operation"] for each in rule["to"]]
