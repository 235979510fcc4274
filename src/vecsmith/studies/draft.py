"""The article of a study while it runs."""

from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from vecsmith.progress import duration
from vecsmith.report.findings import Findings
from vecsmith.report.folder import write_draft
from vecsmith.studies.config import StudyConfig
from vecsmith.studies.outline import study_article

SECONDS_BETWEEN = 10
"""Minimum time between two versions of the article, which are written whole."""


@dataclass
class Draft:
    """Observer of a study that writes its article, at the start and whenever there are new figures.

    Attributes
    ----------
    folder : Path
        The output folder of the study.
    name : str
        Name of the study.
    command : str
        Command of the run.
    force : bool
        Whether the folder may be replaced, whatever it holds.
    """

    folder: Path
    name: str
    command: str
    force: bool = False
    started: float = field(default_factory=monotonic)
    written: float | None = None

    def __call__(self, config: StudyConfig, findings: Findings, done: int, steps: int) -> None:
        """Write the article, unless a version was written just before."""
        if self.written is not None and monotonic() - self.written < SECONDS_BETWEEN:
            return
        state = _state(done, steps, monotonic() - self.started)
        write_draft(self.folder, study_article(self.name, config, findings, self.command, state), self.force)
        self.force = False  # the folder is now vecsmith's
        self.written = monotonic()


def _state(done: int, steps: int, elapsed: float) -> str:
    """Return a sentence about the state of a run, with the time that it still needs."""
    if not done:
        return "The run has started. The time that it needs is known after its first step."
    left = duration(elapsed * (steps - done) / done)
    return f"{done} of {steps} steps are done after {duration(elapsed)}; the others need about {left}."
