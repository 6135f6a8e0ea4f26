"""Which currencies there are, their minor units, and what is said of a code that is none."""

from __future__ import annotations

import re

import pytest

from riskio import currencies
from riskio.currencies import DIGITS, UnknownCurrency, minor_digits


@pytest.mark.parametrize(("code", "digits"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("XCG", 2)])
def test_a_currency_has_the_minor_unit_that_iso_4217_gives_it(code: str, digits: int) -> None:
    assert minor_digits(code) == digits


def test_the_codes_are_those_of_the_list_each_once() -> None:
    assert len(DIGITS) == 171
    assert all(re.fullmatch("[A-Z]{3}", code) for code in DIGITS)


@pytest.mark.parametrize("code", ["BGN", "HRK"])
def test_a_code_that_was_withdrawn_lately_can_still_be_read(code: str) -> None:
    assert minor_digits(code) == 2


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("UDS", "did you mean USD?"),
        ("usd", "did you mean USD?"),
        ("USDT", "did you mean USD?"),
        ("Euro", "did you mean EUR?"),
        ("EUX", "did you mean EUR?"),
        ("USX", "did you mean USD or UGX or USN?"),
        ("$", "write its three capital letters, such as USD"),
        ("", "write its three capital letters, such as USD"),
        ("DOGE" * 20, "write its three capital letters, such as USD"),
    ],
)
def test_what_is_none_is_refused_with_those_that_may_be_meant(code: str, meant: str) -> None:
    with pytest.raises(UnknownCurrency) as caught:
        minor_digits(code)
    assert str(caught.value) == f"{code[:40]!r} is not a currency code of ISO 4217: {meant}"


@pytest.mark.parametrize("code", ["XAU", "XDR", "XXX", "XTS", "BTC"])
def test_metals_coins_and_codes_that_are_no_money_are_not_taken(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        minor_digits(code)


def test_a_text_of_megabytes_is_refused_as_soon_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of its letters are compared: one request could else keep a process busy for minutes."""
    monkeypatch.setattr(currencies, "sorted", None, raising=False)
    with pytest.raises(UnknownCurrency, match="such as USD"):
        minor_digits("U" * 24_000_000)
