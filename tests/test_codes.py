"""Codes on disk: what they hold, what they refuse, and the memory that making them takes."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith import EmbeddingSet, VecsmithError
from vecsmith.codecs import codec as codec_module
from vecsmith.embeddings import Provenance, Rows, strings, writer
from vecsmith.index import CodeSet, code_set
from vecsmith.index.code_writing import CODE_FILES, write_codes

Vectors = NDArray[np.float32]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SHARD_ROWS", 100)
    monkeypatch.setattr(code_set, "CODE_BLOCK_ROWS", 64)
    monkeypatch.setattr(strings, "STRING_BLOCK_ROWS", 70)


@pytest.fixture
def embedded(vectors: Vectors, tmp_path: Path, small_blocks: None) -> EmbeddingSet:
    """Return a set of several shards, not of unit length, with ids and texts."""
    ids = [f"d{row}" for row in range(len(vectors))]
    before = EmbeddingSet(3 * vectors, ids, [f"text {id_}" for id_ in ids], Provenance(encoder="static"))
    before.save(tmp_path / "set")
    return EmbeddingSet.open(tmp_path / "set")


@pytest.mark.parametrize("spec", ["hybrid5B", "pca13,int4", "binary"])
def test_codes_are_those_of_the_unit_vectors_and_come_back_with_all_that_a_search_needs(
    spec: str, vectors: Vectors, embedded: EmbeddingSet, tmp_path: Path
) -> None:
    codec = vecsmith.codec(spec).fit(embedded.unit)
    CodeSet.encode(codec, embedded, tmp_path / "codes")
    opened = CodeSet.open(tmp_path / "codes")
    assert isinstance(opened.codes, np.memmap)
    whole = vecsmith.codec(spec).fit(vectors)
    assert np.array_equal(opened.codec.decode(opened.codes), codec.decode(opened.codes))
    assert np.isclose(opened.codec.decode(opened.codes), whole.decode(whole.encode(vectors)), atol=1e-5).mean() > 0.99
    assert (opened.ids, opened.texts, opened.rows[71]) == (embedded.ids, embedded.texts, ("d71", "text d71"))
    assert opened.provenance == embedded.provenance
    assert (opened.score_factors is None) == (spec != "hybrid5B")
    scores, found = vecsmith.Index.load(tmp_path / "codes").search(vectors[:20], 5)
    expected = vecsmith.Index(codec, codec.encode(embedded.unit)).search(vectors[:20], 5)
    assert np.array_equal(found, expected[1])
    np.testing.assert_allclose(scores, expected[0], atol=1e-5)


def test_codes_replace_codes_and_nothing_else(embedded: EmbeddingSet, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("years of work")
    codec = vecsmith.codec("binary").fit(embedded.unit)
    for folder in (tmp_path / "mine", tmp_path / "set"):
        before = sorted(folder.iterdir())
        with pytest.raises(VecsmithError, match="already holds something else"):
            CodeSet.encode(codec, embedded, folder)
        assert sorted(folder.iterdir()) == before
    (tmp_path / "codes").mkdir()
    CodeSet.encode(codec, embedded, tmp_path / "codes")
    assert CodeSet.encode(vecsmith.codec("int8").fit(embedded.unit), embedded, tmp_path / "codes").codec.spec == "int8"


def test_a_failure_leaves_the_old_codes(embedded: EmbeddingSet, tmp_path: Path) -> None:
    CodeSet.encode(vecsmith.codec("binary").fit(embedded.unit), embedded, tmp_path / "codes")
    other = vecsmith.codec("int8").fit(embedded.unit[:][:, :7])
    with pytest.raises(VecsmithError, match="takes vectors of 7 dimensions"):
        CodeSet.encode(other, embedded, tmp_path / "codes")
    with pytest.raises(VecsmithError, match="is not fitted"):
        CodeSet.encode(vecsmith.codec("int8"), embedded, tmp_path / "codes")
    assert CodeSet.open(tmp_path / "codes").codec.spec == "binary"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codes", "set"]


@pytest.mark.parametrize("name", [*CODE_FILES, "rows.parquet"])
def test_damaged_codes_are_refused(name: str, embedded: EmbeddingSet, tmp_path: Path) -> None:
    CodeSet.encode(vecsmith.codec("hybrid5B").fit(embedded.unit), embedded, tmp_path / "codes")
    data = bytearray((tmp_path / "codes" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "codes" / name).write_bytes(data)
    with pytest.raises(VecsmithError, match="is damaged"):
        CodeSet.open(tmp_path / "codes", verify=True)


def test_an_index_is_loaded_without_reading_its_codes_unless_asked(embedded: EmbeddingSet, tmp_path: Path) -> None:
    CodeSet.encode(vecsmith.codec("hybrid5B").fit(embedded.unit), embedded, tmp_path / "codes")
    data = bytearray((tmp_path / "codes" / "codes.npy").read_bytes())
    data[-1] ^= 1
    (tmp_path / "codes" / "codes.npy").write_bytes(data)
    assert len(vecsmith.Index.load(tmp_path / "codes")) == len(embedded)
    with pytest.raises(VecsmithError, match="is damaged"):
        vecsmith.Index.load(tmp_path / "codes", mmap=False)
    (tmp_path / "codes" / "codes.npy").write_bytes(data[:-10])
    with pytest.raises(VecsmithError, match="valid codes"):
        vecsmith.Index.load(tmp_path / "codes")


def test_broken_ids_of_an_index_are_told_when_they_are_read(embedded: EmbeddingSet, tmp_path: Path) -> None:
    CodeSet.encode(vecsmith.codec("binary").fit(embedded.unit), embedded, tmp_path / "codes")
    rows = tmp_path / "codes" / "rows.parquet"
    rows.write_bytes(b"\x7f" * 40 + rows.read_bytes()[40:])
    index = vecsmith.Index.load(tmp_path / "codes")
    with pytest.raises(VecsmithError, match=r"rows\.parquet is broken"):
        index.rows[0]


def test_opening_reads_neither_codes_nor_rows(embedded: EmbeddingSet, tmp_path: Path) -> None:
    folder = tmp_path / "codes"
    CodeSet.encode(vecsmith.codec("hybrid5B").fit(embedded.unit), embedded, folder)
    rows, codes = (folder / "rows.parquet").read_bytes(), (folder / "codes.npy").read_bytes()
    footer = len(rows) - int.from_bytes(rows[-8:-4], "little") - 8
    (folder / "rows.parquet").write_bytes(b"\x7f" * footer + rows[footer:])
    (folder / "codes.npy").write_bytes(codes[:128] + b"\x7f" * (len(codes) - 128))
    assert len(CodeSet.open(folder)) == len(vecsmith.Index.load(folder)) == len(embedded)
    with pytest.raises(VecsmithError, match="is damaged"):
        CodeSet.open(folder, verify=True)


def test_codes_of_rows_with_one_id_twice_are_not_written(vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec("binary").fit(vectors)
    ids = [f"d{row}" for row in range(len(vectors) - 1)]
    with pytest.raises(VecsmithError, match="codes has the id 'd3' twice, again at row"):
        write_codes(tmp_path / "codes", codec, [codec.encode(vectors)], Rows(len(vectors), [*ids, "d3"]), Provenance())
    assert not list(tmp_path.iterdir())


def test_another_folder_is_refused(embedded: EmbeddingSet, tmp_path: Path) -> None:
    with pytest.raises(VecsmithError, match="is of kind 'embedding set', not 'codes'"):
        CodeSet.open(tmp_path / "set")


@pytest.mark.parametrize("spec", ["hybrid8B", "trellis8B", "binary-autoencoder4B", "additive4B"])
def test_memory_does_not_grow_with_the_number_of_vectors(
    spec: str, small_blocks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec_module, "FIT_VECTORS", 500)
    monkeypatch.setattr(code_set, "CODE_BLOCK_ROWS", 256)
    rng, peaks, sizes = np.random.default_rng(0), [], []
    for name, count in (("warm-up", 1000), ("few", 2000), ("many", 10_000)):
        X = rng.standard_normal((count, 128)).astype(np.float16)
        EmbeddingSet(X).save(tmp_path / name)
        sizes.append(X.nbytes)
        del X
        tracemalloc.start()
        embedded = EmbeddingSet.open(tmp_path / name)
        CodeSet.encode(vecsmith.codec(spec).fit(embedded.unit), embedded, tmp_path / f"{name}-codes")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # a hash of every id, and little else
    assert peaks[2] - peaks[1] < 0.1 * (sizes[2] - sizes[1])
