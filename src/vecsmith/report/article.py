"""Articles: sections of text, tables, plots and diagrams, with placeholders for missing results.

Markdown is the source of an article; `vecsmith.report.article_page` makes its HTML page from it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vecsmith.report.charts import plot_svg
from vecsmith.report.diagrams import Diagram, diagram_svg
from vecsmith.report.findings import Plot, Table
from vecsmith.report.render import table_markdown


@dataclass(frozen=True)
class Placeholder:
    """A result that is still missing.

    Attributes
    ----------
    missing : str
        The missing result.
    state : str
        Why it is missing, and how long it will take, where that is known; a sentence.
    """

    missing: str
    state: str = ""


Block = str | Table | Plot | Diagram | Placeholder
"""Part of a section: a paragraph or list in Markdown, or something to show."""


@dataclass(frozen=True)
class Section:
    """A section of an article.

    Attributes
    ----------
    heading : str
        Its heading.
    blocks : sequence of str, Table, Plot, Diagram or Placeholder
        Its content. Text is Markdown; escape the texts of users by `escaped`.
    """

    heading: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Article:
    """A page with the structure of a paper.

    Attributes
    ----------
    title : str
        The title.
    sections : sequence of Section
        The sections, from the question to the sources.
    """

    title: str
    sections: Sequence[Section]

    @property
    def placeholders(self) -> list[Placeholder]:
        """All results that are still missing."""
        return [block for _, block in self._blocks if isinstance(block, Placeholder)]

    @property
    def pictures(self) -> list[Plot | Diagram]:
        """All plots and diagrams."""
        return [block for _, block in self._blocks if isinstance(block, Plot | Diagram)]

    @property
    def _blocks(self) -> Iterator[tuple[Section, Block]]:
        return ((section, block) for section in self.sections for block in section.blocks)


def paper(
    title: str,
    *,
    question: Sequence[Block],
    methods: Sequence[Block],
    data: Sequence[Block],
    results: Sequence[Block],
    searches: Sequence[Block],
    conclusions: Sequence[Block],
    limits: Sequence[Block],
    sources: Sequence[Block],
) -> Article:
    """Return an article with the sections that every article has, in their order."""
    headings = {
        "Question": question,
        "Methods": methods,
        "Data": data,
        "Results": results,
        "Examples of searches": searches,
        "What follows": conclusions,
        "Limits": limits,
        "How to repeat it": sources,
    }
    return Article(title, [Section(heading, blocks) for heading, blocks in headings.items()])


def escaped(text: str) -> str:
    """Return a user's text for Markdown: one line, in which nothing is markup, unless it begins a paragraph.

    Entities are used instead of backslashes, because they mean the same in every dialect of Markdown, and in tables.
    """
    line = re.sub(r"[\x00-\x1f\x7f\ufffe\uffff]", "", " ".join(text.split())).encode(errors="replace").decode()
    line = re.sub(r"[&<>`*#\[\]\\|~$]", lambda match: f"&#{ord(match[0])};", line)
    # an underscore between letters, as in names of metrics, is no markup
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", "&#95;", line)


def article_markdown(article: Article, pictures: str = "", note: str = "") -> str:
    """Return an article as Markdown.

    Parameters
    ----------
    article : Article
        The article.
    pictures : str
        Folder of the pictures, relative to the page, ending in ``/`` unless empty.
    note : str
        Markdown below the title.
    """
    parts = [f"# {escaped(article.title)}", *filter(None, [note])]
    for section in article.sections:
        parts.append(f"## {escaped(section.heading)}")
        parts += [_markdown(block, pictures) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def picture_files(article: Article) -> dict[str, str]:
    """Return the pictures of an article as SVG files, by name."""
    return {f"{picture.name}.svg": draw(picture) for picture in article.pictures}


def draw(picture: Plot | Diagram, alone: bool = True) -> str:
    """Return a plot or a diagram as SVG; `alone` as for `vecsmith.report.pictures.svg`."""
    return diagram_svg(picture, alone) if isinstance(picture, Diagram) else plot_svg(picture, alone)


def _markdown(block: Block, pictures: str) -> str:
    match block:
        case str():
            return block
        case Table():
            return f"*{escaped(block.title)}.*\n\n{table_markdown(block, escaped)}"
        case Plot() | Diagram():
            title = escaped(block.title)
            return f"![{title}]({pictures}{block.name}.svg)\n\n*{title}.*"
        case Placeholder():
            state = f" {escaped(block.state)}" if block.state else ""
            return f"> **Still missing:** {escaped(block.missing)}.{state}"
