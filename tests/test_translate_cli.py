"""The commands of translators: fit, apply, and what they say of what they leave out."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vecsmith.cli import main
from vecsmith.embeddings import EmbeddingSet, Provenance, normalize
from vecsmith.translators import query_encoder, translate_queries, translator


@pytest.fixture
def folder(tmp_path: Path, vectors: NDArray[np.float32]) -> Path:
    """Return a folder with 600 texts by one model, ``a``, and 590 of them and 5 others by another, ``b``."""
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((40, 40)))[0]
    rotated = normalize(vectors @ rotation[:, :30])
    ids = [f"text{row}" for row in range(600)]
    texts = [f"this is text {row}" for row in range(600)]
    EmbeddingSet(vectors, ids, texts, Provenance(encoder="st:a", dataset="notes")).save(tmp_path / "a")
    others = [f"other{row}" for row in range(5)]
    rows = np.r_[10:600, :5]
    EmbeddingSet(
        rotated[rows], ids[10:] + others, texts[10:] + others, Provenance(encoder="st:b", dataset="notes")
    ).save(tmp_path / "b")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["vecsmith", *map(str, arguments)])
    try:
        main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def fit(monkeypatch: pytest.MonkeyPatch, folder: Path, *more: object) -> int:
    sets = ["--source", folder / "a", "--target", folder / "b"]
    return run(monkeypatch, "translate", "fit", *sets, "--out", folder / "t", *more)


def test_fit_and_apply(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], vectors: NDArray[np.float32]
) -> None:
    assert fit(monkeypatch, folder, "--method", "linear", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["pairs"] == 590
    assert "10 rows of" in said.err
    assert "5 rows of" in said.err
    apply = ["translate", "apply", folder / "t", "--vectors", folder / "a", "--out", folder / "c"]
    assert run(monkeypatch, *apply) == 0
    assert run(monkeypatch, *apply) == 0
    translated, target = EmbeddingSet.open(folder / "c"), EmbeddingSet.open(folder / "b")
    assert translated.ids == [f"text{row}" for row in range(600)]
    assert translated.texts == [f"this is text {row}" for row in range(600)]
    made = translated.provenance
    assert (made.encoder, made.translated_from, made.dataset) == ("st:b", "st:a", "notes")
    assert made.translator.startswith("linear ")
    assert made.normalised
    cosines = (translated.unit[10:600] * target.unit[:590]).sum(axis=1)
    assert cosines.mean() > 0.95


def test_info_shows_a_translator(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(monkeypatch, folder, "--method", "procrustes")
    capsys.readouterr()
    assert run(monkeypatch, "info", folder / "t", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["translator"], facts["source"], facts["target"]) == ("procrustes", "st:a", "st:b")
    assert (facts["dimensions"], facts["target_dimensions"], facts["pairs"]) == (40, 30, 590)


def test_files_of_vectors_are_joined_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], vectors: NDArray[np.float32]
) -> None:
    np.save(tmp_path / "a.npy", vectors)
    np.save(tmp_path / "b.npy", vectors[:500, ::-1])
    sets = ["--source", tmp_path / "a.npy", "--target", tmp_path / "b.npy"]
    assert run(monkeypatch, "translate", "fit", *sets, "--out", tmp_path / "t") == 0
    assert "100 rows of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fit", "--source", "a", "--target", "b", "--out", "t", "--method", "liner"], "did you mean 'linear"),
        (["fit", "--source", "a", "--target", "nothing", "--out", "t"], "holds no embedding set"),
        (["fit", "--source", "a", "--target", "b", "--out", "a"], "already holds something else"),
        (["apply", "a", "--vectors", "a", "--out", "c"], "holds no translator"),
    ],
)
def test_bad_use_is_one_sentence(
    arguments: list[str],
    sentence: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    assert run(monkeypatch, "translate", *arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not (folder / "t").exists()
    assert not (folder / "c").exists()


def test_vectors_of_another_model_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(monkeypatch, folder)
    apply = ["translate", "apply", folder / "t", "--vectors", folder / "b", "--out", folder / "c"]
    assert run(monkeypatch, *apply) == 2
    assert "has vectors of st:b, but the translator is from st:a" in capsys.readouterr().err
    apply[-3:] = [folder / "a", "--out", folder / "b"]
    assert run(monkeypatch, *apply) == 2
    assert "already holds other vectors" in capsys.readouterr().err


def search(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], codes: Path, *more: object
) -> list[str]:
    """Return the first document of every query."""
    capsys.readouterr()
    assert run(monkeypatch, "search", codes, "-k", 1, "--json", *more) == 0
    return [query["results"][0]["id"] for query in json.loads(capsys.readouterr().out)]


def encode(monkeypatch: pytest.MonkeyPatch, folder: Path, spec: str, *names: str) -> Path:
    """Return a folder of codes of sets."""
    sets = [each for name in names for each in ("--vectors", folder / name)]
    assert run(monkeypatch, "fit", spec, *sets, "--out", folder / "codec") == 0
    assert run(monkeypatch, "encode", folder / "codec", *sets, "--out", folder / "codes") == 0
    return folder / "codes"


def test_translated_queries_search_an_old_index(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new_to_old = ["--source", folder / "b", "--target", folder / "a", "--method", "linear", "--out", folder / "t"]
    assert run(monkeypatch, "translate", "fit", *new_to_old) == 0
    codes = encode(monkeypatch, folder, "int8", "a")
    new = EmbeddingSet.open(folder / "b")
    np.save(folder / "queries.npy", new.vectors[:50])
    found = search(monkeypatch, capsys, codes, "--translator", folder / "t", "--queries", folder / "queries.npy")
    assert np.mean([id_ == asked for id_, asked in zip(found, new.ids, strict=False)]) > 0.9
    np.save(folder / "old.npy", EmbeddingSet.open(folder / "a").vectors[:5])
    refused = ["search", codes, "--translator", folder / "t", "--queries", folder / "old.npy"]
    assert run(monkeypatch, *refused) == 2
    assert "The queries must have 30 dimensions to be translated, but they have 40; embed them with st:b" in (
        capsys.readouterr().err
    )


def test_of_several_models_queries_the_old_ones_block_is_translated(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new_to_old = ["--source", folder / "b", "--target", folder / "a", "--method", "linear", "--out", folder / "t"]
    assert run(monkeypatch, "translate", "fit", *new_to_old) == 0
    old, new = EmbeddingSet.open(folder / "a"), EmbeddingSet.open(folder / "b")
    # as wide as the old model's vectors, so that widths do not tell which is which
    third = normalize(np.random.default_rng(5).standard_normal((600, 40)).astype(np.float32))
    EmbeddingSet(third, old.ids, old.texts, Provenance(encoder="static", dataset="notes")).save(folder / "c")
    codes = encode(monkeypatch, folder, "fuse(c,a),int8", "c", "a")
    np.save(folder / "queries.npy", np.hstack([third[10:60], new.vectors[:50]]))
    found = search(monkeypatch, capsys, codes, "--translator", folder / "t", "--queries", folder / "queries.npy")
    assert found == new.ids[:50]


def test_translated_queries_are_embedded_by_the_new_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [
        f"{first} {second}" for first in ("red", "slow", "wet", "old", "loud") for second in ("fish", "bus", "law")
    ]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    assert run(monkeypatch, "embed", "--texts", tmp_path / "texts.txt", "--out", tmp_path / "new") == 0
    new = EmbeddingSet.open(tmp_path / "new")
    mirrored = np.ascontiguousarray(new.unit[:][:, ::-1])
    EmbeddingSet(mirrored, new.ids, new.texts, Provenance(encoder="st:old")).save(tmp_path / "old")
    sets = ["--source", tmp_path / "new", "--target", tmp_path / "old", "--method", "procrustes"]
    assert run(monkeypatch, "translate", "fit", *sets, "--out", tmp_path / "t") == 0
    codes = encode(monkeypatch, tmp_path, "int8", "old")
    assert search(monkeypatch, capsys, codes, "--translator", tmp_path / "t", "--query", "wet law") == [
        new.ids[texts.index("wet law")]
    ]


def test_a_translator_to_another_model_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(monkeypatch, folder) == 0
    codes = encode(monkeypatch, folder, "int8", "a")
    assert run(monkeypatch, "search", codes, "--translator", folder / "t", "--query", "a text") == 2
    assert "The documents are of st:a, but the translator is to st:b" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("encoder", "blocks", "expected"),
    [
        ("st:old", {}, "st:new"),
        ("st:old+static", {"old": 40, "static": 256}, "st:new+static"),
        ("static+st:old", {"static": 256, "old": 40}, "static+st:new"),
        ("", {}, "st:new"),
        # names that no spec joins do not come apart again
        ("a/model+b/model", {"a": 256, "b": 40}, ""),
    ],
)
def test_the_encoder_of_translated_queries(
    encoder: str, blocks: dict[str, int], expected: str, vectors: NDArray[np.float32]
) -> None:
    fitted = translator("procrustes").fit(vectors[:, :30], vectors)
    fitted.source, fitted.target = "st:new", "st:old"
    searched = Provenance(encoder=encoder, blocks=blocks)
    assert query_encoder(fitted, searched) == expected
    width = sum(blocks.values()) or 40
    assert translate_queries(fitted, np.ones((2, width - 10), np.float32), searched).shape == (2, width)
