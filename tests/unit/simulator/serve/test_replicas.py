"""Replicas are sized as the settings say, and in a way that Ray Serve can scale."""

from __future__ import annotations

import asyncio
import pkgutil

import pytest

from simulator.serve import replicas
from simulator.serve.settings import Settings


def test_a_fixed_number_of_workers_is_not_autoscaled() -> None:
    options = replicas.of_the_worker(Settings(min_workers=3, max_workers=3, worker_cpus=2))

    assert options["num_replicas"] == 3
    assert "autoscaling_config" not in options
    assert options["ray_actor_options"] == {"num_cpus": 2, "num_gpus": 0}


def test_a_range_of_workers_is_autoscaled_on_less_than_a_worker_can_hold() -> None:
    options = replicas.of_the_worker(Settings(min_workers=3, max_workers=10, worker_cpus=8, worker_gpus=1))

    scaling = options["autoscaling_config"]
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (3, 10)
    assert scaling["target_ongoing_requests"] < options["max_ongoing_requests"]
    assert "num_replicas" not in options
    assert options["ray_actor_options"] == {"num_cpus": 8, "num_gpus": 1}


def test_a_worker_holds_two_calls_and_a_small_simulation_for_each_helper() -> None:
    def places(**settings: float) -> int:
        return int(replicas.of_the_worker(Settings(**settings))["max_ongoing_requests"])  # type: ignore[arg-type]

    assert [places(worker_cpus=1), places(worker_cpus=7), places(worker_cpus=7, worker_gpus=1)] == [2, 9, 2]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, when it is first imported
def test_calls_go_to_the_worker_with_the_fewest_of_all() -> None:
    chosen = replicas.of_the_worker(Settings())["request_router_config"]["request_router_class"]
    router = pkgutil.resolve_name(chosen)
    workers = [object() for _ in range(5)]

    [rank] = asyncio.run(router.choose_replicas(object.__new__(router), workers))
    others = [asyncio.run(router.choose_replicas(object.__new__(router), workers)) for _ in range(20)]

    assert len(rank) == 5
    assert set(rank) == set(workers)
    assert any(each != [rank] for each in others)  # so that not all ingresses begin with the same one


def test_the_ingress_gets_the_calls_that_it_is_to_refuse() -> None:
    options = replicas.of_the_ingress(Settings(max_simulations=7, max_workers=4))

    assert options["max_ongoing_requests"] > 7
    assert options["user_config"] == {"max_workers": 4}
