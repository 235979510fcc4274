"""Outlines of articles, which studies declare, and the article of a finished or unfinished run."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from vecsmith.evaluation.versions import versions
from vecsmith.plugins import Registry
from vecsmith.report.architectures import Models
from vecsmith.report.article import Article, Block, Placeholder, escaped, paper
from vecsmith.report.conclusions import conclusions_of_results
from vecsmith.report.findings import Findings, Plot, Table
from vecsmith.report.searches import search_tables
from vecsmith.studies.config import STUDIES, StudyConfig

EXAMPLES = 3
"""Maximum examples of searches in an article; the report has all."""


def _no_methods(models: Models) -> Sequence[Block]:
    return ()


@dataclass(frozen=True)
class Outline:
    """The parts of a study's article that do not depend on its results.

    Attributes
    ----------
    title : str
        Title of the article.
    question : str
        The research question, in Markdown.
    methods : callable
        Maps the dimensions of the encoders, by name and 0 where they are not known yet, to the methods: text in
        Markdown, and diagrams.
    expected : mapping of str to str
        Tables of the findings by name, with a heading for each. A missing one is a placeholder.
    limits : sequence of str
        Limits of the study; sentences.
    conclusions : callable
        Maps the findings to sentences about them, which follow from their figures.
    measures : sequence of str
        Names of the plots to show of groups of measures. Plots without a group are always shown.
    """

    title: str
    question: str
    methods: Callable[[Models], Sequence[Block]] = _no_methods
    expected: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[str] = ()
    conclusions: Callable[[Findings], Sequence[str]] = conclusions_of_results
    measures: Sequence[str] = ()


OUTLINES: Registry[Outline] = Registry("vecsmith.studies")
"""Outlines by the name of the study. A study without one has an article with its docstring as the question."""


def outline_of(name: str) -> Outline:
    """Return the outline of a study."""
    if name in OUTLINES:
        return OUTLINES[name]
    return Outline(f"The study {name}", (inspect.getdoc(STUDIES[name]) or "").split("\n")[0])


def study_article(
    name: str, config: StudyConfig, findings: Findings, command: str, unfinished: str | None = None
) -> Article:
    """Return the article of a run.

    Parameters
    ----------
    name : str
        Name of the study.
    config : StudyConfig
        Tasks, encoders and protocol.
    findings : Findings
        The findings so far.
    command : str
        Command of the run.
    unfinished : str, optional
        State of a run that has not finished; a sentence.
    """
    outline = outline_of(name)
    models = {encoder: config.dimensions.get(encoder, 0) for encoder in config.encoders}
    limits = (
        *outline.limits,
        f"Figures are of {_listed(config.tasks, 'task')} and {_listed(config.encoders, 'model')}; others may differ.",
    )
    return paper(
        outline.title,
        question=[outline.question],
        methods=[*outline.methods(models), _protocol(config)],
        data=[_task_table(config), _model_table(models)],
        results=[*_results(outline, findings, unfinished)],
        searches=_searches(config, findings, unfinished),
        conclusions=(
            [bulleted(outline.conclusions(findings))]
            if unfinished is None
            else [Placeholder("the conclusions", "They are drawn when the run has finished.")]
        ),
        limits=[bulleted(limits)],
        sources=[f"    {' '.join(command.split())}", _versions(findings)],
    )


def bulleted(sentences: Sequence[str]) -> str:
    """Return sentences as a list in Markdown."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _protocol(config: StudyConfig) -> str:
    protocols = {
        "cross": "Unless a table says otherwise, no text is encoded by a codec or translated by a translator that was "
        "fitted on it (cross-fitting).",
        "corpus": "Codecs are fitted on the documents that they encode, as in production.",
    }
    fitted = protocols.get(config.fit_on, f"Codecs are fitted on {escaped(config.fit_on)}.")
    seeds = ", ".join(map(str, config.seeds))
    return f"{fitted} Nothing is fitted on the reported queries (split {escaped(config.split)}). Seeds: {seeds}."


def _task_table(config: StudyConfig) -> Table:
    rows = [
        [task.name, f"{len(task.corpus):,}", split, f"{len(task.judgements(split)):,}"]
        for task in config.loaded
        for split in [task.present(config.split)]
    ]
    return Table("data", "Tasks", ["task", "documents", "split", "judged queries"], rows)


def _model_table(models: Models) -> Table:
    rows = [[model, f"{size:,}" if size else "not embedded yet"] for model, size in models.items()]
    return Table("models", "Models", ["encoder", "dimensions"], rows)


def _results(outline: Outline, findings: Findings, unfinished: str | None) -> Sequence[Block]:
    """Return the tables with their plots, and a placeholder for each that is missing."""
    blocks: list[Block] = []
    if unfinished is not None:
        known = "Tables have the figures so far; means may be over different cases." if findings.tables else ""
        blocks.append(Placeholder("a part of the results", f"{unfinished} {known}".rstrip()))
    tables = {table.name: table for table in findings.tables}
    shown = [plot for plot in findings.plots if not plot.group or plot.name in outline.measures]
    plots = {plot.name: plot for plot in shown if any(plot.lines.values())}
    for name in dict.fromkeys([*outline.expected, *tables]):
        if name in outline.expected:
            blocks.append(f"### {outline.expected[name]}")
        if name in tables:
            blocks.append(tables[name])
        else:
            blocks.append(Placeholder(f"the table {name}", unfinished or "This run did not make it."))
        blocks += [plot for plot in plots.values() if plot.name == name]
    return [*blocks, *_other_plots(plots, tables)]


def _other_plots(plots: Mapping[str, Plot], tables: Mapping[str, Table]) -> list[Plot]:
    return [plot for name, plot in plots.items() if name not in tables]


def _searches(config: StudyConfig, findings: Findings, unfinished: str | None) -> Sequence[Block]:
    """Return the searches by several codecs, and the examples of the findings."""
    blocks: list[Block] = [table for queries in config.searches for table in search_tables(queries)]
    for examples in findings.examples:
        blocks += [f"*{escaped(examples.title)}*. [All examples](report.html#examples).", *examples.tables[:EXAMPLES]]
    if blocks:
        return blocks
    text = "This study keeps no rankings. `vecsmith compare --out` writes a page with the searches of any codec."
    return [text if unfinished is None else Placeholder("examples of searches", unfinished)]


def _versions(findings: Findings) -> str:
    measured = findings.results[0].versions if findings.results else versions()
    return f"Measured with {escaped(', '.join(f'{name} {number}' for name, number in measured.items()))}."


def _listed(specs: Sequence[str], noun: str) -> str:
    """Return a count and names, such as ``2 tasks (pydocs, my-task)``."""
    names = ", ".join(escaped(spec.rstrip("/").rpartition("/")[2]) for spec in specs)
    return f"{len(specs)} {noun}{'s' * (len(specs) > 1)} ({names})"
