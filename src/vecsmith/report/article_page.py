"""The HTML page of an article, made from its Markdown: self-contained, in the style of the report."""

from collections.abc import Sequence
from string import Template

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from vecsmith.report.article import Article, article_markdown, draw
from vecsmith.report.pictures import text_of
from vecsmith.report.results_page import resource, source_hash

STYLES = ("page", "pictures", "article")


def article_page(article: Article, note: str = "") -> str:
    """Return an article as an HTML document that loads nothing.

    Parameters
    ----------
    article, note
        As for `article_markdown`.
    """
    # html=False: markup in the Markdown is shown as text
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    drawn = {f"{picture.name}.svg": draw(picture, alone=False) for picture in article.pictures}

    def image(renderer: RendererHTML, tokens: Sequence[Token], number: int, options: OptionsDict, env: EnvType) -> str:
        return drawn[str(tokens[number].attrs["src"])]

    markdown.add_render_rule("image", image)
    tokens = markdown.parse(article_markdown(article, note=note))
    _adapt_tables(tokens)
    for token in tokens:
        token.children = _without_links_to_markdown(token.children or [])
    starts = [number for number, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    head, *parts = (tokens[start:end] for start, end in zip([0, *starts], [*starts, len(tokens)], strict=True))

    def rendered(part: Sequence[Token]) -> str:
        return str(markdown.renderer.render(part, markdown.options, {}))

    names = [section.heading for section in article.sections]
    style = "\n".join(resource(f"{name}.css") for name in STYLES)
    script = resource("article.js")
    return Template(resource("article.html")).substitute(
        title=text_of(article.title),
        style=style,
        style_hash=source_hash(style),
        script=script,
        script_hash=source_hash(script),
        links="".join(f'<a href="#section-{number}">{text_of(name)}</a>' for number, name in enumerate(names)),
        head=rendered(head),
        sections="\n".join(
            f'<section id="section-{number}">{rendered(part)}</section>' for number, part in enumerate(parts)
        ),
    )


def _without_links_to_markdown(tokens: Sequence[Token]) -> list[Token]:
    """Return inline tokens in which links to Markdown pages are only their text: the page may be read elsewhere."""
    kept, dropped = list[Token](), False
    for token in tokens:
        if token.type == "link_open":
            dropped = str(token.attrs["href"]).endswith(".md")
        if not (dropped and token.type in ("link_open", "link_close")):
            kept.append(token)
    return kept


def _adapt_tables(tokens: list[Token]) -> None:
    """Let wide tables scroll, and mark columns of numbers by a class: the page allows no style attributes."""
    for token in tokens:
        if token.type in ("th_open", "td_open") and token.attrs.pop("style", ""):
            token.attrs["class"] = "number"
    for number, token in reversed(list(enumerate(tokens))):
        if token.type == "table_open":
            tokens.insert(number, Token("html_block", "", 0, content='<div class="scroller" tabindex="0">'))
        elif token.type == "table_close":
            tokens.insert(number + 1, Token("html_block", "", 0, content="</div>"))
