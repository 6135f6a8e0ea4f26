"""Servers that somebody else runs, for `mcsvc demo` and `mcsvc devstack` to use in place of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from mcsvc.devstack import stack
from mcsvc.devstack.core_service_data import SAMPLES
from mcsvc.devstack.redis import EmbeddedRedis, redis_server
from tests.postgres_server import PostgresServer
from tests.ray_cluster import ServedSimulator

ASSESSMENT, ACCOUNT = "asm-of-others-001", "acc-of-others-001"
NAMES = frozenset({"DATABASE_URL", "KAFKA_BROKERS", "RAY_SERVE_URL", "CORE_SERVICE_URL", "REDIS_HOST"})
_SETTINGS = ("MCSVC_", "KAFKA_", "REDIS_", "OTEL_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """By the variable that names a server: all that must be set to use it.

    ASSESSMENT and ACCOUNT are known to this Core Service only. `group` is a consumer group that starts afresh.
    """

    variables: Mapping[str, Mapping[str, str]]
    group: str

    def environ(self, named: Collection[str] = NAMES) -> dict[str, str]:
        """This process's environment, with these servers named and none else."""
        own = {name: text for name, text in os.environ.items() if name not in NAMES and not name.startswith(_SETTINGS)}
        own |= {"KAFKA_GROUP_ID": self.group}
        for name in named:
            own |= self.variables.get(name, {})
        return own


@pytest.fixture(scope="module")
def others(
    postgres_server: PostgresServer,
    kafka_brokers: str,
    simulator_address: Callable[..., ServedSimulator],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Others]:
    """All of them: those of this test run, a Core Service and, where this Python has one, a Redis."""
    database = postgres_server.create_database()
    with ExitStack() as servers:
        variables: dict[str, Mapping[str, str]] = {
            "DATABASE_URL": {"DATABASE_URL": postgres_server.url(database)},
            "KAFKA_BROKERS": {"KAFKA_BROKERS": kafka_brokers},
            "RAY_SERVE_URL": {"RAY_SERVE_URL": f"grpc://{simulator_address().target}"},
            "CORE_SERVICE_URL": {"CORE_SERVICE_URL": servers.enter_context(_core(tmp_path_factory.mktemp("core")))},
        }
        executable = redis_server()
        if executable is not None:
            redis = servers.enter_context(stack.running([EmbeddedRedis(executable=executable)], lambda ready: None))
            variables["REDIS_HOST"] = redis.environment
        yield Others(variables=variables, group=f"e2e.{uuid4().hex}")
    postgres_server.drop_database(database)


@contextmanager
def _core(folder: Path) -> Iterator[str]:
    """A Core Service that knows the sample traders by other ids; yields its address."""
    shutil.copytree(SAMPLES, folder, dirs_exist_ok=True)
    index = yaml.safe_load((SAMPLES / "accounts.yaml").read_text(encoding="utf-8"))
    known = {
        "assessments": [
            next(each for each in index["assessments"] if each["outcome"] == "PASSED") | {"id": ASSESSMENT}
        ],
        "funded_accounts": [index["funded_accounts"][0] | {"id": ACCOUNT}],
    }
    (folder / "accounts.yaml").write_text(yaml.safe_dump(known), encoding="utf-8")
    command = [sys.executable, "-m", "mcsvc.devstack.core_service", "--port", "0", "--data", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[1]
        finally:
            process.terminate()
