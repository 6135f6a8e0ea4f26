"""docs/methodology.md is true to the engine: its warnings, tests, plots and numbers are those that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest

from scripts.methodology import drawing, oracles, quotes
from simulator.caveats import Code

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
TEXT = (DOCS / "methodology.md").read_text(encoding="utf-8")
FIGURES: dict[str, Any] = json.loads((DOCS / "plots" / "figures.json").read_text(encoding="utf-8"))


def section(heading: str) -> str:
    """What stands under a heading of the second level."""
    [found] = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


def test_every_warning_has_its_row_and_there_is_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", section("8. Diagnostics and warnings"), re.MULTILINE)
    assert sorted(rows) == sorted(Code)


def test_every_code_it_speaks_of_is_one() -> None:
    models = {"STATIONARY", "CIRCULAR", "DAY", "IID", "NORMAL", "STUDENT_T"}
    others = {"MAE", "MFE"}
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", TEXT)) <= models | others | set(Code)


def test_every_test_that_it_names_is_there() -> None:
    links = re.findall(r"\[(tests/[\w/.]+)\]\((\.\./tests/[\w/.]+)\)", TEXT)
    assert len(links) == len(re.findall(r"\(\.\./tests/", TEXT)) > 20
    for name, target in links:
        assert (DOCS / target).resolve() == ROOT / name
        assert (ROOT / name).is_file(), name


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT):
        assert (DOCS / target).exists(), target


@pytest.mark.parametrize("page", ["methodology.md", "rule-book.md"])
def test_every_heading_that_is_linked_is_there(page: str) -> None:
    there = {anchor(each) for each in re.findall(r"^##+ (.+)$", (DOCS / page).read_text("utf-8"), re.MULTILINE)}
    prefix = "" if page == "methodology.md" else re.escape(page)
    assert set(re.findall(rf"\]\({prefix}#([^)]+)\)", TEXT)) <= there


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_plot_is_shown_and_there_is_no_other() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(plots/([\w-]+\.svg)\)", TEXT)
    assert sorted(shown) == sorted(each.name for each in (DOCS / "plots").glob("*.svg"))


def test_plots_are_drawn_from_the_figures(tmp_path: Path) -> None:
    drawing.draw(FIGURES, tmp_path)
    for plot in (DOCS / "plots").glob("*.svg"):
        assert plot.read_bytes() == (tmp_path / plot.name).read_bytes(), f"{plot.name}: draw it with --draw-only"


def test_the_band_of_one_mark_is_that_of_its_interval_and_all_of_many_lie_in_theirs_as_often() -> None:
    within = NormalDist().cdf(drawing.furthest(24)) - NormalDist().cdf(-drawing.furthest(24))
    assert drawing.furthest(1) == pytest.approx(1.959964)
    assert within**24 == pytest.approx(0.95)


def test_plots_are_small() -> None:
    for plot in (DOCS / "plots").iterdir():
        assert plot.stat().st_size < 100_000, plot.name


def test_figures_are_quoted_as_they_were_found() -> None:
    flat = " ".join(TEXT.split())
    assert [line for line in quotes.lines(FIGURES) if " ".join(line.split()) not in flat] == []


@pytest.mark.parametrize("oracle", [oracles.reflection, oracles.ruin])
def test_quoted_figures_come_again_to_the_bit(oracle: Callable[[], Iterable[oracles.Row]]) -> None:
    """Both share a compilation."""
    found = list(oracle())
    assert found == [each for each in FIGURES["oracles"] if each["name"] in {row["name"] for row in found}]
