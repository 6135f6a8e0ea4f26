"""One node of a Ray cluster, as a pod of KubeRay is one: `head PORT`, or `worker ADDRESS`; or, as KubeRay does it from
outside, `deploy ADDRESS` with the simulator, which ends and leaves it there.

A head takes the password of the Redis in RAY_REDIS_ADDRESS from REDIS_PASSWORD. It has no cores, as on Kubernetes. What
is ready is told in a line on stdout; a node stays until it is killed, or stdin ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import timedelta

from simulator.serve.__main__ import prepare_environment
from tests.kernels import KERNELS

APPLICATION = "simulator"
WITHIN = timedelta(seconds=180)
LOOKS_S = 0.5


def main(kind: str, where: str) -> None:
    """`where` is the port of a head, else the address of one."""
    prepare_environment()
    if kind == "deploy":
        deploy(where)
        return
    told = node(kind, where)
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()
    sys.stdin.read()


def node(kind: str, where: str) -> dict[str, str]:
    """Starts its processes, which end with this one; the address of the cluster's head."""
    from ray._private.node import Node  # it reads the environment when imported
    from ray._private.parameter import RayParams

    ours = {"include_dashboard": False, "include_log_monitor": False, "object_store_memory": 80 << 20}
    ports = {"min_worker_port": 0, "max_worker_port": 0, "node_manager_port": 0}
    if kind == "head":
        password = os.environ["REDIS_PASSWORD"]
        params = RayParams(gcs_server_port=int(where), num_cpus=0, redis_password=password, **ours, **ports)
    else:
        params = RayParams(gcs_address=where, num_cpus=2, **ours, **ports)
        params.dashboard_agent_listen_port = None  # any: that of the head is taken
    started = Node(params, head=kind == "head", shutdown_at_exit=True, spawn_reaper=True)
    return {"address": str(started.gcs_address)}


def deploy(address: str) -> None:
    """The app with one worker, on the nodes that have cores; returns when a simulation has gone through it."""
    import ray  # it reads the environment when imported
    from ray import serve
    from ray.serve.config import HTTPOptions, ProxyLocation, gRPCOptions
    from ray.serve.schema import LoggingConfig

    from simulator.serve.app import GRPC_SERVICES, application
    from simulator.serve.settings import Settings

    http, grpc, of_the_worker = (
        int(os.environ[name]) for name in ("HEAD_HTTP_PORT", "HEAD_GRPC_PORT", "RAY_SERVE_WORKER_PROXY_GRPC_PORT")
    )
    ray.init(address=address, log_to_driver=False)
    serve.start(
        proxy_location=ProxyLocation.EveryNode,
        http_options=HTTPOptions(host="127.0.0.1", port=http),
        grpc_options=gRPCOptions(port=grpc, grpc_servicer_functions=list(GRPC_SERVICES)),
        logging_config=LoggingConfig(enable_access_log=False),
    )
    settings = Settings(ingress_cpus=0.5, compile_cache=str(KERNELS))
    serve.run(application(settings), name=APPLICATION, route_prefix=f"/{APPLICATION}")
    while not answers(f"127.0.0.1:{of_the_worker}"):
        time.sleep(LOOKS_S)


def answers(target: str) -> bool:
    """Whether the proxy there knows the app; a new one is told of it a little later."""
    from simulator.serve import probe

    try:
        probe.simulate(target, APPLICATION, within=WITHIN)
    except probe.NotReady as error:
        sys.stderr.write(f"{error}\n")
        return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
