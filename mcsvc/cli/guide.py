"""The commands to copy that `mcsvc devstack` prints: each line works as it stands, in the order of the lines."""

from __future__ import annotations

import shlex
import shutil
import sysconfig

from mcsvc.devstack.stack import Stack

_SERVICE = "montecarlo.v1.SimulationService"
_PATHS, _LONG = 1_000_000, 1_000_000_000
_ONE = """{"id": "'$ID'"}"""
_KEEP_ID = r"""tee -a /dev/stderr | sed -n 's/.*"id": "\([^"]*\)".*/\1/p'"""


def guide(stack: Stack, assessment_id: str, account_id: str) -> list[str]:
    """Commands with this stack's addresses. Each group sets the ID that its later lines use."""
    return [
        "",
        "# The service's own command",
        *_own_command(stack, assessment_id, account_id),
        "",
        "# gRPC; ID becomes the id that TriggerSimulation answers",
        *_grpc(stack.grpc_target, account_id),
        "",
        "# The same, of a long one that is cancelled",
        *_cancelled(stack.grpc_target, account_id),
        "",
        "# HTTP",
        *_http(stack.http_url, account_id),
        "",
        f"# Logs: {stack.run.directory}/*.log",
        "",
    ]


def _own_command(stack: Stack, assessment_id: str, account_id: str) -> list[str]:
    path = "" if shutil.which("mcsvc") else f'PATH={shlex.quote(sysconfig.get_path("scripts"))}:"$PATH" '
    brokers = shlex.quote(stack.environment["KAFKA_BROKERS"])
    return [
        f"export {path}MCSVC_SERVER={stack.grpc_target} KAFKA_BROKERS={brokers}",
        f"mcsvc trigger --funded-account {account_id} --paths {_PATHS} --watch",
        f"mcsvc publish-assessment {assessment_id}",
        "mcsvc list",
    ]


def _grpc(target: str, account_id: str) -> list[str]:
    return [
        f"grpcurl -plaintext {target} list",
        f"grpcurl -plaintext {target} describe {_SERVICE}",
        f"grpcurl -plaintext {target} grpc.health.v1.Health/Check",
        f"ID=$({_call(target, 'TriggerSimulation', _request(account_id, _PATHS))} | {_KEEP_ID})",
        f"""{_call(target, "WatchSimulation", _ONE)} | grep -E '"(state|paths_done)"'""",
        _call(target, "GetSimulation", _ONE),
        _call(target, "ListSimulations", '{"filter": "state = SUCCEEDED"}'),
    ]


def _cancelled(target: str, account_id: str) -> list[str]:
    return [
        f"ID=$({_call(target, 'TriggerSimulation', _request(account_id, _LONG))} | {_KEEP_ID})",
        _call(target, "CancelSimulation", _ONE),
    ]


def _call(target: str, method: str, body: str) -> str:
    return f"grpcurl -plaintext -d '{body}' {target} {_SERVICE}/{method}"


def _http(base: str, account_id: str) -> list[str]:
    body = _request(account_id, _PATHS)
    return [
        f"curl -sS {base}/health",
        f"curl -sS {base}/ready",
        f"ID=$(curl -sS -H 'content-type: application/json' -d '{body}' {base}/simulations | {_KEEP_ID})",
        f"curl -sS {base}/simulations/$ID",
        f"curl -sS '{base}/simulations?page_size=5'",
        f"curl -sS {base}/metrics | grep ^mcsvc_ | grep -v _bucket",
    ]


def _request(account_id: str, paths: int) -> str:
    return f'{{"subject": {{"funded_account_id": "{account_id}"}}, "settings": {{"paths": {paths}}}}}'
