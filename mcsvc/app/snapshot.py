"""What is simulated and what came of it, in the one serialised form that is stored and digested."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mcsvc.domain.subject import Model, Settings
from mcsvc.ports.job_store import Snapshot, StoredResult
from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import result_pb2, rules_pb2, settings_pb2, trade_pb2

_MODEL_TO_MESSAGE = {
    Model.IID: settings_pb2.RESAMPLING_MODEL_IID,
    Model.DAY: settings_pb2.RESAMPLING_MODEL_DAY,
    Model.STATIONARY: settings_pb2.RESAMPLING_MODEL_STATIONARY,
}
_MODEL_FROM_MESSAGE = {
    settings_pb2.RESAMPLING_MODEL_UNSPECIFIED: Model.STATIONARY,
    **{message: model for model, message in _MODEL_TO_MESSAGE.items()},
}


def build_snapshot(
    trades: Sequence[trade_pb2.Trade],
    rules: rules_pb2.AccountRules,
    account: rules_pb2.AccountState | None,
    settings: Settings,
) -> Snapshot:
    """The whole input of one simulation, serialised deterministically, with its digest."""
    message = engine_pb2.SimulateInput(
        trades=trades, rules=rules, account=account, settings=to_settings_message(settings)
    )
    data = message.SerializeToString(deterministic=True)
    return Snapshot(data=data, digest=hashlib.sha256(data).hexdigest())


def store_form(result: result_pb2.SimulationResult) -> StoredResult:
    """A result as stored. Its digest leaves out `elapsed_s`, so equal runs have equal digests."""
    timeless = result_pb2.SimulationResult()
    timeless.CopyFrom(result)
    timeless.ClearField("elapsed_s")
    digest = hashlib.sha256(timeless.SerializeToString(deterministic=True)).hexdigest()
    return StoredResult(data=result.SerializeToString(deterministic=True), digest=digest)


def to_settings_message(settings: Settings) -> settings_pb2.SimulationSettings:
    """Settings as the contracts have them. A seed of None stays unset: the engine derives it from the input."""
    return settings_pb2.SimulationSettings(
        paths=settings.paths,
        horizon_days=settings.horizon_days,
        model=_MODEL_TO_MESSAGE[settings.model],
        trades_per_day=settings.trades_per_day,
        block_length=settings.block_length,
        seed=settings.seed,
    )


def from_settings_message(message: settings_pb2.SimulationSettings) -> Settings:
    """The settings a message asks for. Raises ValueError for a model this version does not know."""
    model = _MODEL_FROM_MESSAGE.get(message.model)
    if model is None:
        raise ValueError(f"Model {message.model} is unknown; give one of {[m.name for m in Model]}.")
    return Settings(
        paths=message.paths,
        horizon_days=message.horizon_days,
        model=model,
        trades_per_day=message.trades_per_day,
        block_length=message.block_length,
        seed=message.seed if message.HasField("seed") else None,
    )
