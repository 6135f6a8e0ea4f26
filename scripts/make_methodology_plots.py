"""Writes docs/plots: the numbers that docs/methodology.md quotes, found by the engine itself, and the plots of them.

`python scripts/make_methodology_plots.py` takes about twenty minutes on one core and always writes the same files;
`--draw-only` draws the numbers that are there, `--png DIR` writes pictures to look at besides. What it prints are the
numbers as docs/methodology.md quotes them: the tests hold the page to them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from scripts.methodology import comparisons, dependence, drawing, histories, intervals, oracles, quotes, shortfalls
from scripts.methodology.accounts import ROOT

PLOTS: Final = ROOT / "docs" / "plots"
FIGURES: Final = PLOTS / "figures.json"

STUDIES: Final[dict[str, Callable[[], Any]]] = {
    "oracles": oracles.all_rows,
    "growing": histories.growing,
    "held": histories.held,
    "block_lengths": dependence.block_lengths,
    "coverage": intervals.coverage,
    "shortfalls": shortfalls.all_laws,
    "stopping": intervals.stopping,
    "rare_events": comparisons.rare_events,
    "rare_scatter": comparisons.rare_scatter,
    "rare_daily": comparisons.rare_daily,
    "scenarios": comparisons.scenarios,
}


def main() -> None:
    """Find the numbers, write them, draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw-only", action="store_true", help="draw the numbers of figures.json")
    parser.add_argument("--png", type=Path, metavar="DIR", help="folder for pictures to look at")
    options = parser.parse_args()
    PLOTS.mkdir(exist_ok=True)
    if not options.draw_only:
        FIGURES.write_text(as_json({name: told(name, study) for name, study in STUDIES.items()}), encoding="utf-8")
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    drawing.draw(figures, PLOTS)
    if options.png:
        drawing.draw(figures, options.png, "png")
    print("\n".join(quotes.lines(figures)))


def told(name: str, study: Callable[[], Any]) -> Any:
    """What a study found; says how long it took."""
    started = time.perf_counter()
    found = study()
    print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return found


def as_json(figures: dict[str, Any]) -> str:
    """One entry a line, numbers in full, so that a change is seen where it is."""
    return json.dumps(figures, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
