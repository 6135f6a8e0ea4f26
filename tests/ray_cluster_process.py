"""The cluster of a test run: `python -m simulator.serve`, and besides it changes the number of workers when told to.

Each line on stdin is a number of workers; it is told on stdout once a simulation has gone through the app again.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.serve.__main__ import main, parse, settings_of

if TYPE_CHECKING:  # it imports ray, for which main() must prepare first
    from simulator.serve.cluster import Cluster


def obey(cluster: Cluster) -> None:
    """Until stdin ends."""
    settings = settings_of(parse(sys.argv[1:]))
    for line in sys.stdin:
        workers = int(line)
        cluster.deploy(replace(settings, min_workers=workers, max_workers=workers))
        sys.stdout.write(f"{json.dumps({'workers': workers})}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:], meanwhile=obey)
