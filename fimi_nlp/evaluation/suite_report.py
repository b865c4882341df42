"""What a run of the behavioural suite gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fimi_nlp.evaluation.serialise import save_report

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from fimi_nlp.evaluation.bootstrap import Estimate


@dataclass(frozen=True, slots=True)
class FunctionScore:
    """How a model does on one function.

    Attributes
    ----------
    name, test : str
        The function.
    fair : bool
        As in `Function`.
    n, passed : int
        Cases that can pass or fail, and those that passed.
    rate : Rate
        Share passed, with its Wilson interval.
    """

    name: str
    test: str
    fair: bool
    n: int
    passed: int
    rate: Estimate


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that failed.

    Attributes
    ----------
    id, function, text : str
        The case.
    wanted, got : str
        In words.
    """

    id: str
    function: str
    text: str
    wanted: str
    got: str


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """What a run of the suite found.

    Attributes
    ----------
    functions : tuple of FunctionScore
        Worst first.
    failures : tuple of Failure
        Every case that failed.
    rate : Rate
        Over all the cases.
    """

    functions: tuple[FunctionScore, ...]
    failures: tuple[Failure, ...]
    rate: Estimate

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types, without the texts."""
        return {
            "rate": [round(value, 4) for value in self.rate],
            "cases": sum(row.n for row in self.functions),
            "functions": [
                {
                    "name": row.name,
                    "test": row.test,
                    "fair": row.fair,
                    "n": row.n,
                    "passed": row.passed,
                    "rate": [round(value, 4) for value in row.rate],
                }
                for row in self.functions
            ],
            "failed": [failure.id for failure in self.failures],
        }

    def to_markdown(self) -> str:
        """The pass rates as a Markdown table."""
        lines = [
            f"{self.rate.value:.1%} of {sum(row.n for row in self.functions)} cases pass"
            f" [{self.rate.low:.1%}, {self.rate.high:.1%}].",
            "",
            "| function | test | fairness | cases | pass rate |",
            "| --- | --- | :---: | ---: | ---: |",
        ]
        for row in self.functions:
            mark = "yes" if row.fair else ""
            shown = f"{row.rate.value:.0%} [{row.rate.low:.0%}, {row.rate.high:.0%}]"
            lines.append(f"| `{row.name}` | {row.test} | {mark} | {row.n} | {shown} |")
        return "\n".join(lines)

    def save(self, path: str | Path) -> Path:
        """Write the report to a ``.json`` or ``.md`` file, and give its path back."""
        return save_report(self, path)

    def print(self, console: Console | None = None) -> None:
        """Show the pass rates in the terminal."""
        from rich.console import Console
        from rich.table import Table

        console = console or Console()
        table = Table("function", "test", "fairness", "cases", "pass rate", "95 % interval")
        for row in self.functions:
            interval = f"{row.rate.low:.0%} to {row.rate.high:.0%}"
            mark = "yes" if row.fair else ""
            table.add_row(row.name, row.test, mark, str(row.n), f"{row.rate.value:.0%}", interval)
        console.print(table)
        rate = self.rate
        console.print(f"all cases: {rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]", highlight=False)
