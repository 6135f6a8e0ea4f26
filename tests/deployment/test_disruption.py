"""What a drain, or the loss of a node, does to the Ray pods: budgets that can let a pod go, time to leave, a head whose
knowledge outlives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from simulator.serve import replicas
from simulator.serve.settings import Settings
from tests.deployment import manifests as m

FROM_RAY = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Ray's own, when it is first imported."""
DRAINS = "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"
ENDS = timedelta(seconds=15)
"""For the processes of a node, once it has drained."""


def rendered() -> tuple[m.Manifest, ...]:
    """Production: the overlay that nodes are drained under."""
    return m.overlay("production")


def labels(name: str) -> dict[str, str]:
    """Those of a group's pods: ours, and what KubeRay adds."""
    kind, group = ("head", "headgroup") if name == "head" else ("worker", name)
    own = m.ray_groups(rendered())[name]["template"]["metadata"]["labels"]
    return {**own, "ray.io/node-type": kind, "ray.io/group": group}


def selects(selector: Mapping[str, Any], pod: Mapping[str, str]) -> bool:
    """As Kubernetes reads a selector."""
    among = [pod.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", [])]
    assert all(each["operator"] == "In" for each in selector.get("matchExpressions", []))
    return selector.get("matchLabels", {}).items() <= pod.items() and all(among)


def budgets_of(name: str) -> list[m.Manifest]:
    """The budgets of a group's pods."""
    found = [each["spec"] for each in m.of_kind(rendered(), "PodDisruptionBudget")]
    return [each for each in found if selects(each["selector"], labels(name))]


def drains(name: str) -> timedelta:
    """For how long Ray drains a node that is told to end."""
    from ray._private import ray_constants

    set_to = m.settings(rendered(), m.ray_groups(rendered())[name]["template"]).get(DRAINS)
    return timedelta(seconds=float(set_to or ray_constants.RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S))


def leaves(name: str) -> tuple[timedelta, timedelta]:
    """How long a pod goes on before SIGTERM, and when it is killed, both from when it is told to go."""
    pod = m.ray_groups(rendered())[name]["template"]
    before = m.container(pod).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    return timedelta(seconds=before), timedelta(seconds=pod["spec"]["terminationGracePeriodSeconds"])


def test_a_drain_takes_a_worker_and_leaves_the_others() -> None:
    [budget] = budgets_of("cpu")
    assert budget["minAvailable"] == m.ray_groups(rendered())["cpu"]["minReplicas"] - 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_a_budget_of_ray_pods_says_how_many_stay_as_a_number() -> None:
    """A RayCluster has no scale subresource: Kubernetes cannot tell of how many pods some may be unavailable."""
    for name in m.ray_groups(rendered()):
        for budget in budgets_of(name):
            assert isinstance(budget["minAvailable"], int)
            assert "maxUnavailable" not in budget


def test_no_budget_forbids_to_drain_the_head_and_no_autoscaler_does_it_for_its_cost() -> None:
    assert budgets_of("head") == []
    notes = m.ray_groups(rendered())["head"]["template"]["metadata"]["annotations"]
    assert notes["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


@FROM_RAY
@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_a_worker_serves_on_until_others_know_that_it_goes_and_has_drained_before_it_is_killed(name: str) -> None:
    before, killed = leaves(name)
    assert before >= timedelta(seconds=5)
    assert killed >= before + drains(name) + ENDS


@FROM_RAY
def test_a_head_that_is_told_to_end_makes_way_at_once() -> None:
    assert drains("head") == timedelta(0)
    assert leaves("head")[1] >= ENDS


@FROM_RAY
def test_a_worker_that_is_drained_ends_what_it_has_begun() -> None:
    """A chunk, and the piece at its end that may last as long again."""
    settings = Settings()
    assert replicas.of_the_worker(settings)["graceful_shutdown_timeout_s"] >= 2 * settings.chunk_s
    assert drains("cpu") > timedelta(seconds=replicas.of_the_worker(settings)["graceful_shutdown_timeout_s"])


def test_workers_are_spread_over_nodes_and_zones() -> None:
    spread = m.ray_groups(rendered())["cpu"]["template"]["spec"]["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert all(selects(each["labelSelector"], labels("cpu")) for each in spread)


def test_what_the_head_knows_is_kept_in_a_redis_with_a_password_that_is_a_secret() -> None:
    kept = m.one(rendered(), "RayService")["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]
    assert kept.keys() == {"redisAddress", "redisPassword"}  # the keys of each cluster are KubeRay's to name
    assert kept["redisPassword"] == {"valueFrom": {"secretKeyRef": {"name": "ray-redis", "key": "password"}}}
    head = m.ray_groups(rendered())["head"]
    refused_by_kuberay = {"RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "RAY_external_storage_namespace"}
    assert not refused_by_kuberay & m.settings(rendered(), head["template"]).keys()
    assert "redis-password" not in head["rayStartParams"]
    assert "secret generic ray-redis" in (m.ROOT / "docs/deployment.md").read_text(encoding="utf-8")


def test_the_head_and_the_job_that_clears_up_after_it_reach_that_redis_and_workers_do_not() -> None:
    kept = m.one(rendered(), "RayService")["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]
    port = int(kept["redisAddress"].rpartition(":")[2])
    policies = [each["spec"] for each in m.of_kind(rendered(), "NetworkPolicy")]
    clearing = {**labels("head"), "ray.io/node-type": "redis-cleanup"}
    for pod, reaches in ((labels("head"), True), (clearing, True), (labels("cpu"), False)):
        rules = [rule for each in policies if selects(each["podSelector"], pod) for rule in each.get("egress", [])]
        assert any({"port": port} in rule.get("ports", []) for rule in rules) is reaches


def test_a_cluster_on_one_machine_needs_no_redis_for_its_head() -> None:
    local = m.overlay("local")
    assert "gcsFaultToleranceOptions" not in m.one(local, "RayService")["spec"]["rayClusterConfig"]
    assert m.of_kind(local, "PodDisruptionBudget") == []
