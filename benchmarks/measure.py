"""Times contenders side by side: in turn, several rounds, the best of each, so that a noisy machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Best and median seconds of one contender, and what its last call returned."""

    best_s: float
    median_s: float
    answer: object


def side_by_side(contenders: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Timing]:
    """Call each once to warm up, then `rounds` times in turn."""
    answers = {name: call() for name, call in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            begin = time.perf_counter()
            answers[name] = call()
            seconds[name].append(time.perf_counter() - begin)
    return {
        name: Timing(best_s=min(taken), median_s=sorted(taken)[len(taken) // 2], answer=answers[name])
        for name, taken in seconds.items()
    }
