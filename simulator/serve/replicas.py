"""How many replicas of which size, as Ray Serve takes it."""

from __future__ import annotations

from typing import Any, Final

from simulator.serve.settings import Settings

LEAST_BUSY: Final = "simulator.serve.routing.LeastBusy"
UPSCALE_DELAY_S: Final = 5
DOWNSCALE_DELAY_S: Final = 300
_LIFE: Final = {
    "graceful_shutdown_timeout_s": 5,
    "graceful_shutdown_wait_loop_s": 0.1,
    "health_check_period_s": 5,
}


def of_the_worker(settings: Settings) -> dict[str, Any]:
    """Options of the worker deployment."""
    options: dict[str, Any] = {
        "max_ongoing_requests": settings.places,  # above `target_ongoing_requests`, or it would never scale up
        "request_router_config": {"request_router_class": LEAST_BUSY},
        "ray_actor_options": {"num_cpus": settings.worker_cpus, "num_gpus": settings.worker_gpus},
        **_LIFE,
    }
    if settings.min_workers == settings.max_workers:
        return options | {"num_replicas": settings.max_workers}
    return options | {
        "autoscaling_config": {
            "min_replicas": settings.min_workers,
            "max_replicas": settings.max_workers,
            "target_ongoing_requests": settings.target_ongoing_requests,
            "upscale_delay_s": UPSCALE_DELAY_S,
            "downscale_delay_s": DOWNSCALE_DELAY_S,
        }
    }


def of_the_ingress(settings: Settings) -> dict[str, Any]:
    """Options of the ingress deployment. It takes more calls than it serves, to refuse them itself, with advice."""
    return {
        "num_replicas": settings.ingress_replicas,
        "max_ongoing_requests": 2 * settings.max_simulations + 100,
        "ray_actor_options": {"num_cpus": settings.ingress_cpus},
        "user_config": {"max_workers": settings.max_workers},
        **_LIFE,
    }
