"""Embedding sets on disk, and reading vectors from others' files."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from itertools import compress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vecsmith import files as files_module
from vecsmith.embeddings import (
    ConcatenatedRows,
    EmbeddingSet,
    EmbeddingWriter,
    Provenance,
    Rows,
    content_hash,
    join,
    normalize,
    rows_of,
    write_set,
    writer,
)
from vecsmith.embeddings import strings as strings_module
from vecsmith.embeddings.strings import RowNumberStrings, StringColumn
from vecsmith.embeddings.vector_files import Columns, chosen_columns, read_vectors
from vecsmith.errors import VecsmithError, VecsmithWarning
from vecsmith.manifests import write_manifest

ROWS = 20
join_module = sys.modules[rows_of.__module__]
PROVENANCE = Provenance(
    encoder="st:some/model", revision="abc", prompt="p: ", pooling="mean", max_length=64, dataset="d"
)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(writer, "SHARD_ROWS", 8)


@pytest.fixture(name="X")
def table():
    return np.random.default_rng(0).standard_normal((ROWS, 6)).astype(np.float32)


@pytest.fixture
def ids():
    return [f"d{row}" for row in range(ROWS)]


@pytest.fixture
def saved(X, ids, tmp_path):
    EmbeddingSet(X, ids, [f"text {id_} — é" for id_ in ids], PROVENANCE).save(tmp_path / "set")
    return tmp_path / "set"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("with_texts", [True, False])
def test_a_set_over_several_shards_comes_back_as_it_was(X, ids, tmp_path, dtype, with_texts):
    before = EmbeddingSet(X.astype(dtype), ids, [f"text {id_}" for id_ in ids] if with_texts else None, PROVENANCE)
    before.save(tmp_path / "set")
    after = EmbeddingSet.open(tmp_path / "set")
    assert [len(shard) for shard in after.shards] == [8, 8, 4]
    assert all(isinstance(shard, np.memmap) for shard in after.shards)
    assert np.array_equal(after.vectors, X.astype(dtype)) and after.vectors.dtype == dtype
    assert (after.ids, after.texts, after.provenance) == (before.ids, before.texts, before.provenance)
    assert after.provenance.dtype == dtype and after.provenance.encoder == "st:some/model"
    assert after.fingerprint == before.fingerprint


def test_a_set_says_whether_it_is_normalized(X):
    assert not EmbeddingSet(X).provenance.normalised
    assert EmbeddingSet(X / np.linalg.norm(X, axis=1, keepdims=True)).provenance.normalised


def test_the_fingerprint_tells_vectors_and_ids_apart(X, ids):
    changed = X.copy()
    changed[3, 2] += 1e-6
    prints = {
        EmbeddingSet(*args).fingerprint for args in ((X, ids), (changed, ids), (X, ids[::-1]), (X.astype("f8"), ids))
    }
    assert len(prints) == 4


def test_the_content_hash_knows_where_a_text_ends():
    assert content_hash(["a"], ["bc"]) != content_hash(["ab"], ["c"])
    assert content_hash(["a", "b"], ["", "c"]) != content_hash(["a", "b"], ["c", ""])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 13, 19])
def test_a_value_that_is_not_finite_is_refused_with_its_row(X, value, row):
    X[row, 3] = value
    with pytest.raises(VecsmithError, match=rf"NaN or infinite value in row {row};"):
        EmbeddingSet(X)


def test_all_zero_vectors_are_counted_and_said(X, tmp_path):
    X = normalize(X)
    X[13] = 0
    with pytest.warns(VecsmithWarning, match="one all-zero vector, in row 13, .* kept, but no search returns them"):
        embedded = EmbeddingSet([X[:8], X[8:]])
    assert embedded.provenance.normalised
    assert embedded.zero_rows.tolist() == [13]
    embedded.save(tmp_path / "set")
    with pytest.warns(VecsmithWarning, match="one all-zero vector"):
        assert EmbeddingSet.open(tmp_path / "set").zero_rows.tolist() == [13]
    X[4] = 0
    with pytest.warns(VecsmithWarning, match="2 all-zero vectors, the first in row 4"):
        EmbeddingSet(X)


def test_a_set_of_all_zero_vectors_is_refused(X, ids, tmp_path):
    with pytest.raises(VecsmithError, match="only all-zero vectors"):
        EmbeddingSet(np.zeros_like(X))
    writer = EmbeddingWriter(tmp_path / "set", ids, None, PROVENANCE)
    writer.write(np.zeros_like(X))
    with pytest.raises(VecsmithError, match="only all-zero vectors"):
        writer.finish()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e12, 1e30, 3e38])
def test_finite_values_of_any_size_have_a_direction(X, size):
    scaled = np.float32(size / np.abs(X).max()) * X.astype(np.float32)
    np.testing.assert_allclose(normalize(scaled), normalize(X), atol=1e-5)
    assert not len(EmbeddingSet(scaled).zero_rows)
    assert np.array_equal(normalize(X.astype(np.float64) * 1e200), normalize(normalize(X.astype(np.float64) * 1e200)))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
def test_shards_in_a_folder_or_of_a_pattern_are_one_set(X, suffix, tmp_path):
    shards = {f"part-{number}{suffix}": X[start : start + 8] for number, start in ((2, 0), (10, 8), (11, 16))}
    for name, shard in shards.items():
        if suffix == ".npy":
            np.save(tmp_path / name, shard)
        elif suffix == ".npz":
            np.savez(tmp_path / name, vectors=shard)
        else:
            pq.write_table(pa.table({"vector": list(shard)}), tmp_path / name)
    for path in (tmp_path, tmp_path / f"part-*{suffix}"):
        assert np.array_equal(EmbeddingSet.open(path).vectors, X)
    with pytest.raises(VecsmithError, match="No vector file matches"):
        EmbeddingSet.open(tmp_path / "shard-*.npy")
    np.save(tmp_path / "corpus.npy", X)
    np.save(tmp_path / "queries.npy", X)
    with pytest.raises(VecsmithError, match="a corpus and of queries; name one"):
        EmbeddingSet.open(tmp_path)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b", "a"], "the id 'a' twice, again at row 2"),
        (["a", "", "c"], "no id for row 1"),
        (["a", "b"], "3 vectors but 2 ids"),
    ],
)
def test_ids_must_be_there_and_unique(X, ids, message):
    with pytest.raises(VecsmithError, match=message):
        EmbeddingSet(X[:3], ids)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((3, 2), dtype=int), "must be floats, not int64"),
        (np.ones(3, dtype=np.float32), r"shape \(n, d\), not \(3,\)"),
        (np.ones((0, 2), dtype=np.float32), "is empty"),
        (np.ones((2, 0), dtype=np.float32), "is empty"),
    ],
)
def test_what_is_no_table_of_floats_is_refused(array, message):
    with pytest.raises(VecsmithError, match=message):
        EmbeddingSet(array)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_unit_vectors_are_read_by_slices_and_by_rows_across_shards(X, tmp_path, dtype):
    EmbeddingSet(X.astype(dtype)).save(tmp_path / "set")
    unit, expected = EmbeddingSet.open(tmp_path / "set").unit, normalize(X.astype(dtype))
    assert (len(unit), unit.shape, unit.ndim) == (ROWS, (ROWS, 6), 2)
    scattered = np.array([19, 0, 8, 7, 8])
    for chosen in (slice(None), slice(5, 18), slice(18, 99), slice(3, 3), slice(15, 2, -3), scattered, scattered[:0]):
        found = unit[chosen]
        assert found.dtype == np.float32
        assert np.array_equal(found, expected[chosen])
    with pytest.raises(IndexError):
        unit[np.array([3, ROWS])]


def test_ids_and_texts_on_disk_are_read_when_they_are_asked_for(X, ids, tmp_path, monkeypatch):
    monkeypatch.setattr(strings_module, "STRING_BLOCK_ROWS", 8)
    EmbeddingSet(X, ids, [f"text {id_}" for id_ in ids]).save(tmp_path / "set")
    opened = EmbeddingSet.open(tmp_path / "set")
    assert pq.ParquetFile(tmp_path / "set" / "rows.parquet").num_row_groups == 3
    assert opened.rows[13] == ("d13", "text d13")
    assert opened.ids == ids
    assert opened.texts == [f"text {id_}" for id_ in ids]
    assert pq.read_table(tmp_path / "set" / "rows.parquet")["offset"].to_pylist()[7:10] == [7, 0, 1]


@pytest.mark.parametrize("kind", ["in memory", "stored", "several, some left out"])
@pytest.mark.parametrize("with_texts", [True, False])
def test_rows_are_a_sequence(X, ids, tmp_path, monkeypatch, kind, with_texts):
    monkeypatch.setattr(strings_module, "STRING_BLOCK_ROWS", 8)
    texts = [f"text {id_}" for id_ in ids] if with_texts else None
    expected = list(zip(ids, texts or [None] * ROWS, strict=True))
    rows: Rows = Rows(ROWS, ids, texts)
    if kind == "stored":
        EmbeddingSet(X, ids, texts).save(tmp_path / "set")
        rows = EmbeddingSet.open(tmp_path / "set").rows
    elif kind == "several, some left out":
        kept = np.arange(2 * ROWS) % 3 > 0
        kept[8:16] = False
        rows = ConcatenatedRows([rows, rows], kept)
        expected = list(compress(expected * 2, kept))
    assert isinstance(rows, Sequence)
    assert len(rows) == len(expected)
    assert list(rows) == [rows[row] for row in range(len(rows))] == expected
    assert list(reversed(rows)) == expected[::-1]
    assert [rows[row - len(rows)] for row in range(len(rows))] == expected
    assert rows[np.int64(3)] == expected[3] and rows[np.int64(-1)] == expected[-1]
    for chosen in (slice(None), slice(5, -2), slice(18, 99), slice(3, 3), slice(15, 2, -3)):
        assert rows[chosen] == expected[chosen]
    assert expected[7] in rows and ("no such id", None) not in rows
    assert rows.index(expected[9]) == expected.index(expected[9])
    for beyond in (len(rows), -len(rows) - 1):
        with pytest.raises(IndexError, match=f"There is no row {beyond}"):
            rows[beyond]
    with pytest.raises(TypeError):
        rows["d1"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [(["a", "b", "a"], "the id 'a' twice, again at row 2"), (["a", None, "c"], "no id for row 1"), (["a"], "1 ids")],
)
def test_wrong_ids_on_disk_are_refused(X, ids, message, tmp_path):
    EmbeddingSet(X[:3]).save(tmp_path / "set")
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    pq.write_table(pa.table({"id": pa.array(ids, pa.string())}), tmp_path / "set" / "rows.parquet")
    content = {"provenance": manifest["provenance"]}
    write_manifest(tmp_path / "set" / "manifest.json", writer.KIND, 1, content, sorted(manifest["files"]))
    with pytest.raises(VecsmithError, match=message):
        EmbeddingSet.open(tmp_path / "set", verify=True)


@pytest.fixture(name="early")
def folder_of_an_early_version(saved):
    """A set as the first versions wrote it: the manifest has no shape, and no zero rows are listed."""
    manifest = json.loads((saved / "manifest.json").read_text())
    content = {"rows": ROWS, "provenance": {**manifest["provenance"], "normalised": False}}
    write_manifest(saved / "manifest.json", writer.KIND, 1, content, sorted(manifest["files"]))
    return saved


def test_sets_of_early_versions_are_opened(early, X, ids):
    opened = EmbeddingSet.open(early)
    assert np.array_equal(opened.vectors, X) and opened.ids == ids and not len(opened.zero_rows)
    assert [len(shard) for shard in opened.shards] == [8, 8, 4]
    shard = np.array(opened.shards[1])
    shard[5] = 0
    np.save(early / "vectors-00001.npy", shard)
    with pytest.warns(VecsmithWarning, match="one all-zero vector, in row 13"):
        assert EmbeddingSet.open(early).zero_rows.tolist() == [13]


def test_opening_reads_neither_vectors_nor_rows(saved, X, ids):
    files = contents(saved)
    for name in ("vectors-00000.npy", "vectors-00001.npy", "vectors-00002.npy"):
        (saved / name).write_bytes(b"")
    footer = int.from_bytes(files["rows.parquet"][-8:-4], "little") + 8
    (saved / "rows.parquet").write_bytes(
        b"\x7f" * (len(files["rows.parquet"]) - footer) + files["rows.parquet"][-footer:]
    )
    opened = EmbeddingSet.open(saved)
    assert (len(opened), opened.dimensions, opened.provenance.dtype) == (ROWS, 6, "float32")
    assert repr(opened) == "EmbeddingSet(20 × 6 float32, st:some/model)"
    with pytest.raises(VecsmithError, match=r"vectors-00000\.npy is damaged"):
        opened.unit[3:5]
    with pytest.raises(VecsmithError, match=r"rows\.parquet is broken"):
        opened.ids[0]
    (saved / "vectors-00001.npy").write_bytes(files["vectors-00001.npy"])
    assert np.array_equal(opened.stored(9, 12), X[9:12]), "only the shard that contains the rows is opened"


def test_a_folder_replaced_while_it_is_read_is_noticed(saved, X, ids):
    opened = EmbeddingSet.open(saved)
    assert np.array_equal(opened.stored(0, 3), X[:3])
    EmbeddingSet(2 * X, ids).save(saved, force=True)
    assert np.array_equal(opened.stored(3, 5), X[3:5]) and opened.ids == ids
    with pytest.raises(VecsmithError, match="was replaced while its vectors were read; open it again"):
        opened.stored(9, 12)


def test_more_shards_than_files_may_be_open_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_ROWS", 2)
    monkeypatch.setattr(files_module.os, "fsync", lambda descriptor: None)
    X = np.random.default_rng(0).standard_normal((2_000, 2)).astype(np.float32)
    EmbeddingSet(X).save(tmp_path / "set")
    script = """
        import resource, sys, numpy as np
        from vecsmith.embeddings import EmbeddingSet, fuse
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        opened = EmbeddingSet.open(sys.argv[1])
        rows = np.random.default_rng(0).permutation(len(opened))[:300]
        expected = np.random.default_rng(0).standard_normal((2_000, 2)).astype(np.float32)
        assert len(opened.shards) == 1_000
        assert np.array_equal(opened.vectors, expected) and np.array_equal(opened.shards.read(rows), expected[rows])
        assert fuse([opened, opened]).unit[5:900].shape == (895, 4)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "set")], check=True)


