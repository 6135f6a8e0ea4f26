"""One plan on the device: loads it once, runs its blocks, brings finished paths back to the host."""

from __future__ import annotations

import os

import jax
import jax.numpy as jnp
import numpy as np

from simulator import loading, rng
from simulator.errors import AmountsTooLarge
from simulator.kernel import Ended, Job, Shape, run_block
from simulator.planning import FAN_PATHS, Plan
from simulator.tally import Finished

os.environ.setdefault("PJRT_NPROC", "1")
"""XLA's own thread pool only competes with `engine.run`, which gives each core a block. Read when jax starts up."""


class Device:
    """A loaded plan. Safe to use from many threads."""

    def __init__(self, plan: Plan) -> None:
        """Pads and converts the plan's numbers; nothing is compiled yet."""
        self._plan = plan
        self._shape = Shape(
            features=loading.features(plan.spec),
            model=plan.model,
            fixed_days=plan.spec.settings.trades_per_day is not None,
            paths=plan.block_paths,
        )
        self._tables = loading.tables(plan.spec, plan.history, plan.block_length)
        self._levels = loading.levels(plan.spec, plan.horizon_days)
        self._fan = loading.fan(plan.shown_days, plan.horizon_days)

    def finished(self, block: int) -> Finished:
        """The paths of one block, without those beyond the plan's last."""
        first = block * self._plan.block_paths
        in_fan = first < FAN_PATHS
        job = Job(
            tables=self._tables,
            levels=self._levels,
            fan=self._fan if in_fan else None,
            key=jnp.asarray(rng.path_key(self._plan.seed, first >> 32)),
            first_path=jnp.asarray(np.uint32(first & 0xFFFFFFFF)),
        )
        with jax.enable_x64(True):  # noqa: FBT003 — jax's own signature
            ended = run_block(self._shape, job)
        if bool(ended.overflow):
            raise AmountsTooLarge
        return self._cut(ended, min(self._plan.block_paths, self._plan.paths - first))

    def _cut(self, ended: Ended, paths: int) -> Finished:
        rows = self._plan.fan_days
        return Finished(
            outcome=np.asarray(ended.outcome)[:paths],
            final_pnl=np.asarray(ended.balance)[:paths],
            max_drawdown=np.asarray(ended.max_drawdown)[:paths],
            days=np.asarray(ended.day)[:paths],
            trades=np.asarray(ended.trades)[:paths],
            fan=np.zeros((rows, 0), np.int32) if ended.fan is None else np.asarray(ended.fan)[:rows, :paths],
        )
