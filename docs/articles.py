"""Write the articles of the four experiments from the committed results; ``--check`` compares them.

An article is ``docs/studies/NAME.md`` with pictures in ``docs/studies/images``, and one self-contained page,
``docs/studies/NAME-page.html``.
"""

import sys
from dataclasses import replace
from pathlib import Path

from experiments import autoencoders_and_fusion, binary_codes, translators, tuning

from vecsmith.report.article import Article, Section, article_markdown, picture_files
from vecsmith.report.article_page import article_page
from vecsmith.report.diagrams import Diagram
from vecsmith.report.findings import Plot

FOLDER = Path(__file__).parent / "studies"
EXPERIMENTS = (autoencoders_and_fusion, translators, binary_codes, tuning)
NOTE = "*Made from [committed results](#how-to-repeat-it). [The same as one self-contained page]({}-page.html).*"


def files() -> dict[Path, str]:
    """Return the text of every file of the articles, by path."""
    texts = {}
    for experiment in EXPERIMENTS:
        name = experiment.__name__.rpartition(".")[2].replace("_", "-")
        article = _with_names(experiment.article(), name)
        texts[FOLDER / f"{name}.md"] = article_markdown(article, "images/", NOTE.format(name))
        texts[FOLDER / f"{name}-page.html"] = article_page(article)
        texts |= {FOLDER / "images" / file: picture for file, picture in picture_files(article).items()}
    return texts


def _with_names(article: Article, name: str) -> Article:
    """Return an article whose pictures have names that begin with its own."""
    sections = [
        Section(
            section.heading,
            [
                replace(block, name=f"{name}-{block.name}") if isinstance(block, Plot | Diagram) else block
                for block in section.blocks
            ],
        )
        for section in article.sections
    ]
    return Article(article.title, sections)


if __name__ == "__main__":
    texts = files()
    if "--check" not in sys.argv:
        (FOLDER / "images").mkdir(exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    elif wrong := [
        path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]:
        sys.exit(f"{', '.join(map(str, wrong))}: not the committed results; run make docs")