@pytest.mark.parametrize(
    "ids", [["a", "b", "a"], ["a", "", "c"], ["a", None, "c"], ["a", 2, "c"], ["a", "\ud800", "c"]]
)
def test_wrong_ids_are_refused_before_anything_is_written(X, ids, tmp_path):
    with pytest.raises(VecsmithError, match=r"set has (no id|the id .*) (twice, again at|for|in) row [12]"):
        write_set(tmp_path / "set", ids, None, PROVENANCE, lambda rows: X[rows], "writing")
    assert not (tmp_path / "set").exists()


def test_ids_are_a_sequence_of_str_held_in_arrow(saved, ids, monkeypatch):
    opened = EmbeddingSet.open(saved).ids
    assert isinstance(opened, StringColumn) and isinstance(opened.arrow(3, 9), pa.ChunkedArray)
    assert opened == ids and ids == opened and opened == tuple(ids) and opened != ids[::-1] and opened != ids[1:]
    assert opened != [1] * ROWS and opened != "d0"
    assert (opened[np.int64(-1)], opened[2:4], [*opened], "d7" in opened) == ("d19", ["d2", "d3"], ids, True)
    with pytest.raises(IndexError):
        opened[ROWS]
    assert list(RowNumberStrings(3)) == ["0", "1", "2"] and RowNumberStrings(3)[-1] == "2"


