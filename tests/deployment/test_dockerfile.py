"""The Dockerfile: a target per program, each from its own lock, run as nobody, by commands that exist."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from fnmatch import fnmatch

import pytest

from tests.deployment import manifests as m
from tests.deployment.dockerfile import build_stage, build_tools, instructions, stages
from tests.deployment.lock import pins

LOCKS = {"mcsvc": "requirements/image-mcsvc.txt", "simulator": "requirements/image-simulator.txt"}
PROJECT = tomllib.loads((m.ROOT / "pyproject.toml").read_text())

for_each_target = pytest.mark.parametrize("target", LOCKS)


@for_each_target
def test_each_target_installs_its_own_lock_with_hashes_and_nothing_else(target: str) -> None:
    installs = [run for run in build_stage(target).all("RUN") if " install " in run]
    from_lock, project = installs
    assert re.search(rf"--require-hashes --no-deps --only-binary :all: -r {LOCKS[target]}$", from_lock)
    assert "install --no-index --no-deps --no-build-isolation ." in project


def test_the_image_of_the_service_has_neither_ray_nor_jax() -> None:
    assert not {"ray", "jax", "jaxlib", "numpy"} & set(pins(LOCKS["mcsvc"]))
    assert {"ray", "jax"} <= set(pins(LOCKS["simulator"]))


@for_each_target
def test_build_tools_come_from_the_lock_and_leave_again(target: str) -> None:
    assert set(build_tools()) <= set(pins(LOCKS[target]))
    assert any("uninstall --yes ${BUILD_TOOLS}" in run for run in build_stage(target).all("RUN"))


@for_each_target
def test_each_target_runs_as_the_numeric_user_of_its_pods(target: str) -> None:
    user, group = stages()[target].last("USER").split(":")
    assert int(user) > 0
    for name, pod in m.pods(m.overlay("production")):
        if m.container(pod)["image"].split(":")[0] == f"montecarlo/{target}":
            context = pod["spec"]["securityContext"]
            assert (context["runAsUser"], context["runAsGroup"]) == (int(user), int(group)), name


def test_the_entrypoint_of_the_service_is_its_console_script() -> None:
    target = stages()["mcsvc"]
    assert json.loads(target.last("ENTRYPOINT")) == ["mcsvc"]
    assert "mcsvc" in PROJECT["project"]["scripts"]
    pod = m.service_pod(m.overlay("production"))
    assert m.container(pod)["args"] == json.loads(target.last("CMD")) == ["serve"]


def test_the_entrypoint_of_the_simulator_is_a_module_that_runs() -> None:
    interpreter, option, module = json.loads(stages()["simulator"].last("ENTRYPOINT"))
    assert (interpreter, option) == ("python", "-m")
    assert importlib.util.find_spec(f"{module}.__main__") is not None


@for_each_target
def test_exposed_ports_are_those_of_the_pods(target: str) -> None:
    exposed = {int(port) for port in stages()[target].last("EXPOSE").split()}
    for _, pod in m.pods(m.overlay("production")):
        if m.container(pod)["image"].startswith(f"montecarlo/{target}:") and "ports" in m.container(pod):
            assert exposed <= {each["containerPort"] for each in m.container(pod)["ports"]}


@for_each_target
def test_everything_that_is_copied_is_there_and_is_sent_to_the_builder(target: str) -> None:
    admitted = [line[1:] for line in (m.ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for copy in build_stage(target).all("COPY") for word in copy.split()[:-1]]
    packages = {package.split("/")[0] for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert packages | {"pyproject.toml", PROJECT["project"]["readme"]} <= set(copied)
    for path in copied:
        assert (m.ROOT / path).exists(), path
        assert any(fnmatch(path, pattern) for pattern in admitted), path


def test_python_of_the_images_is_one_the_project_supports() -> None:
    parents = {stage.parent for stage in stages().values()} - set(stages())
    (version,) = (re.fullmatch(r"python:3\.(\d+)-slim-\w+", parent) for parent in parents)
    assert version is not None
    low, high = re.findall(r"3\.(\d+)", PROJECT["project"]["requires-python"])
    assert int(low) <= int(version[1]) < int(high)


def test_no_address_of_a_package_index_is_in_the_file() -> None:
    assert not [argument for _, argument in instructions() if re.search(r"https?://|index-url", argument)]


def test_ray_is_found_by_a_login_shell_too() -> None:
    runs = " ".join(stages()["base"].all("RUN"))
    assert "/etc/profile.d/" in runs
    assert any("PATH=/opt/venv/bin:$PATH" in env for env in stages()["base"].all("ENV"))


def test_images_are_tagged_with_the_version_of_the_project() -> None:
    for _, pod in m.pods(m.overlay("production")):
        assert m.container(pod)["image"].split(":")[1] == PROJECT["project"]["version"]
