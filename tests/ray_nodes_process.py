"""A Ray cluster of several nodes on this machine, with the simulator on it; nodes come and go when told to.

At first there is the head, which has the one worker that fits there; another is wanted as soon as there is work. The
argument says how many cores each node has. Each line on stdin is answered by one on stdout: `add` a node, which is
answered with its process, `kill` it, or `deploy` the app with other settings.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simulator.serve.__main__ import prepare_environment, tell_ready
from simulator.serve.settings import Settings
from tests.kernels import KERNELS

if TYPE_CHECKING:  # it imports ray, for which main() must prepare first
    from ray.cluster_utils import Cluster as Nodes

    from simulator.serve.cluster import Cluster

NODE = {
    "num_cpus": int(sys.argv[1]) if len(sys.argv) > 1 else 1,
    "object_store_memory": 80 << 20,
    "include_dashboard": False,
}
SETTINGS = Settings(min_workers=1, max_workers=2, compile_cache=str(KERNELS))


def main() -> None:
    """Until stdin ends."""
    prepare_environment()
    with tempfile.TemporaryDirectory(prefix="mcs-", dir="/tmp") as folder:  # Ray's socket paths must be short
        os.environ["RAY_TMPDIR"] = folder
        from ray.cluster_utils import Cluster as Nodes  # it reads the environment when imported

        from simulator.serve.cluster import Cluster, Place

        nodes = Nodes(initialize_head=True, head_node_args=NODE)
        place = Place(application="simulator", port=0, http_port=0, address=nodes.address, num_cpus=0)
        try:
            cluster = Cluster(place)
            try:
                cluster.deploy(SETTINGS)
                tell_ready(cluster, None)
                obey(nodes, cluster)
            finally:
                cluster.close()
        finally:
            nodes.shutdown()


def obey(nodes: Nodes, cluster: Cluster) -> None:
    """One node at a time."""
    added: Any = None
    for line in sys.stdin:
        [(what, how)] = json.loads(line).items()
        answer = {}
        match what:
            case "add":
                added = nodes.add_node(**NODE)
                [raylet] = added.all_processes["raylet"]
                answer = {"raylet": raylet.process.pid}
            case "kill":
                nodes.remove_node(added, allow_graceful=False)
            case "deploy":
                cluster.deploy(replace(SETTINGS, **how))
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
