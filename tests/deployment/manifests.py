"""The manifests as a cluster would get them: rendered by kubectl, found by kind and name."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from mcsvc import config
from mcsvc.config_values import Secret

Manifest = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
OVERLAYS = ("local", "production")
SERVICE_PODS = {"app.kubernetes.io/name": "mcsvc", "app.kubernetes.io/component": "service"}


@cache
def render(folder: str) -> tuple[Manifest, ...]:
    """Everything a kustomization makes."""
    done = subprocess.run([KUBECTL, "kustomize", ROOT / folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def overlay(name: str) -> tuple[Manifest, ...]:
    """Everything of one overlay."""
    return render(f"k8s/overlays/{name}")


def of_kind(manifests: tuple[Manifest, ...], kind: str) -> list[Manifest]:
    """Those of one kind."""
    return [each for each in manifests if each["kind"] == kind]


def one(manifests: tuple[Manifest, ...], kind: str, name: str = "") -> Manifest:
    """The only one of that kind, or the one of that name."""
    found = [each for each in of_kind(manifests, kind) if name in {"", each["metadata"]["name"]}]
    assert len(found) == 1, f"{len(found)} of kind {kind} {name}"
    return found[0]


def service_pod(manifests: tuple[Manifest, ...]) -> Manifest:
    """The pod template of the service."""
    template: Manifest = one(manifests, "Deployment", "mcsvc")["spec"]["template"]
    return template


def migration_pod(manifests: tuple[Manifest, ...]) -> Manifest:
    """The pod template of the migration."""
    template: Manifest = one(manifests, "Job", "mcsvc-migrate")["spec"]["template"]
    return template


def ray_groups(manifests: tuple[Manifest, ...]) -> dict[str, Manifest]:
    """The groups of Ray pods by name: "head", "cpu" …"""
    cluster = one(manifests, "RayService")["spec"]["rayClusterConfig"]
    workers = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    return {"head": cluster["headGroupSpec"], **workers}


def pods(manifests: tuple[Manifest, ...]) -> Iterator[tuple[str, Manifest]]:
    """Every pod template, with a name for messages."""
    yield "service", service_pod(manifests)
    yield "migration", migration_pod(manifests)
    for name, group in ray_groups(manifests).items():
        yield f"ray {name}", group["template"]


def container(pod: Manifest) -> Manifest:
    """The only container of a pod."""
    (only,) = pod["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def settings(manifests: tuple[Manifest, ...], pod: Manifest) -> dict[str, str]:
    """The plain environment of a pod: its ConfigMaps, then its own values; no secrets."""
    names = [source["configMapRef"]["name"] for source in container(pod)["envFrom"]]
    data = [one(manifests, "ConfigMap", name)["data"] for name in names]
    own = {each["name"]: each["value"] for each in container(pod).get("env", []) if "value" in each}
    return {name: value for part in [*data, own] for name, value in part.items()}


def secret_names(pod: Manifest) -> set[str]:
    """The variables of a pod that come from a Secret."""
    return {each["name"] for each in container(pod)["env"] if "secretKeyRef" in each.get("valueFrom", {})}


def config_secrets() -> set[str]:
    """The variables that the service itself takes for secrets."""
    hints = get_type_hints(config.Config, include_extras=True)
    return {each.name for name, each in config.variables().items() if get_args(hints[name])[0] is Secret}


def config_defaults() -> dict[str, str]:
    """Every optional variable of the service with its default."""
    return {each.name: each.default for each in config.variables().values() if each.default is not None}


def quantity(text: str) -> float:
    """A Kubernetes quantity as a plain number: "500m" is 0.5, "8Gi" is 8 · 2^30."""
    number, suffix = re.fullmatch(r"([\d.]+)(m|Ki|Mi|Gi)?", text).groups()  # type: ignore[union-attr]  # a None fails
    return float(number) * {None: 1, "m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[suffix]
