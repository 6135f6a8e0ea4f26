"""What the sample Core Service knows: assessments, funded accounts and their trades, as it answers them.

Read from a folder of `accounts.yaml`, `rules/*.yaml` and `trades/*.csv` (mcsvc/devstack/samples is one).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SAMPLES = Path(__file__).parent / "samples"

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything the service answers from, by id."""

    folder: Path
    assessments: Mapping[str, Record]
    funded_accounts: Mapping[str, Record]
    traders: Mapping[str, Sequence[Record]]

    def assessment(self, key: str) -> Record | None:
        """The assessment as it is answered, or None."""
        entry = self.assessments.get(key)
        if entry is None:
            return None
        # An assessment that has ended is simulated from a fresh account; only an open one stands somewhere.
        place = "account" if entry["outcome"] == "IN_PROGRESS" else "final_account"
        return self._shared(entry) | {"outcome": entry["outcome"], place: entry["account"]}

    def funded_account(self, key: str) -> Record | None:
        """The funded account as it is answered, or None."""
        entry = self.funded_accounts.get(key)
        if entry is None:
            return None
        return self._shared(entry) | {"status": entry["status"], "account": entry["account"]}

    def funded_ids(self, status: str | None) -> list[Record]:
        """Id and status of the funded accounts, by id; of one status, or of all."""
        entries = sorted(self.funded_accounts.values(), key=lambda entry: str(entry["id"]))
        return [
            {"id": entry["id"], "status": entry["status"]} for entry in entries if status in {None, entry["status"]}
        ]

    def trades(self, entry: Record) -> list[Record]:
        """The trades known of an assessment or funded account, by close time."""
        # Times are all "…Z" of one length, so their order is that of the strings.
        return [trade for trade in self.traders[entry["trader"]] if trade["closed_at"] <= entry["trades_until"]]

    def _shared(self, entry: Record) -> dict[str, Any]:
        rules = yaml.safe_load((self.folder / "rules" / entry["rules"]).read_text(encoding="utf-8"))
        return {"id": entry["id"], "trader_id": f"trd-{entry['trader']}", "rules": rules}


def load(folder: Path) -> Catalogue:
    """Read a data folder. Raises OSError or KeyError for one that is not whole."""
    index = yaml.safe_load((folder / "accounts.yaml").read_text(encoding="utf-8"))
    entries = [*index["assessments"], *index["funded_accounts"]]
    return Catalogue(
        folder=folder,
        assessments={entry["id"]: entry for entry in index["assessments"]},
        funded_accounts={entry["id"]: entry for entry in index["funded_accounts"]},
        traders={name: _trades(folder / "trades" / f"{name}.csv") for name in {entry["trader"] for entry in entries}},
    )


def _trades(path: Path) -> list[Record]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{column: value for column, value in row.items() if value} for row in csv.DictReader(file)]
