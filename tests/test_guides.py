"""The commands of the guides run as they stand, and the pages show their output.

``VECSMITH_WRITE_OUTPUTS=1 pytest tests/test_guides.py`` writes the outputs of the commands into the pages.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

import vecsmith
from vecsmith import load_task

DOCS = Path(__file__).parents[1] / "docs"
COMMAND = re.compile(r"^(?P<command>\$ (?:.*\\\n)*.*\n)(?P<output>(?:(?!```|\$ ).*\n)*)", flags=re.MULTILINE)
"""A command after ``$``, which may continue on further lines, and its output."""
WRITE = bool(os.environ.get("VECSMITH_WRITE_OUTPUTS"))
NUMBER = re.compile(r"[−-]?\d[\d,.]*[%kM×]?")
PROGRESS = re.compile(r" s so far| takes about ")
PERCENT_TOLERANCE = 10
"""In points. The texts of pydocs, and so its figures, change with the versions of Python, NumPy and SciPy."""

_spec = spec_from_file_location("tutorials", DOCS / "tutorials.py")
assert _spec and _spec.loader
tutorials = module_from_spec(_spec)
_spec.loader.exec_module(tutorials)


def assert_same(shown: str, printed: str) -> None:
    """Assert equal words in equal order, as many numbers, and nearly equal percentages."""
    texts = [re.sub(r"[─\s]+", " ", text).strip() for text in (shown, printed)]
    words = [NUMBER.sub("#", text).split() for text in texts]
    assert words[0] == words[1], printed
    for one, other in zip(*(re.findall(r"(-?[\d.]+)%", text) for text in texts), strict=True):
        assert abs(float(one) - float(other)) <= PERCENT_TOLERANCE, printed


def on_screen(printed: str, replaced: Mapping[str, str]) -> str:
    """Return what a terminal shows in the end: without progress, and with the strings of the page."""
    for shown, real in replaced.items():
        printed = printed.replace(real, shown)
    return "\n".join(line.rstrip() for line in printed.splitlines() if not PROGRESS.search(line)).strip("\n")


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache-of-guides")


@pytest.fixture
def run(shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that runs the commands of a page in an empty folder, after replacing some strings."""
    monkeypatch.setenv("VECSMITH_CACHE", str(shared_cache))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    prelude = f'vecsmith() {{ "{sys.executable}" -m vecsmith "$@"; }}; '

    def run_page(name: str, replaced: Mapping[str, str] = MappingProxyType({})) -> None:
        page = DOCS / f"{name}.md"
        text = page.read_text(encoding="utf-8")
        outputs = []
        for match in COMMAND.finditer(text):
            command = re.sub(r"^\$ ", "", match["command"])
            for shown, real in replaced.items():
                command = command.replace(shown, real)
            done = subprocess.run(["bash", "-c", prelude + command], capture_output=True, text=True, encoding="utf-8")
            assert done.returncode == 0, done.stderr
            outputs.append(on_screen(done.stdout + done.stderr, replaced))
        assert outputs
        if WRITE:
            new = iter(outputs)
            written = COMMAND.sub(lambda match: match["command"] + f"{next(new)}\n".lstrip("\n"), text)
            page.write_text(written, encoding="utf-8")
        else:
            for match, output in zip(COMMAND.finditer(text), outputs, strict=True):
                assert_same(match["output"], output)

        for snippet in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
            for shown, real in replaced.items():
                snippet = snippet.replace(shown, real)
            exec(snippet, {})

    return run_page


@pytest.fixture
def scifact(beir: Callable[[str], Path], tmp_path: Path) -> Path:
    """Write what the guides on SciFact begin with: the task, MiniLM's vectors, and mpnet's of 1,000 documents."""
    folder = tmp_path / "scifact"
    folder.symlink_to(beir("scifact").resolve())
    texts = load_task(str(folder)).corpus
    minilm, mpnet = (np.load(folder / "vectors" / model / "corpus.npy") for model in ("minilm", "mpnet"))
    rows = np.sort(np.random.default_rng(0).choice(len(mpnet), 1000, replace=False))
    vecsmith.EmbeddingSet(minilm, texts.ids, list(texts.texts)).save(tmp_path / "corpus")
    (tmp_path / "old").symlink_to("corpus")
    vecsmith.EmbeddingSet(mpnet[rows], [texts.ids[row] for row in rows]).save(tmp_path / "sample")
    (tmp_path / "queries.npy").symlink_to(folder / "vectors" / "minilm" / "queries.npy")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["start", "guides/halve-the-bill", "guides/which-codec"])
def test_a_page_on_the_built_in_task(name: str, run: Callable[..., None]) -> None:
    run(name)


@pytest.mark.data
@pytest.mark.slow
def test_change_the_model(scifact: Path, run: Callable[..., None]) -> None:
    run("guides/change-the-model")


@pytest.mark.data
@pytest.mark.slow
def test_pgvector(scifact: Path, postgres: str, run: Callable[..., None]) -> None:
    run("guides/48-bytes-in-pgvector", {"postgresql://localhost/mine": postgres})


@pytest.mark.parametrize("script", tutorials.scripts(), ids=lambda path: path.stem)
def test_a_tutorial(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = tutorials.page(script)
    if WRITE:
        script.with_suffix(".md").write_text(page, encoding="utf-8")
    assert_same(script.with_suffix(".md").read_text(encoding="utf-8"), page)
