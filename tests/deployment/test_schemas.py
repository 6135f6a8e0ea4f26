"""Every overlay renders, and what it renders is what Kubernetes takes."""

from __future__ import annotations

import re

import kubernetes_validate
import pytest

from tests.deployment import manifests as m

KUBERNETES = ("1.30", kubernetes_validate.latest_version())
"""The oldest one we support (docs/deployment.md), and the newest that there is a schema for."""
CUSTOM = {"RayService", "VirtualService", "DestinationRule", "PeerAuthentication", "AuthorizationPolicy"}
NAMESPACE = "montecarlo"


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("overlay", m.OVERLAYS)
def test_core_kinds_meet_their_schema(overlay: str, version: str) -> None:
    for manifest in m.overlay(overlay):
        if manifest["kind"] not in CUSTOM:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("overlay", m.OVERLAYS)
def test_the_pods_inside_a_ray_service_meet_the_schema_of_a_pod(overlay: str, version: str) -> None:
    for group in m.ray_groups(m.overlay(overlay)).values():
        pod = {"apiVersion": "v1", "kind": "Pod", **group["template"]}
        kubernetes_validate.validate(pod, version, strict=True)


def test_the_documentation_names_the_oldest_kubernetes_that_is_checked() -> None:
    assert f"Kubernetes ≥ {KUBERNETES[0]}" in (m.ROOT / "docs/deployment.md").read_text()


@pytest.mark.parametrize("overlay", m.OVERLAYS)
def test_everything_is_in_one_namespace_and_named_once(overlay: str) -> None:
    rendered = m.overlay(overlay)
    assert m.one(rendered, "Namespace")["metadata"]["name"] == NAMESPACE
    assert {each["metadata"].get("namespace") for each in rendered if each["kind"] != "Namespace"} == {NAMESPACE}
    keys = [(each["kind"], each["metadata"]["name"]) for each in rendered]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("overlay", m.OVERLAYS)
def test_no_secret_is_committed(overlay: str) -> None:
    assert not m.of_kind(m.overlay(overlay), "Secret")


@pytest.mark.parametrize("overlay", m.OVERLAYS)
def test_every_image_has_a_tag_that_does_not_move(overlay: str) -> None:
    for name, pod in m.pods(m.overlay(overlay)):
        image = m.container(pod)["image"]
        assert re.fullmatch(r"montecarlo/(mcsvc|simulator|simulator-gpu):[\w.-]+", image), f"{name}: {image}"
        assert not image.endswith(":latest")


@pytest.mark.parametrize("overlay", m.OVERLAYS)
def test_every_pod_meets_the_restricted_pod_security_standard(overlay: str) -> None:
    for name, pod in m.pods(m.overlay(overlay)):
        outer, inner = pod["spec"]["securityContext"], m.container(pod)["securityContext"]
        assert outer["runAsNonRoot"] is True, name
        assert outer["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert inner == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }, name


@pytest.mark.parametrize("overlay", m.OVERLAYS)
def test_every_container_asks_for_and_is_held_to_cpu_and_memory(overlay: str) -> None:
    for name, pod in m.pods(m.overlay(overlay)):
        resources = m.container(pod)["resources"]
        for what in ("cpu", "memory"):
            asked, most = (m.quantity(resources[key][what]) for key in ("requests", "limits"))
            assert 0 < asked <= most, f"{name}: {what}"


@pytest.mark.parametrize("overlay", m.OVERLAYS)
def test_no_other_service_of_the_namespace_can_set_a_variable(overlay: str) -> None:
    """A Service called "redis" would set REDIS_PORT=tcp://… in every pod."""
    for name, pod in m.pods(m.overlay(overlay)):
        assert pod["spec"]["enableServiceLinks"] is False, name
