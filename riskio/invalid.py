"""What is wrong with a file of a person's, said so that they can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InvalidFile(ValueError):
    """A file cannot be read as what it should be: `place` in it, and what is wrong there and how to mend it."""

    def __init__(self, place: str, description: str) -> None:
        """The message is "place: description"."""
        self.place = place
        self.description = description
        super().__init__(f"{place}: {description}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Which of the known names may be meant, in brackets; empty if none is near."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""
