"""What is simulated and what came of it, in the one serialised form that is stored and digested."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from mcsvc.domain.subject import Model, Settings
from mcsvc.ports.job_store import Snapshot, StoredResult
from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import result_pb2, rules_pb2, settings_pb2, trade_pb2

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far another system's clock may be ahead of the store's; a trade from further in the future is an error."""

_OURS: Final[tuple[Literal["paths", "horizon_days", "model", "trades_per_day", "block_length", "seed"], ...]] = (
    "paths", "horizon_days", "model", "trades_per_day", "block_length", "seed"
)  # fmt: skip
"""The settings that the service knows by name."""

_MODEL_TO_MESSAGE = {
    Model.IID: settings_pb2.RESAMPLING_MODEL_IID,
    Model.DAY: settings_pb2.RESAMPLING_MODEL_DAY,
    Model.STATIONARY: settings_pb2.RESAMPLING_MODEL_STATIONARY,
    Model.CIRCULAR: settings_pb2.RESAMPLING_MODEL_CIRCULAR,
    Model.NORMAL: settings_pb2.RESAMPLING_MODEL_NORMAL,
    Model.STUDENT_T: settings_pb2.RESAMPLING_MODEL_STUDENT_T,
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
    *,
    fetched_at: datetime | None = None,
) -> Snapshot:
    """The whole input of one simulation, serialised deterministically, with its digest.

    What was fetched is as of then, unless the settings name a present of their own. An input that came with a request
    is not dated: the same request, sent again, must be the same.
    """
    message = engine_pb2.SimulateInput(
        trades=trades, rules=rules, account=account, settings=to_settings_message(settings)
    )
    if fetched_at is not None and not message.settings.HasField("as_of"):
        message.settings.as_of.CopyFrom(_present(trades, fetched_at))
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
    message = json_format.Parse(settings.others or "{}", settings_pb2.SimulationSettings())
    message.MergeFrom(
        settings_pb2.SimulationSettings(
            paths=settings.paths,
            horizon_days=settings.horizon_days,
            model=_MODEL_TO_MESSAGE[settings.model],
            trades_per_day=settings.trades_per_day,
            block_length=settings.block_length,
            seed=settings.seed,
        )
    )
    return message


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
        others=_others(message),
    )


def _others(message: settings_pb2.SimulationSettings) -> str:
    rest = settings_pb2.SimulationSettings()
    rest.CopyFrom(message)
    for name in _OURS:
        rest.ClearField(name)
    if not rest.ListFields():
        return ""
    return json_format.MessageToJson(rest, preserving_proto_field_name=True, indent=None, sort_keys=True)


def _present(trades: Sequence[trade_pb2.Trade], fetched_at: datetime) -> Timestamp:
    """When the inputs were fetched, or the latest trade, if the clock that stamped it is a little ahead."""
    present = Timestamp()
    present.FromDatetime(fetched_at)
    latest = max((trade.closed_at for trade in trades), key=_instant, default=present)
    ahead = timedelta(seconds=latest.seconds - present.seconds)
    return latest if timedelta(0) <= ahead <= CLOCK_SKEW and _instant(latest) > _instant(present) else present


def _instant(time: Timestamp) -> tuple[int, int]:
    return time.seconds, time.nanos
