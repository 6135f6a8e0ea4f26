"""Rows that hold every combination of so many parts that may stand together: a covering array, greedily."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product

Row = dict[str, object]
Partial = Mapping[str, object]
Combination = tuple[tuple[str, object], ...]


def covering(factors: Mapping[str, Sequence[object]], allowed: Callable[[Partial], bool], strength: int) -> list[Row]:
    """Few rows, the same each time; `allowed` says of some values whether they may stand together.

    Fewest, as a rule, with the factors of most values first.
    """
    factors = dict(sorted(factors.items(), key=lambda factor: -len(factor[1])))
    missing = dict.fromkeys(
        tuple(sorted(values.items()))
        for names in combinations(factors, strength)
        for values in (dict(zip(names, each, strict=True)) for each in product(*(factors[name] for name in names)))
        if allowed(values)
    )
    rows = []
    while missing:
        row = complete(dict(next(iter(missing))), factors, allowed, missing)
        for combination in covered(row, strength):
            missing.pop(combination, None)
        rows.append(row)
    return rows


def complete(
    row: Row,
    factors: Mapping[str, Sequence[object]],
    allowed: Callable[[Partial], bool],
    missing: Mapping[Combination, None],
) -> Row:
    """The row with a value for each factor: each the one that leaves the fewest combinations missing."""
    strength = len(next(iter(missing)))
    for name in (name for name in factors if name not in row):
        choices = [row | {name: value} for value in factors[name]]
        row = max(
            (choice for choice in choices if allowed(choice)),
            key=lambda choice: sum(each in missing for each in covered(choice, strength)),
        )
    return {name: row[name] for name in factors}


def covered(row: Partial, strength: int) -> list[Combination]:
    """The combinations that a row holds, each in one order of names."""
    return [tuple(each) for each in combinations(sorted(row.items()), strength)]
