"""docs/deployment.md names what there is."""

from __future__ import annotations

import re

import pytest

from mcsvc import config
from mcsvc.__main__ import main
from mcsvc.app.events import COMPLETED_TOPIC, FAILED_TOPIC
from tests.deployment import manifests as m

TEXT = (m.ROOT / "docs/deployment.md").read_text()


def test_every_topic_is_named() -> None:
    topics = {each.default for each in config.variables().values() if each.name.startswith("MCSVC_TOPIC_")}
    for topic in (*topics, COMPLETED_TOPIC, FAILED_TOPIC):
        assert f"`{topic}`" in TEXT, topic


def test_every_secret_is_named() -> None:
    for name in m.config_secrets():
        assert f"| `{name}` |" in TEXT, name


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"-- mcsvc (\w+)", TEXT))))
def test_every_verb_of_the_command_line_is_there(verb: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0


def test_every_variable_it_speaks_of_is_read() -> None:
    known = {each.name for each in config.variables().values()}
    assert set(re.findall(r"`(MCSVC_[A-Z_]+)`", TEXT)) <= known


def test_every_path_of_the_repository_is_there() -> None:
    named = re.findall(r"(?<![\w/.])((?:k8s|istio|tests|requirements)/[\w./-]+)", TEXT)
    made_by_the_reader = {"requirements/image-simulator-gpu.txt"}
    for path in set(named) - made_by_the_reader:
        assert (m.ROOT / path).exists(), path


def test_the_delay_before_an_old_ray_cluster_goes_is_the_one_of_the_manifest() -> None:
    spec = m.one(m.overlay("production"), "RayService")["spec"]
    assert f"{spec['rayClusterDeletionDelaySeconds']} s later" in TEXT
