"""How the app is sized and paced: frozen, validated, and the same for a laptop and for a RayService."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "min_workers": (1, 10_000),
    "max_workers": (1, 10_000),
    "worker_cpus": (1, 1_024),
    "worker_gpus": (0, 16),
    "target_ongoing_requests": (0.1, 1.9),
    "ingress_replicas": (1, 1_000),
    "ingress_cpus": (0, 64),
    "max_simulations": (1, 10_000),
    "retry_delay_s": (0.1, 600),
    "chunk_s": (0.05, 2),
    "chunk_attempts": (1, 100),
    "progress_s": (0.05, 1),
    "checkpoint_s": (0.1, 600),
}


A_THREAD: Final = 2
"""Calls for the thread of a worker: one that runs and one that waits, so that it never idles."""


class InvalidSettings(ValueError):
    """The app cannot be built from these settings; the message names all that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sizes and paces.

    min_workers, max_workers: replicas of the worker deployment; equal means no autoscaling. worker_cpus: cores a worker
    reserves, and threads it computes with. worker_gpus: GPUs a worker reserves. target_ongoing_requests: chunks, and
    small simulations, that a worker should have, running and waiting, before another is started; a large simulation
    gives it two.
    max_simulations: what one ingress replica runs at a time before it refuses; retry_delay_s: what it then advises.
    chunk_s: the longest a chunk of blocks keeps a worker. chunk_attempts: workers that may die over one chunk.
    progress_s, checkpoint_s: the longest between two messages of a kind. compile_cache: a folder, or "" for none.
    """

    min_workers: int = 1
    max_workers: int = 1
    worker_cpus: int = 1
    worker_gpus: float = 0
    target_ongoing_requests: float = 1.5
    ingress_replicas: int = 1
    ingress_cpus: float = 0
    max_simulations: int = 32
    retry_delay_s: float = 2
    chunk_s: float = 1
    chunk_attempts: int = 5
    progress_s: float = 0.5
    checkpoint_s: float = 3
    compile_cache: str = ""

    @property
    def helpers(self) -> int:
        """Processes that simulate small accounts for a worker, one for each of its cores; 1: none but itself, as it is
        where a GPU runs the paths.
        """
        return 1 if self.worker_gpus else self.worker_cpus

    @property
    def places(self) -> int:
        """Calls that a worker holds: those for its thread, and one for each of its helpers."""
        return A_THREAD + (self.helpers if self.helpers > 1 else 0)

    def __post_init__(self) -> None:
        """Raises: InvalidSettings."""
        wrong = [
            f"{name} is {getattr(self, name)}, but must be from {low:g} to {high:g}"
            for name, (low, high) in _LIMITS.items()
            if not low <= getattr(self, name) <= high
        ]
        if self.min_workers > self.max_workers:
            wrong.append(f"min_workers is {self.min_workers}, but must be at most max_workers, {self.max_workers}")
        if wrong:
            raise InvalidSettings(f"The simulator cannot be built: {'; '.join(wrong)}.")


def from_args(args: Mapping[str, object]) -> Settings:
    """Settings from the `args` of an application in a Serve config. Raises: InvalidSettings."""
    kinds = {each.name: str(each.type) for each in fields(Settings)}
    unknown = [f"{name} is unknown (known: {', '.join(kinds)})" for name in args if name not in kinds]
    mistyped = [
        f"{name} is {value!r}, but must be of type {kinds[name]}"
        for name, value in args.items()
        if name in kinds and not _fits(kinds[name], value)
    ]
    if unknown or mistyped:
        raise InvalidSettings(f"The simulator cannot be built: {'; '.join(unknown + mistyped)}.")
    return Settings(**args)  # type: ignore[arg-type]  # each value has just been checked against its field's type


def _fits(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return False
    wanted: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,)}
    return isinstance(value, wanted[kind])


def without_scale(settings: Settings) -> Settings:
    """The settings without the number of workers, of which the replicas are told apart, as it may change."""
    return replace(settings, min_workers=1, max_workers=1)
