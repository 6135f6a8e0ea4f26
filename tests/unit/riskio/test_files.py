"""The file formats: what is read, and how a bad file is told where it is bad."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from montecarlo.v1 import rules_pb2
from riskio import files
from riskio.files import InvalidFile

RULES = """
version: example-50k-2026-01
currency: USD
starting_balance: "50000.00"
max_drawdown: {kind: TRAILING_END_OF_DAY, amount: "2000.00", lock_balance: "50100.00"}
breach: AT_OR_BELOW
daily_loss: {amount: "1000.00", anchor: PRIOR_BALANCE, action: FAIL, reset_time: "17:00", time_zone: America/New_York}
profit_target: {amount: "3000.00"}
minimum_days: {days: 5, min_profit: "150.00"}
time_limit_days: 30
account: {balance: "50500.00", days_traded: 3}
"""


def written(folder: Path, text: str, name: str = "file") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, *, trades: bool) -> str:
    with pytest.raises(InvalidFile) as caught:
        files.read_trades(path) if trades else files.read_rules(path)
    return str(caught.value)


def test_trades_are_read_with_their_optional_columns_and_others_ignored(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "\ufeffopened_at,closed_at,pnl,mae,mfe,commission,instrument,quantity,mood\n"
        "2026-01-05T10:00:00-05:00,2026-01-05T16:00:00Z, -12.50 ,-20,3.5,1.20,ES,2,calm\n"
        ",2026-01-06T16:00:00.5+01:00,7,,,,,,\n",
    )
    first, second = files.read_trades(path)
    assert (first.pnl, first.mae, first.mfe, first.commission) == ("-12.50", "-20", "3.5", "1.20")
    assert (first.instrument, first.quantity) == ("ES", "2")
    assert first.opened_at.ToJsonString() == "2026-01-05T15:00:00Z"
    assert second.closed_at.ToJsonString() == "2026-01-06T15:00:00.500Z"
    assert not second.HasField("opened_at")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'closed_at'"),
        ("closed_at,pnl\n", "file: holds no trade"),
        ("closed_at;pnl\n2026-01-05T10:00:00Z;1\n", "line 1: has its columns parted by ';': save it with commas"),
        ("closed_at,pnl\n2026-01-05T10:00:00Z\n", "line 2: has 1 field, but the header names 2 columns: leave"),
        ("close_at,pnl\n", "did you mean 'close_at'"),
        ("closed_at\n", "'pnl'"),
        ("closed_at,pnl\n2026-01-05T16:00:00Z,1\nyesterday,1\n", "line 3, closed_at: 'yesterday' is not a time"),
        ("closed_at,pnl\n2026-01-05T16:00:00,1\n", "write it like 2026-01-05T16:00:00Z"),
        ("closed_at,pnl\n0001-01-01T00:00:00+05:00,1\n", "line 2, closed_at: '0001-01-01T00:00:00+05:00' is not in"),
        ("closed_at,PNL\n", "has no column 'pnl' (did you mean 'PNL'?)"),
        ("closed_at,pnl\n2026-01-05T16:00:00Z,7\n2026-01-06T16:00:00Z,-12,50\n", "line 3: has 3 fields, but the"),
        ("closed_at,pnl\n2026-01-05T16:00:00Z,-12,50\n", "is there a decimal comma"),
        ("closed_at,pnl\n2026-01-05T16:00:00Z,1,250.50\n", "or a comma between thousands?"),
        ("closed_at,pnl,\n2026-01-05T16:00:00Z,-12,50\n", "line 2: has '50' under a column without a name"),
        ("closed_at,pnl,mae\n2026-01-05T16:00:00Z,1\n", "line 2: has 2 fields, but the header names 3 columns"),
        ('closed_at,pnl,instrument\n2026-01-05T16:00:00Z,1,"ES\n2026-01-06T16:00:00Z,9,NQ\n', "is not a CSV file"),
        ("closed_at,pnl,pnl\n", "line 1: names the column 'pnl' twice"),
        ("closed_at,pnl,mood,mood\n", "line 1: names the column 'mood' twice"),
        ("closed_at,pnl,MAE\n", "line 1: has a column 'MAE', which is not known: write 'mae'"),
        ("closed_at,pnl,Pnl\n", "has a column 'Pnl', which is not known: write 'pnl'"),
        ("closed_at,pnl, mfe\n", "has a column ' mfe', which is not known: write 'mfe'"),
        ("closed_at,pnl,open_at\n", "has a column 'open_at', which is not known: write 'opened_at'"),
        ("closed_at,pnl,comission\n", "has a column 'comission', which is not known: write 'commission'"),
    ],
)
def test_a_bad_trade_file_is_told_where(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(written(tmp_path, text), trades=True)


def test_other_columns_and_empty_ones_are_ignored(tmp_path: Path) -> None:
    text = "closed_at,pnl,mood,strategy,ticket,symbol,,\n2026-01-05T16:00:00Z,1,calm,a,7,ES,,\n\n"
    [trade] = files.read_trades(written(tmp_path, text))
    assert trade.pnl == "1"


def test_a_row_has_its_currency_in_capital_letters(tmp_path: Path) -> None:
    text = "closed_at,pnl,currency\n2026-01-05T16:00:00Z,1,usd\n2026-01-05T17:00:00Z,1,\n2026-01-05T18:00:00Z,1,EUR\n"
    found = files.read_input(written(tmp_path, text, "t.csv"), written(tmp_path, RULES))
    assert [trade.currency for trade in found.trades] == ["USD", "", "EUR"]


def test_the_line_of_each_trade_is_where_its_row_ends(tmp_path: Path) -> None:
    row = "2026-01-05T16:00:00Z,1,"
    path = written(tmp_path, f'closed_at,pnl,instrument\n\n{row}ES\n{row}"two\nlines"\n{row}NQ\n')
    assert files.lines_of_trades(path) == [3, 5, 6]


def test_a_trade_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin"
    path.write_bytes(b"closed_at,pnl,instrument\n2026-01-05T16:00:00Z,1,\xfc\n")
    assert "UTF-8" in refusal(path, trades=True)


def test_rules_are_read_with_short_names_and_the_account(tmp_path: Path) -> None:
    rules, account = files.read_rules(written(tmp_path, RULES))
    assert rules.max_drawdown.kind == rules_pb2.DRAWDOWN_KIND_TRAILING_END_OF_DAY
    assert rules.breach == rules_pb2.BREACH_OPERATOR_AT_OR_BELOW
    assert (rules.daily_loss.anchor, rules.daily_loss.action) == (1, 1)
    assert (rules.minimum_days.days, rules.time_limit_days) == (5, 30)
    assert account is not None
    assert (account.balance, account.days_traded) == ("50500.00", 3)


def test_whole_numbers_may_be_quoted_and_null_is_none_given(tmp_path: Path) -> None:
    text = "starting_balance: '1'\ntime_limit_days: '30'\ntime_limit_calendar_days: null\n"
    rules, _ = files.read_rules(written(tmp_path, text))
    assert (rules.time_limit_days, rules.time_limit_calendar_days) == (30, 0)


def test_json_and_full_names_and_whole_numbers_are_read_alike(tmp_path: Path) -> None:
    tree = {"starting_balance": 50000, "max_drawdown": {"kind": "DRAWDOWN_KIND_STATIC", "percent": "10"}}
    rules, account = files.read_rules(written(tmp_path, json.dumps(tree)))
    assert (rules.starting_balance, rules.max_drawdown.kind) == ("50000", rules_pb2.DRAWDOWN_KIND_STATIC)
    assert account is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "starting_balance"),
        ("[1", "neither YAML nor JSON"),
        ("startin_balance: '1'", "rules.startin_balance: is an unknown key (did you mean 'starting_balance'?)"),
        ("max_drawdown: {knd: STATIC}", "rules.max_drawdown.knd: is an unknown key (did you mean 'kind'?)"),
        ("max_drawdown: {kind: STATICK}", "did you mean 'STATIC'?"),
        ("max_drawdown: {kind: UNSPECIFIED}", "is not one of STATIC"),
        ("max_drawdown: 5", "rules.max_drawdown: must hold keys"),
        ("starting_balance: 50000.10", "must be written in quotes"),
        ("time_limit_days: soon", "rules.time_limit_days: 'soon' is not a whole number up to 2147483647: write it"),
        ("time_limit_days: 1.5", "rules.time_limit_days: 1.5 is not a whole number"),
        ("time_limit_days: yes", "rules.time_limit_days: true is not a whole number"),
        ("time_limit_days: 2147483648", "rules.time_limit_days: 2147483648 is not a whole number up to"),
        ("minimum_days: {days: []}", "rules.minimum_days.days: [] is not a whole number"),
        ("max_drawdown: {amount: '1', percent: '1'}", "rules.max_drawdown: has both amount and percent: give one"),
        ("account: {balanc: '1'}", "account.balanc"),
        ("account: {balance: }", "account.balance: has no value: give one, or leave the key out"),
        ("currency: USD\nbreach: BELOW\ncurrency: EUR", "line 3: repeats the key 'currency' of line 1: give it once"),
        ("max_drawdown:\n  kind: STATIC\n  kind: STATIC", "line 3: repeats the key 'kind' of line 2"),
        ('{"currency": "USD",\n "currency": "EUR"}', "line 2: repeats the key 'currency' of line 1"),
        ("daily_loss: {amount: '1',\n reset_time: 17:00}", 'line 2: 17:00 must be written in quotes, "17:00"'),
        ("starting_balance: 17:00.5", 'line 1: 17:00.5 must be written in quotes, "17:00.5"'),
        ("starting_balance: 050000", 'line 1: 050000 must be written in quotes, "050000"'),
        ("version: 2026-01-02", 'rules.version: 2026-01-02 must be written in quotes, such as "2026-01-02"'),
        ("version: true", 'rules.version: true must be written in quotes, such as "true"'),
        ("version: 2026-13-01", "neither YAML nor JSON"),
    ],
)
def test_a_bad_rule_file_is_told_where(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(written(tmp_path, text), trades=False)