@pytest.mark.parametrize("hashed", [3, 1000])
def test_rows_are_found_by_id(hashed, monkeypatch):
    monkeypatch.setattr(join_module, "HASHED_IDS", hashed)
    monkeypatch.setattr(strings_module, "STRING_BLOCK_ROWS", 4)
    ids = [f"d{row}" for row in range(20)]
    some = ["d3", "other", "d19", "d0", "d11"]
    assert rows_of(some, ids).tolist() == [3, -1, 19, 0, 11]
    assert rows_of(ids, some).tolist() == [some.index(id_) if id_ in some else -1 for id_ in ids]
    assert rows_of(ids, ids[::-1]).tolist() == list(range(20))[::-1]
    assert rows_of([], ids).tolist() == [] and rows_of(["x"], ["y"]).tolist() == [-1]


def test_sets_with_different_texts_are_not_joined(X, ids):
    texts = [f"text {id_}" for id_ in ids]
    one = EmbeddingSet(X, ids, texts)
    assert len(join(one, EmbeddingSet(X[::-1], ids[::-1], texts[::-1]))) == ROWS
    with pytest.raises(VecsmithError, match="different texts for the id 'd4'"):
        join(one, EmbeddingSet(X[::-1], ids[::-1], [*texts[:4], "else", *texts[5:]][::-1]))
    assert join(one, EmbeddingSet(X[3:6], ids[3:6])).source.tolist() == [3, 4, 5]


