"""A Ray cluster of this machine, or one that is joined, with the simulator served on it."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import ray
from ray import serve
from ray.serve.config import HTTPOptions, ProxyLocation, gRPCOptions
from ray.serve.schema import LoggingConfig

from simulator.serve import probe, processes
from simulator.serve.app import GRPC_SERVICES, application
from simulator.serve.settings import Settings

LOOPBACK: Final = "127.0.0.1"
SHORT: Final = "/tmp"  # noqa: S108 — mkdtemp makes a private folder; Ray's socket paths must stay under 107 bytes
OBJECT_STORE_BYTES: Final = 128 << 20
STARTS_WITHIN: Final = timedelta(seconds=180)
DRAINS_WITHIN: Final = timedelta(seconds=5)
ENDS_WITHIN: Final = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to serve. address: of a cluster to join, else "" for one of our own. Port 0: a free one.
    num_cpus: what our own cluster believes it has."""

    application: str
    port: int
    http_port: int
    address: str
    num_cpus: int


class CannotDeploy(RuntimeError):
    """The app cannot be served here; the message says why."""


class Cluster:
    """A running app. Close it to stop all that was started for it."""

    def __init__(self, place: Place) -> None:
        """Starts or joins Ray, with the gRPC proxy; no app yet."""
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        self.place = replace(place, port=place.port or free_port(), http_port=place.http_port or free_port())
        self._folder = None if place.address else Path(tempfile.mkdtemp(prefix="mcs-", dir=SHORT))
        try:
            self.address = self._connect()
            serve.start(
                proxy_location=ProxyLocation.HeadOnly,
                http_options=HTTPOptions(host=LOOPBACK, port=self.place.http_port),
                grpc_options=gRPCOptions(port=self.place.port, grpc_servicer_functions=list(GRPC_SERVICES)),
                logging_config=LoggingConfig(enable_access_log=False),
            )
        except BaseException:
            self.close()
            raise

    @property
    def target(self) -> str:
        """Host and port of the gRPC proxy."""
        return f"{LOOPBACK}:{self.place.port}"

    def deploy(self, settings: Settings) -> None:
        """Serves the app, or changes its number of workers; returns when a simulation has gone through it.

        Raises: CannotDeploy.
        """
        self._see_that_there_are_gpus(settings)
        name = self.place.application
        try:
            serve.run(application(settings), name=name, route_prefix=f"/{name}")
        except RuntimeError as error:
            raise CannotDeploy(f"{error} {self._what_replicas_said()}") from error
        probe.simulate(self.target, name, within=STARTS_WITHIN)

    def _see_that_there_are_gpus(self, settings: Settings) -> None:
        """Ray would wait for them for ever. A cluster that is joined may get more."""
        resources: Any = ray.cluster_resources
        wanted, there = settings.min_workers * settings.worker_gpus, resources().get("GPU", 0)
        if self._folder is not None and there < wanted:
            raise CannotDeploy(
                f"{wanted:g} GPUs are wanted, {settings.worker_gpus:g} a worker, but Ray finds {there:g} here: see "
                "whether nvidia-smi lists them, or serve with --worker-gpus 0."
            )

    def _what_replicas_said(self) -> str:
        """Those that did not start; else nobody would see it, as the logs end with Ray."""
        app = serve.status().applications.get(self.place.application)
        said = [] if app is None else [app.message, *(each.message for each in app.deployments.values())]
        return "\n".join(each for each in said if each)

    def close(self) -> None:
        """Drains the app and ends every process that this one started."""
        with processes.ended(below=os.getpid(), within=ENDS_WITHIN):
            if ray.is_initialized():
                self._drain()
                ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _drain(self) -> None:
        """Lets replicas end by themselves and export their last spans; a cluster that is broken would not answer."""
        draining = threading.Thread(target=serve.delete, args=(self.place.application,), daemon=True)
        draining.start()
        draining.join(DRAINS_WITHIN.total_seconds())

    def _connect(self) -> str:
        if self._folder is None:
            ray.init(address=self.place.address, log_to_driver=False, logging_level=logging.WARNING)
        else:
            ray.init(
                num_cpus=self.place.num_cpus,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.WARNING,
                _temp_dir=str(self._folder / "ray"),  # one below: Ray opens its folder to everyone
            )
        return str(ray.get_runtime_context().gcs_address)


def free_port() -> int:
    """A TCP port that nobody has at the moment."""
    with socket.socket() as probe_socket:
        probe_socket.bind((LOOPBACK, 0))
        return int(probe_socket.getsockname()[1])
