"""The currencies that an account may be in, with their minor units.

Source: ISO 4217, list one, as amended to 1 January 2026 (https://www.six-group.com, "data standards"). Left out are
codes without a minor unit there (metals, special drawing rights, tests), and coins such as USDT or BTC, which are not
in it: an account in USDT is simulated as one in USD. Codes withdrawn since 2021 are taken, as accounts of those years
name them.
"""

from __future__ import annotations

from typing import Final

_TWO: Final = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
    CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
    MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
    SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG
    YER ZAR ZMW ZWG
"""
_WITHDRAWN: Final = "ANG BGN CUC HRK SLL ZWL"
_OTHER: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DIGITS: Final = {
    **dict.fromkeys((_TWO + _WITHDRAWN).split(), 2),
    **{code: digits for digits, codes in _OTHER.items() for code in codes.split()},
}
"""Decimals of the minor unit, by code."""
_USUAL: Final = ("USD", "EUR", "GBP", "CHF", "JPY", "AUD", "CAD")
"""Of those that are as near, these are meant first."""
_NAMED: Final = 3
_LONGEST_SLIP: Final = 4  # characters: a code and one more


class UnknownCurrency(ValueError):
    """A text is no currency code. The message says so and names codes that may be meant."""


def minor_digits(code: str) -> int:
    """Decimals of a currency's minor unit. Raises UnknownCurrency."""
    if code not in DIGITS:
        near = _near(code)
        meant = f"did you mean {' or '.join(near)}?" if near else "write its three capital letters, such as USD"
        raise UnknownCurrency(f"{code[:40]!r} is not a currency code of ISO 4217: {meant}")
    return DIGITS[code]


def _near(text: str) -> list[str]:
    """Codes that are this text in capitals or its beginning, else its letters in another order, else all but one."""
    if len(text) > _LONGEST_SLIP:  # which may be millions
        return []
    written = text.upper()
    known = sorted(DIGITS, key=lambda code: (code not in _USUAL, code))
    same = [code for code in known if written.startswith(code)]
    turned = [code for code in known if sorted(code) == sorted(written)]
    slips = [code for code in known if len(written) == len(code) and _differing(code, written) == 1]
    return (same or turned or slips)[:_NAMED]


def _differing(one: str, other: str) -> int:
    return sum(left != right for left, right in zip(one, other, strict=True))
