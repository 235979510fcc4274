"""Hooks of MkDocs: pages outside docs/ that the site shows, and links to them.

Pages in docs/ link to tables of results as on GitHub, ``../benchmarks/results/NAME.md``. The site has no folder above
docs/, so these pages are added to the site under their path in the repository, and ``../`` is cut from the links.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parents[1]
OUTSIDE = ["benchmarks/README.md", "benchmarks/results/*.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
"""Pages outside docs/ that pages inside it link to."""


def outside_pages() -> list[Path]:
    """Return the paths of the pages outside docs/, relative to the root of the repository."""
    return sorted(path.relative_to(ROOT) for pattern in OUTSIDE for path in ROOT.glob(pattern))


def on_files(files: Files, config: Any) -> Files:
    """Add the pages outside docs/ to the site, without a line of the navigation for each."""
    for path in outside_pages():
        page = File.generated(config, path.as_posix(), abs_src_path=str(ROOT / path))
        page.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(page)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links of the repository at the same pages of the site."""
    source = page.file.src_uri
    if source in {path.as_posix() for path in outside_pages()}:
        # `docs/` is the root of the site
        return re.sub(r"\]\(((?:\.\./)*)docs/", r"](\1", markdown)
    up = "../" * source.count("/")
    names = "|".join(("benchmarks/", *(name for name in OUTSIDE if "/" not in name)))
    return re.sub(rf"\]\({re.escape(up)}\.\./(?={names})", f"]({up}", markdown)
