"""The package of docs/extending.md, installed: commands list its methods and use them."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from vecsmith import EmbeddingSet

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")


def install(site: Path, package: str, files: dict[str, str], entry_points: dict[str, dict[str, str]]) -> None:
    """Write a package and its metadata as pip would, into a folder for PYTHONPATH."""
    info = site / f"{package}-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: 0.1\n")
    groups = (
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in entry_points.items()
    )
    (info / "entry_points.txt").write_text("\n".join(groups))
    (site / package).mkdir()
    for name, text in {f"{package}/__init__.py": "", **files}.items():
        (site / name).write_text(text, encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder with the package of the page, and another whose module cannot be imported."""
    files = dict(re.findall(r"```python\n# (vecsmith_toy/\w+\.py)\n(.*?)```", PAGE, flags=re.DOTALL))
    project = tomllib.loads(re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)[0])["project"]
    install(tmp_path / "site", "vecsmith_toy", files, project["entry-points"])
    broken = {"vecsmith_broken/part.py": "import missing_module\n"}
    groups = ("codecs", "translators", "encoders", "tasks", "studies", "stores")
    points = {f"vecsmith.{group}": {"part": "vecsmith_broken.part"} for group in groups}
    install(tmp_path / "site", "vecsmith_broken", broken, points)
    return tmp_path / "site"


def run(site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    command = [sys.executable, "-m", "vecsmith", *map(str, arguments)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, cwd=site, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    ("listing", "usage"),
    [
        (["codecs"], "topK"),
        (["encoders"], "hash:DIMENSIONS"),
        (["tasks"], "pairs:FILE"),
        (["translate", "methods"], "mean-shift"),
    ],
)
def test_listings_show_plugins_and_warn_of_a_broken_one_in_one_sentence(
    site: Path, listing: list[str], usage: str
) -> None:
    done = run(site, *listing, "--json")
    assert usage in json.loads(done.stdout)
    [warning] = done.stderr.splitlines()
    assert warning.startswith("vecsmith: The entry point part (vecsmith.")
    assert "of the package vecsmith-broken cannot be loaded" in warning
    assert "missing_module" in warning


def test_commands_use_plugins(site: Path, tmp_path: Path) -> None:
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]
    lines = [f"{a} {b}\tnotes on {a} and {b}\n" for row, a in enumerate(words) for b in words[row + 1 :]]
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    measure = ["--task", f"pairs:{tmp_path / 'pairs.tsv'}", "--encoder", "hash:64"]
    results = json.loads(run(site, "compare", *measure, "--codec", "top32,int8", "--json").stdout)
    assert [(each["encoder"], each["codec"], each["dimensions"]) for each in results] == [
        ("hash:64", "float32", 64),
        ("hash:64", "top32,int8", 32),
    ]
    assert "nDCG@10 by codec" in run(site, "study", "top", *measure, "--seed", 0).stdout
    assert "Measure the dimensions with the largest variance." in " ".join(run(site, "study", "--help").stdout.split())
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.standard_normal((100, 16), np.float32))
    run(site, "fit", "top8", "--vectors", tmp_path / "x.npy", "--out", tmp_path / "codec")
    assert json.loads(run(site, "info", tmp_path / "codec", "--json").stdout)["bytes_per_vector"] == 32
    pair = ["--source", tmp_path / "x.npy", "--target", tmp_path / "x.npy", "--method", "mean-shift"]
    run(site, "translate", "fit", *pair, "--out", tmp_path / "translator")
    run(site, "export", tmp_path / "x.npy", "--to", "jsonl", "--out", tmp_path / "x.jsonl")
    run(site, "import", tmp_path / "x.jsonl", "--from", "jsonl", "--out", tmp_path / "back")
    back = EmbeddingSet.open(tmp_path / "back")
    np.testing.assert_allclose(back.vectors, EmbeddingSet.open(tmp_path / "x.npy").unit[:], atol=1e-6)


CORE_ONLY = """
import sys

EXTRAS = "bm25s chromadb lancedb mteb numba plotly psycopg sentence_transformers sklearn Stemmer torch umap usearch"


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS.split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
import numpy as np, vecsmith
from vecsmith.cli import app
from vecsmith.codecs import STAGES
from vecsmith.stores import STORES

assert len(STAGES) and len(STORES)
X = np.random.default_rng(0).standard_normal((300, 16)).astype("float32")
print(vecsmith.codec("trellis4B").fit(X).encode(X).shape)
"""
"""Lists the methods and encodes where only the packages of `pip install vecsmith` are installed."""


def test_no_extra_is_needed_to_list_the_methods(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CORE_ONLY], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(300, 4)\n"
