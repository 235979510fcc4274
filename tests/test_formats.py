"""docs/formats.md says what is written: every tensor, file and key, and no others."""

import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.codecs import STAGES, Quantizer, Stage
from vecsmith.embeddings import Provenance
from vecsmith.index import CodedVectors, CodeSet
from vecsmith.index.bm25 import Bm25
from vecsmith.translators.base import TRANSLATORS

Vectors = NDArray[np.float32]
PAGE = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
OURS = {usage: stage for usage, stage in STAGES.items() if stage.__module__.startswith("vecsmith.")}
NAMES = {"fuse(A,B:W,…)": "fuse(…)", "fuse(A,B,…):fit": "fuse(…):fit"}
"""Short names in the tables."""


def rows(section: str, table: str) -> list[list[str]]:
    """Return the rows of the table whose head begins with a cell, in a section of the page."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = text.partition(f"\n| {table} |")[2].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def tensors(cell: str) -> dict[str, tuple[int, str]]:
    """Return the axes and the dtype of every tensor in a cell such as ``"`a_`, `b_` (d,) float32; `c_` (d, d) …"``."""
    found, waiting = {}, []
    for name, axes, dtype in re.findall(r"`(\w+_)`|\(([^()`:]*,[^()`:]*)\)|\b((?:float|u?int)\d+)\b", cell):
        if name:
            waiting.append(name)
        elif axes:
            found |= {each: (len([axis for axis in axes.split(",") if axis.strip()]), "") for each in waiting}
            waiting = []
        else:
            found = {each: (axes, kind or dtype) for each, (axes, kind) in found.items()}
    return found


@pytest.mark.parametrize("usage", OURS)
def test_tensors_of_every_stage(usage: str, vectors: Vectors) -> None:
    table = {name: tensors(cell) for names, cell, *_ in rows("Codec", "stage") for name in quoted(names)}
    codec = vecsmith.codec(OURS[usage].example).fit(vectors)
    stage: Stage = next(stage for stage in codec.stages if stage.usage == usage)
    written = {name: (array.ndim, array.dtype.name) for name, array in stage.arrays().items() if "." not in name}
    assert table[NAMES.get(usage, usage)] == written


def test_no_stage_is_in_the_tables_that_the_code_does_not_have() -> None:
    known = {NAMES.get(usage, usage) for usage in OURS}
    assert {name for names, *_ in rows("Codec", "stage") for name in quoted(names)} == known
    quantizers = {usage for usage, stage in OURS.items() if issubclass(stage, Quantizer)}
    assert {name for names, *_ in rows("Codes", "quantizer") for name in quoted(names)} == quantizers


@pytest.mark.parametrize("usage", TRANSLATORS)
def test_tensors_of_every_translator(usage: str, vectors: Vectors, tmp_path: Path) -> None:
    table = {name: tensors(cell) for names, cell, *_ in rows("Translator", "translator") for name in quoted(names)}
    name = re.split(r"[\[|]", usage)[0]
    # an adapter maps a space into itself, and has no offset
    target, common = (vectors, {}) if name == "adapter" else (vectors[:, :30].copy(), table["linear"])
    vecsmith.translator(TRANSLATORS[usage].example).fit(vectors, target).save(tmp_path / "t")
    fitted = vecsmith.load_translator(tmp_path / "t")
    own = {name: getattr(fitted, name).ndim for name in fitted.state}
    assert own == {name: axes for name, (axes, _) in (common | table[name]).items()}
    content = PAGE.partition("\n## Translator\n")[2].partition("a manifest; content ")[2].partition("|")[0]
    config = json.loads((tmp_path / "t" / "config.json").read_text())
    assert set(quoted(content)) == set(config) - {"kind", "format_version", "files", "sha256"}


def test_keys_of_manifests(vectors: Vectors, tmp_path: Path) -> None:
    models = [vecsmith.EmbeddingSet(vectors[:, :24].copy()), vecsmith.EmbeddingSet(vectors[:, 24:].copy())]
    vecsmith.codec("fuse(a,b),pca8").fit(models).save(tmp_path / "codec")
    config = json.loads((tmp_path / "codec" / "config.json").read_text())
    common = [quoted(key)[0] for key, *_ in rows_of_manifest()]
    content = PAGE.partition("\n## Codec\n")[2].partition("a manifest; content ")[2].partition("|")[0]
    assert set(config) == {*common, *quoted(content)}
    kinds = quoted(PAGE.partition("| `kind` |")[2].partition("\n")[0])
    assert set(kinds) == {'"embedding set"', '"codec"', '"codes"', '"translator"'}
    said = PAGE.partition("\n`provenance`: ")[2].partition("\n\n")[0]
    assert set(quoted(said)) == {field.name for field in fields(Provenance)}


def rows_of_manifest() -> list[list[str]]:
    lines = PAGE.partition("\n| key | |")[2].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_files_of_codes_and_sets(vectors: Vectors, tmp_path: Path) -> None:
    vectors[7] = 0
    embedded = vecsmith.EmbeddingSet(vectors, texts=["text"] * len(vectors))
    embedded.save(tmp_path / "set")
    listed = {quoted(name)[0] for name, *_ in rows("Embedding set", "file")}
    assert {path.name for path in (tmp_path / "set").iterdir()} == listed - {"unfinished"}

    codec, finer = vecsmith.codec("hybrid4B").fit(vectors), vecsmith.codec("int8").fit(vectors)
    index = vecsmith.Index(codec, codec.encode(vectors), "rescored", CodedVectors(finer, finer.encode(vectors)))
    index.build_lists(4)
    index.save(tmp_path / "index")
    CodeSet.encode(codec, embedded, tmp_path / "codes", bm25=Bm25())
    listed = {name.rstrip("/") for names, *_ in rows("Codes", "file") for name in quoted(names)}
    written = {path.name for folder in ("index", "codes") for path in (tmp_path / folder).iterdir()}
    assert written == listed
    manifest = json.loads((tmp_path / "codes" / "manifest.json").read_text())
    content = quoted(next(cell for name, cell in rows("Codes", "file") if "manifest" in name))
    assert set(content) == set(manifest) - {"kind", "format_version", "files", "sha256"}
