"""What the parts of the command line share: exit codes and options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from fimi_nlp.types import Mode

#: Exit codes. 2 is the usage error of every command line of this kind.
OK, FAILED, USAGE, SET_ASIDE, INTERRUPTED = 0, 1, 2, 3, 130

CODES = (
    "Exit codes: 0 done; 1 failed, with the reason on standard error; 2 wrong usage; 3 done, but some records were set"
    " aside or faults were found; 130 interrupted."
)

ModelOption = Annotated[
    Optional[str],  # noqa: UP045 - typer reads the annotation at run time, on Python 3.10 too
    typer.Option("--model", "-m", help="A bundle's folder or Hub id. Default: the bundled model."),
]
RevisionOption = Annotated[Optional[str], typer.Option(help="Commit, tag or branch of a Hub id.")]  # noqa: UP045
ModeOption = Annotated[Mode, typer.Option(help="How strict the thresholds are.")]
PathOption = Optional[Path]  # noqa: UP045