def test_ids_of_one_hash_are_still_different(X, monkeypatch):
    monkeypatch.setattr(strings_module, "hash", lambda id_: 0, raising=False)
    assert EmbeddingSet(X[:3], ["a", "b", "c"]).ids == ["a", "b", "c"]
    with pytest.raises(VecsmithError, match="the id 'a' twice, again at row 2"):
        EmbeddingSet(X[:3], ["a", "b", "a"])


@pytest.mark.parametrize("name", ["vectors-00001.npy", "rows.parquet", "manifest.json"])
def test_a_changed_file_is_refused(saved, name):
    data = bytearray((saved / name).read_bytes())
    data[len(data) // 2] ^= 1
    (saved / name).write_bytes(data)
    with pytest.raises(VecsmithError, match="damaged"):
        EmbeddingSet.open(saved, verify=True)


@pytest.mark.parametrize("name", ["vectors-00001.npy", "rows.parquet", "manifest.json"])
def test_a_missing_or_truncated_file_is_refused(saved, name):
    data = (saved / name).read_bytes()
    (saved / name).write_bytes(data[:-20])
    with pytest.raises(VecsmithError, match=rf"{name} is (damaged|broken)"):
        np.asarray(EmbeddingSet.open(saved).vectors)
    (saved / name).unlink()
    with pytest.raises(VecsmithError, match=r"is missing|there is no manifest\.json"):
        EmbeddingSet.open(saved)


def test_a_newer_format_is_refused_with_both_versions(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    write_manifest(saved / "manifest.json", writer.KIND, 7, {"provenance": manifest["provenance"]}, ["rows.parquet"])
    with pytest.raises(VecsmithError, match=r"version 7.*up to 1.*upgrade"):
        EmbeddingSet.open(saved)


def test_saving_leaves_a_folder_that_holds_something_else_alone(X, saved, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.partial").write_text("years of work")
    for folder in (tmp_path / "mine", saved):
        before = contents(folder)
        with pytest.raises(VecsmithError, match="already holds something else"):
            EmbeddingSet(X).save(folder)
        with pytest.raises(VecsmithError, match="already holds something else"):
            EmbeddingWriter(folder, ["a"], None, Provenance())
        assert contents(folder) == before


def test_a_disk_that_fills_up_leaves_nothing_behind(X, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_npy", full)
    with pytest.raises(OSError, match="No space left"):
        EmbeddingSet(X).save(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_writer_goes_on_and_ends_with_the_same_bytes(X, ids, saved, tmp_path):
    whole = EmbeddingSet.open(saved)
    arguments = (tmp_path / "again", ids, whole.texts, whole.provenance)
    writer = EmbeddingWriter(*arguments)
    assert not (tmp_path / "again").exists(), "nothing is written before the first shard"
    writer.write(X[:8])
    with pytest.raises(VecsmithError, match="is unfinished; run the command that writes it again"):
        EmbeddingSet.open(tmp_path / "again")
    (tmp_path / "again" / ".vectors-00001.npy.123.partial").write_bytes(b"half a shard")
    writer = EmbeddingWriter(*arguments)
    assert writer.remaining == [slice(8, 16), slice(16, 24)]
    for rows in writer.remaining:
        writer.write(X[rows])
    writer.finish()
    assert contents(tmp_path / "again") == contents(saved)


def test_a_damaged_shard_of_an_interrupted_writer_is_written_again(X, ids, tmp_path):
    writer = EmbeddingWriter(tmp_path / "set", ids, None, PROVENANCE)
    writer.write(X[:8])
    writer.write(X[8:16])
    shard = tmp_path / "set" / "vectors-00001.npy"
    shard.write_bytes(shard.read_bytes()[:-4])
    assert EmbeddingWriter(tmp_path / "set", ids, None, PROVENANCE).remaining == [slice(8, 16), slice(16, 24)]


def test_a_writer_does_not_go_on_with_anothers_work(X, ids, tmp_path):
    EmbeddingWriter(tmp_path / "set", ids, None, PROVENANCE).write(X[:8])
    before = contents(tmp_path / "set")
    other = Provenance(**{**vars(PROVENANCE), "prompt": "another: "})
    with pytest.raises(VecsmithError, match="already holds something else"):
        EmbeddingWriter(tmp_path / "set", ids, None, other)
    assert contents(tmp_path / "set") == before


def test_a_writer_names_the_row_of_the_set_and_refuses_other_dimensions(X, ids, tmp_path):
    writer = EmbeddingWriter(tmp_path / "set", ids, None, PROVENANCE)
    writer.write(X[:8])
    X[13] = np.inf
    with pytest.raises(VecsmithError, match="infinite value in row 13"):
        writer.write(X[8:16])
    with pytest.raises(VecsmithError, match="different dimensions"):
        writer.write(X[8:13, :4])


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    result = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(len(result) + 1))
        match int(rng.integers(4)):
            case 0:
                result[start : start + 1] = rng.bytes(1)
            case 1:
                del result[start : start + int(rng.integers(1, 9))]
            case 2:
                result[start:start] = rng.bytes(int(rng.integers(1, 9)))
            case 3:
                del result[start:]
    return bytes(result)


def test_mutated_sets_are_refused_or_intact(saved):
    rng = np.random.default_rng(1)
    intact, files = EmbeddingSet.open(saved), contents(saved)
    refused = 0
    for _ in range(1000):
        name = sorted(files)[rng.integers(len(files))]
        (saved / name).write_bytes(mutated(files[name], rng))
        try:
            found = EmbeddingSet.open(saved, verify=True)
            assert (found.fingerprint, found.texts, found.provenance) == (
                intact.fingerprint,
                intact.texts,
                intact.provenance,
            )
        except VecsmithError:
            refused += 1
        (saved / name).write_bytes(files[name])
    assert refused > 700


def test_mutated_sets_with_a_valid_manifest_never_fail_otherwise(saved):
    rng = np.random.default_rng(2)
    files = contents(saved)
    content = json.loads(files["manifest.json"])
    for _ in range(200):
        name = ["vectors-00000.npy", "rows.parquet"][rng.integers(2)]
        (saved / name).write_bytes(mutated(files[name], rng))
        rest = {"provenance": content["provenance"]}
        write_manifest(saved / "manifest.json", writer.KIND, 1, rest, sorted(content["files"]))
        try:
            opened = EmbeddingSet.open(saved)
            assert len(opened.unit[:]) == len(list(opened.rows)) == ROWS
        except VecsmithError as error:
            assert str(saved) in str(error)
        (saved / name).write_bytes(files[name])


def write_vectors(path: Path, X: np.ndarray, ids: list[str] | None) -> None:
    if path.suffix == ".npy":
        np.save(path, X)
    elif path.suffix == ".npz":
        np.savez(path, vectors=X, **({"ids": np.array(ids)} if ids else {}))
    else:
        columns = {"vector": pa.array(list(X), pa.list_(pa.from_numpy_dtype(X.dtype)))}
        pq.write_table(pa.table({**({"_id": ids} if ids else {}), **columns}), path, row_group_size=7)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.parquet"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_vectors_are_read_from_every_format(X, ids, tmp_path, name, dtype):
    has_ids = not name.endswith(".npy")
    write_vectors(tmp_path / name, X.astype(dtype), ids if has_ids else None)
    vectors, found, texts = read_vectors(tmp_path / name)
    assert texts is None
    assert np.array_equal(vectors, X.astype(dtype)) and vectors.dtype == dtype
    assert found == (ids if has_ids else None)


def test_an_npy_file_is_memory_mapped(X, tmp_path):
    np.save(tmp_path / "a.npy", X)
    assert isinstance(read_vectors(tmp_path / "a.npy")[0], np.memmap)


@pytest.mark.parametrize("kind", ["list", "large_list", "fixed_size_list"])
def test_every_kind_of_list_column_is_read(X, tmp_path, kind):
    values = pa.array(X.ravel())
    offsets = np.arange(0, X.size + 1, 6)
    column = {
        "list": lambda: pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values),
        "large_list": lambda: pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values),
        "fixed_size_list": lambda: pa.FixedSizeListArray.from_arrays(values, 6),
    }[kind]()
    pq.write_table(
        pa.table({"title": ["x"] * ROWS, "whatever": column, "id": list(range(ROWS))}), tmp_path / "a.parquet"
    )
    vectors, ids, _ = read_vectors(tmp_path / "a.parquet")
    assert np.array_equal(vectors, X)
    assert ids == [str(row) for row in range(ROWS)]


def test_the_named_column_or_array_is_taken_among_several(X, tmp_path):
    other = np.zeros((ROWS, 2), dtype=np.float32)
    np.savez(tmp_path / "a.npz", embeddings=X, scores=other)
    pq.write_table(pa.table({"scores": list(other), "embedding": list(X)}), tmp_path / "a.parquet")
    for name in ("a.npz", "a.parquet"):
        assert np.array_equal(read_vectors(tmp_path / name)[0], X)
    np.savez(tmp_path / "b.npz", left=X, right=other)
    with pytest.raises(VecsmithError, match=r"several \(left, right\); call one 'vectors', or name it with --column"):
        read_vectors(tmp_path / "b.npz")
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "b.parquet")
    with pytest.raises(VecsmithError, match="has none"):
        read_vectors(tmp_path / "b.parquet")


def test_columns_of_a_parquet_file_are_chosen_by_name_or_guessed(X, ids, tmp_path):
    texts = [f"text {id_}" for id_ in ids]
    columns = {"title_vector": list(X[:, :2]), "body_vector": list(X), "sku": ids, "blurb": texts}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(VecsmithError, match=r"several \(title_vector, body_vector\); call one .* --column"):
        EmbeddingSet.open(path)
    opened = EmbeddingSet.open(path, Columns("body_vector", "sku", "blurb"))
    assert np.array_equal(opened.vectors, X) and (opened.ids, opened.texts) == (ids, texts)
    plain = EmbeddingSet.open(path, Columns("title_vector"))
    assert (plain.dimensions, plain.ids[:2], plain.texts) == (2, ["0", "1"], None)
    for wrong, message in (
        (Columns("sku"), "no float vectors called 'sku'"),
        (Columns("body_vektor"), "did you mean 'body_vector'"),
        (Columns("body_vector", ids="SKU"), "Unknown column"),
        (Columns("body_vector", texts="title_vector"), "does not contain texts"),
    ):
        with pytest.raises(VecsmithError, match=message):
            EmbeddingSet.open(path, wrong)
    usual = tmp_path / "usual.parquet"
    pq.write_table(pa.table({"Embedding": list(X), "UUID": ids, "Content": [None, *texts[1:]]}), usual)
    assert chosen_columns(usual, Columns()) == Columns("Embedding", "UUID", "Content")
    assert str(Columns("e", "u")) == "the vectors are 'e', the ids are 'u'"
    opened = EmbeddingSet.open(usual)
    assert (opened.ids, opened.texts) == (ids, ["", *texts[1:]])


def test_columns_are_chosen_of_tables_only(X, saved, tmp_path):
    np.save(tmp_path / "a.npy", X)
    for path in (tmp_path / "a.npy", saved):
        with pytest.raises(VecsmithError, match=r"columns.*; leave out --column"):
            EmbeddingSet.open(path, Columns(ids="sku"))
    np.savez(tmp_path / "a.npz", left=X, names=np.array([f"n{row}" for row in range(ROWS)]), right=X[:, :2])
    opened = EmbeddingSet.open(tmp_path / "a.npz", Columns("left", "names"))
    assert np.array_equal(opened.vectors, X) and opened.ids[3] == "n3"


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.parquet"])
def test_broken_and_missing_files_are_refused(X, tmp_path, name):
    path = tmp_path / name
    with pytest.raises(VecsmithError, match="There is no file"):
        read_vectors(path)
    write_vectors(path, X, None)
    data = path.read_bytes()
    for broken in (data[:-30], data[:40], b"", b"not a file of vectors at all"):
        path.write_bytes(broken)
        with pytest.raises(VecsmithError, match=rf"{name} is broken or holds no plain floats"):
            read_vectors(path)


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(VecsmithError, match=r"\.npy, \.npz or \.parquet"):
        read_vectors(tmp_path / "a.csv")


def test_pickled_objects_are_never_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    array = np.array([[Evil()]], dtype=object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    np.savez(tmp_path / "a.npz", vectors=array)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(VecsmithError, match="broken or holds no plain floats"):
            read_vectors(tmp_path / name)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.parquet"])
def test_integers_are_refused(tmp_path, name):
    write_vectors(tmp_path / name, np.ones((3, 2), dtype=np.int64), None)
    with pytest.raises(VecsmithError, match=r"floats, not int64|has none"):
        read_vectors(tmp_path / name)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1.0, 2.0, 3.0], "3 dimensions in row 11, but of 2 before"),
        ([1.0, None], r"a null in the vector of row 11"),
        (None, "no vector in row 11"),
    ],
)
@pytest.mark.parametrize("row_group_size", [4, 11, 100])
def test_rows_with_gaps_or_other_lengths_are_named(tmp_path, row, message, row_group_size):
    lists = [[1.0, 2.0]] * 11 + [row] + [[1.0, 2.0]] * 3
    pq.write_table(
        pa.table({"vector": pa.array(lists, pa.list_(pa.float32()))}),
        tmp_path / "a.parquet",
        row_group_size=row_group_size,
    )
    with pytest.raises(VecsmithError, match=message):
        read_vectors(tmp_path / "a.parquet")


