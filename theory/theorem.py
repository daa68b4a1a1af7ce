"""Theorems and laws: statements with the hypotheses under which they hold, and whether they are proved."""

from dataclasses import dataclass
from typing import Literal

from theory.latex import Statement

Word = Literal["proved", "asymptotic", "conjectured"]


@dataclass(frozen=True)
class Theorem:
    """If all hypotheses hold, then all conclusions.

    word: "proved", here or in the source; "asymptotic" for a leading term; "conjectured" for a numerical pattern.
    """

    name: str
    hypotheses: tuple[str, ...]
    conclusions: tuple[Statement, ...]
    word: Word
    source: str

    def statements(self) -> tuple[Statement, ...]:
        """The conclusions, for display."""
        return self.conclusions

    def __str__(self) -> str:
        given = "".join(f"\n  - {each}" for each in self.hypotheses)
        shown = "".join(f"\n  {each.left} {each.relation} {each.right} ({each.number})" for each in self.conclusions)
        return f"{self.name} ({self.word}). If{given}\nthen{shown}\nSource: {self.source}"

    def _repr_latex_(self) -> str:
        shown = r" ,\quad ".join(each._repr_latex_().strip("$") for each in self.conclusions)
        return f"${shown}$"
