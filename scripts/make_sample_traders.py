"""Writes the sample traders of the sample Core Service: their trades, their accounts and a table of who they are.

`python scripts/make_sample_traders.py` rewrites mcsvc/devstack/samples; `--out DIR` writes elsewhere. The output
depends on nothing but the prices that the package `arch` ships, and on the rule files under samples/rules.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from sample_traders import replay, summary
from sample_traders.people import Trader, traders
from sample_traders.replay import Account, decimal
from sample_traders.trades import ClosedTrade

SAMPLES = Path(__file__).resolve().parent.parent / "mcsvc" / "devstack" / "samples"
COLUMNS = ("closed_at", "pnl", "opened_at", "mae", "mfe", "commission", "instrument", "quantity")


def main() -> None:
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SAMPLES, help="folder to write to")
    out: Path = parser.parse_args().out
    (out / "trades").mkdir(parents=True, exist_ok=True)
    people = traders()
    for trader in people:
        write_trades(out / "trades" / f"{trader.name}.csv", trader)
    (out / "accounts.yaml").write_text(accounts(people), encoding="utf-8")
    (out / "README.md").write_text(summary.readme(people), encoding="utf-8")


def write_trades(path: Path, trader: Trader) -> None:
    """One CSV of trades, by close time."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row(trade) for trade in trader.trades)


def row(trade: ClosedTrade) -> tuple[str, ...]:
    """The columns of one trade."""
    return (
        rfc3339(trade.closed_at),
        decimal(trade.pnl),
        rfc3339(trade.opened_at),
        decimal(trade.mae),
        decimal(trade.mfe),
        decimal(trade.commission),
        trade.instrument,
        str(trade.quantity),
    )


def accounts(people: list[Trader]) -> str:
    """The index of assessments and funded accounts, as YAML."""
    index: dict[str, list[dict[str, Any]]] = {"assessments": [], "funded_accounts": []}
    for trader in people:
        assessment, funded = careers(trader)
        index["assessments"].append(assessment)
        index["funded_accounts"].extend([funded] if funded else [])
    header = "# Written by scripts/make_sample_traders.py: do not edit.\n"
    return header + yaml.safe_dump(index, sort_keys=False, width=120)


def careers(trader: Trader) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The assessment of a trader, and the funded account if it was passed."""
    rules_file = f"assessment-{trader.programme}.yaml"
    assessed = [trade for trade in trader.trades if replay.new_york_day(trade) >= trader.assessed]
    account = replay.replay(rules(rules_file), assessed)
    outcome = {None: "IN_PROGRESS", "PASSED": "PASSED"}.get(account.verdict, "FAILED")
    assessment = {
        "id": f"asm-{trader.name}-001",
        "trader": trader.name,
        "outcome": outcome,
        "rules": rules_file,
        **ending(account, trader),
    }
    return assessment, funded(trader, account) if outcome == "PASSED" else None


def funded(trader: Trader, passed: Account) -> dict[str, Any]:
    """The funded account that begins on the day after the assessment was passed."""
    if passed.last_close is None:
        raise ValueError(f"{trader.name} passed without a trade. Check the target of {trader.programme}.")
    rules_file = f"funded-{trader.programme}.yaml"
    after = [trade for trade in trader.trades if trade.closed_at.date() > passed.last_close.date()]
    account = replay.replay(rules(rules_file), after)
    return {
        "id": f"acc-{trader.name}-001",
        "trader": trader.name,
        "status": account.verdict or "ACTIVE",
        "rules": rules_file,
        **ending(account, trader),
    }


def ending(account: Account, trader: Trader) -> dict[str, Any]:
    """Where an account stands, and up to when its trader's trades were known then."""
    last = trader.trades[-1].closed_at
    return {
        "trades_until": rfc3339(account.last_close or last) if account.verdict else rfc3339(last),
        "account": {
            "balance": decimal(account.balance),
            "high_water_mark": decimal(account.high),
            "days_traded": account.days,
            "qualifying_days": account.good_days,
        },
    }


def rules(name: str) -> Mapping[str, Any]:
    """A rule file by name."""
    loaded: Mapping[str, Any] = yaml.safe_load((SAMPLES / "rules" / name).read_text(encoding="utf-8"))
    return loaded


def rfc3339(moment: datetime) -> str:
    """A moment in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    main()