def test_a_missing_id_in_a_parquet_file_is_named(X, tmp_path):
    pq.write_table(pa.table({"vector": list(X[:3]), "id": ["a", None, "c"]}), tmp_path / "a.parquet")
    with pytest.raises(VecsmithError, match="no id in row 1;"):
        read_vectors(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.parquet"])
def test_mutated_files_are_refused_or_read(X, ids, tmp_path, name):
    rng = np.random.default_rng(3)
    path = tmp_path / name
    write_vectors(path, X, ids)
    data = path.read_bytes()
    for _ in range(400):
        path.write_bytes(mutated(data, rng))
        try:
            vectors, _, _ = read_vectors(path)
            assert vectors.ndim == 2 and vectors.dtype.kind == "f"
        except VecsmithError as error:
            assert str(path) in str(error)


def test_a_set_is_not_written_in_the_place_of_a_file(tmp_path):
    vectors = np.eye(4, dtype=np.float32)

    def write(path, force=False):
        return write_set(path, list("abcd"), None, Provenance(), lambda rows: vectors[rows], "Writing", force)

    (tmp_path / "notes").write_text("kept")
    with pytest.raises(VecsmithError, match="notes is a file; give a folder, or --force"):
        write(tmp_path / "notes")
    with pytest.raises(VecsmithError, match="notes is a file, so nothing can be written inside it"):
        write(tmp_path / "notes" / "set", force=True)
    assert (tmp_path / "notes").read_text() == "kept"
    assert np.array_equal(write(tmp_path / "notes", force=True).vectors, vectors)
