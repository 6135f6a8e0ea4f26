"""Settings that would not work are refused at once, all of what is wrong in one message."""

from __future__ import annotations

import pytest

from simulator.serve.settings import InvalidSettings, Settings, from_args, without_scale


def test_args_of_a_serve_config_become_settings() -> None:
    args = {"min_workers": 3, "max_workers": 10, "worker_cpus": 8, "worker_gpus": 0.5, "compile_cache": "/cache"}

    settings = from_args(args)

    assert settings == Settings(min_workers=3, max_workers=10, worker_cpus=8, worker_gpus=0.5, compile_cache="/cache")


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidSettings) as refused:
        from_args({"workers": 3, "worker_cpus": "eight", "max_workers": True})

    assert all(name in str(refused.value) for name in ("workers is unknown", "'eight'", "max_workers is True"))


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"min_workers": 4, "max_workers": 3}, "at most max_workers"),
        ({"worker_cpus": 0}, "worker_cpus is 0"),
        ({"target_ongoing_requests": 2.0}, "target_ongoing_requests is 2.0"),
        ({"progress_s": 5.0}, "progress_s is 5.0"),
        ({"chunk_s": 10}, "chunk_s is 10"),
    ],
)
def test_sizes_that_cannot_work_are_refused(args: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidSettings, match=told):
        from_args(args)


def test_a_change_of_scale_alone_leaves_the_replicas_settings_as_they_are() -> None:
    small, large = Settings(max_workers=3), Settings(min_workers=5, max_workers=10)

    assert without_scale(small) == without_scale(large)
    assert without_scale(small) != without_scale(Settings(worker_cpus=2))


def test_a_worker_has_a_helper_for_each_core_but_none_beside_a_gpu() -> None:
    assert Settings(worker_cpus=8).helpers == 8
    assert Settings(worker_cpus=8, worker_gpus=0.5).helpers == 1
