"""Codes in the stores that people use: a search through them finds what `Index` finds."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import vecsmith
from vecsmith import EmbeddingSet, VecsmithError
from vecsmith.cli import app
from vecsmith.codecs import reduce_set
from vecsmith.embeddings import EmbeddingWriter
from vecsmith.index import CodeSet, codes_of
from vecsmith.stores import blocks, export_codes, import_set
from vecsmith.stores.pgvector import bit_strings

Vectors = NDArray[np.float32]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 128)


@pytest.fixture
def embedded(vectors: Vectors) -> EmbeddingSet:
    ids = [f"d{row}" for row in range(len(vectors))]
    return EmbeddingSet(vectors, ids, [f"text of {id_}" for id_ in ids])


def encoded(spec: str, embedded: EmbeddingSet, path: Path) -> CodeSet:
    return CodeSet.encode(vecsmith.codec(spec).fit(embedded.unit), embedded, path / "codes")


def best(codes: CodeSet, Q: Vectors, scoring: Any = "asymmetric", k: int = 10) -> tuple[Vectors, NDArray[np.int64]]:
    return vecsmith.Index(codes.codec, codes.codes, scoring).search(Q, k)


def assert_same_up_to_ties(found: Any, expected: NDArray[np.int64], scores: Vectors, score_of: Any) -> None:
    """Check neighbors; where they differ, that their scores do not."""
    for query, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        for place, row in enumerate(ours):
            assert row == theirs[place] or score_of(query, row) == pytest.approx(scores[query, place], abs=2e-3)


SPECS = ["binary", "median", "pca16,median", "pca13,int8", "int4", "float16", "hybrid8B", "levels3", "trellis8B"]


@pytest.mark.parametrize("spec", SPECS)
def test_a_faiss_file_takes_float_queries(spec: str, embedded: EmbeddingSet, tmp_path: Path, vectors: Vectors) -> None:
    codes = encoded(spec, embedded, tmp_path)
    export_codes(codes, "faiss", str(tmp_path / "codes.faiss"))
    _, found = faiss.read_index(str(tmp_path / "codes.faiss")).search(vectors[:40], 10)
    scores, expected = best(codes, vectors[:40])
    exact = vectors[:40] @ codes.codec.decode(codes.codes).T
    assert_same_up_to_ties(found, expected, scores, lambda query, row: exact[query, row])
    assert (found == expected).mean() > 0.9


@pytest.mark.parametrize("spec", ["binary", "hybrid256B"])
def test_a_faiss_file_of_codes_of_many_groups_finds_the_nearest(spec: str, tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((300, 3072), dtype=np.float32)
    embedded = EmbeddingSet(X)
    export_codes(encoded(spec, embedded, tmp_path), "faiss", str(tmp_path / "codes.faiss"))
    _, found = faiss.read_index(str(tmp_path / "codes.faiss")).search(embedded.unit[:40], 1)
    assert np.array_equal(found[:, 0], np.arange(40))


@pytest.mark.parametrize("decoded", [False, True])
def test_npy(decoded: bool, embedded: EmbeddingSet, tmp_path: Path) -> None:
    codes = encoded("binary", embedded, tmp_path)
    export_codes(codes, "npy", str(tmp_path / "x.npy"), decoded=decoded)
    expected = codes.codec.decode(codes.codes) if decoded else codes.codes
    assert np.array_equal(np.load(tmp_path / "x.npy"), expected)


def test_usearch(embedded: EmbeddingSet, tmp_path: Path, vectors: Vectors) -> None:
    engine = pytest.importorskip("usearch.index")
    codes = encoded("binary", embedded, tmp_path)
    export_codes(codes, "usearch", str(tmp_path / "bits"))
    scores, _ = best(codes, vectors[:40], "symmetric")
    matches = engine.Index.restore(str(tmp_path / "bits")).search(codes.codec.encode(vectors[:40]), 10, exact=True)
    assert np.array_equal(matches.distances, -scores)
    export_codes(codes, "usearch", str(tmp_path / "floats"), decoded=True)
    matches = engine.Index.restore(str(tmp_path / "floats")).search(vectors[:40], 10, exact=True)
    scores, _ = best(codes, vectors[:40])
    np.testing.assert_allclose(1 - matches.distances, scores, atol=2e-3)
    found = import_set("usearch", str(tmp_path / "floats"), tmp_path / "set")
    assert found.ids == [str(row) for row in range(len(codes))]
    np.testing.assert_allclose(found.vectors, codes.codec.decode(codes.codes), atol=1e-3)
    with pytest.raises(VecsmithError, match="keeps bits"):
        import_set("usearch", str(tmp_path / "bits"), tmp_path / "out")
    (tmp_path / "broken").write_bytes(b"nothing")
    for name, sentence in (("broken", "is no USearch index"), ("missing", "There is no USearch index")):
        with pytest.raises(VecsmithError, match=sentence):
            import_set("usearch", str(tmp_path / name), tmp_path / "out")


def test_lancedb(embedded: EmbeddingSet, tmp_path: Path, vectors: Vectors) -> None:
    lancedb = pytest.importorskip("lancedb")
    codes = encoded("binary", embedded, tmp_path)
    where = str(tmp_path / "lance")
    export_codes(codes, "lancedb", where, "bits")
    export_codes(codes, "lancedb", where, "floats", decoded=True)
    opened = lancedb.connect(where).open_table("bits")
    scores, _ = best(codes, vectors[:9], "symmetric")
    for code, expected in zip(codes.codec.encode(vectors[:9]), scores, strict=True):
        found = opened.search(code, "code").distance_type("hamming").limit(10).to_arrow()
        assert np.array_equal(-expected, found["_distance"].to_pylist())
        assert found["text"][0].as_py() == f"text of {found['id'][0].as_py()}"
    database = lancedb.connect(tmp_path / "mine")
    gap = pa.array([[1.0, 0.0], None], pa.list_(pa.float32(), 2))
    database.create_table("gap", pa.table({"id": ["a", "b"], "vector": gap}), on_bad_vectors="null")
    with pytest.raises(VecsmithError, match="has no vector for the id 'b'"):
        import_set("lancedb", str(tmp_path / "mine"), tmp_path / "gap", "gap")
    check_import("lancedb", where, codes, tmp_path)
    with pytest.raises(VecsmithError, match="has a table 'bits' already"):
        export_codes(codes, "lancedb", where, "bits")
    with pytest.raises(VecsmithError, match="no table 'other', but bits, floats"):
        import_set("lancedb", where, tmp_path / "out", "other")


def test_chroma(embedded: EmbeddingSet, tmp_path: Path, vectors: Vectors) -> None:
    chromadb = pytest.importorskip("chromadb")
    codes = encoded("hybrid8B", embedded, tmp_path)
    where = str(tmp_path / "chroma")
    export_codes(codes, "chroma", where, "floats")
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    collection = chromadb.PersistentClient(where, settings=settings).get_collection("floats", embedding_function=None)
    found = collection.query(query_embeddings=vectors[:40], n_results=10)
    scores, _ = best(codes, vectors[:40])
    # its graph may miss a neighbor
    assert np.isclose(1 - np.array(found["distances"]), scores, atol=1e-4).mean() > 0.98
    assert found["documents"][0][0] == f"text of {found['ids'][0][0]}"
    check_import("chroma", where, codes, tmp_path)
    with pytest.raises(VecsmithError, match="has a collection 'floats' already"):
        export_codes(codes, "chroma", where, "floats")


def test_pgvector(embedded: EmbeddingSet, tmp_path: Path, vectors: Vectors, postgres: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    codes = encoded("binary", embedded, tmp_path)
    export_codes(codes, "pgvector", postgres, "bits")
    export_codes(codes, "pgvector", postgres, "floats", decoded=True)
    Q = vectors[:9]
    hamming, _ = best(codes, Q, "symmetric", 300)
    scores, _ = best(codes, Q)
    with psycopg.connect(postgres) as connection:
        for query, bits in enumerate(bit_strings(codes.codec.encode(Q))):
            found = connection.execute(
                "SELECT id, text, code::text, code <~> %s::bit(40) AS d FROM bits ORDER BY d LIMIT 300", [bits]
            ).fetchall()
            assert np.array_equal([row[3] for row in found], -hamming[query])
            assert found[0][1] == f"text of {found[0][0]}"
            shortlist = np.packbits([[int(bit) for bit in row[2]] for row in found], axis=1, bitorder="little")
            rescored = np.sort(Q[query] @ codes.codec.decode(shortlist).T)[::-1][:10]
            np.testing.assert_allclose(rescored, scores[query], atol=1e-5)
    check_import("pgvector", postgres, codes, tmp_path)
    with pytest.raises(VecsmithError, match="has a table 'bits' already"):
        export_codes(codes, "pgvector", postgres, "bits")
    exported = export_codes(codes, "pgvector", postgres, "bits", force=True)
    with psycopg.connect(postgres) as connection:
        size = connection.execute("SELECT pg_total_relation_size('bits'), count(*) FROM bits").fetchone()
    assert size is not None
    assert exported.bytes == pytest.approx(size[0], rel=0.2)
    assert size[1] == len(codes)
    with pytest.raises(VecsmithError, match="no table 'bits' with one column of type vector"):
        import_set("pgvector", postgres, tmp_path / "out", "bits")
    # a name keeps its case, may have a hyphen, and may say the schema
    for table in ("Articles-2", "Mine.Articles"):
        with psycopg.connect(postgres) as connection:
            connection.execute('CREATE SCHEMA IF NOT EXISTS "Mine"')
        export_codes(codes, "pgvector", postgres, table, decoded=True)
        with pytest.raises(VecsmithError, match=f"has a table '{table}' already"):
            export_codes(codes, "pgvector", postgres, table)
        assert len(import_set("pgvector", postgres, tmp_path / table, table)) == len(codes)
    with psycopg.connect(postgres) as connection:
        connection.execute("UPDATE floats SET embedding = NULL WHERE id = 'd77'")
    with pytest.raises(VecsmithError, match="floats has no vector for the id 'd77'"):
        import_set("pgvector", postgres, tmp_path / "gap", "floats")
    with pytest.raises(VecsmithError, match=r'^pgvector refuses: schema "nowhere" does not exist\.$'):
        export_codes(codes, "pgvector", postgres, "nowhere.x")


def test_a_reduced_set_goes_to_pgvector_and_comes_back(
    embedded: EmbeddingSet, tmp_path: Path, vectors: Vectors, postgres: str
) -> None:
    pytest.importorskip("psycopg")
    reduced = reduce_set(vecsmith.codec("pca8").fit(vectors), embedded, tmp_path / "reduced")
    with codes_of(tmp_path / "reduced") as codes:
        export_codes(codes, "pgvector", postgres, "reduced", decoded=True)
    back = import_set("pgvector", postgres, tmp_path / "back", "reduced")
    rows = [int(id_.removeprefix("d")) for id_ in back.ids]
    np.testing.assert_allclose(back.unit[:], reduced.unit[:][rows], atol=1e-3)


def test_a_database_that_does_not_answer() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(VecsmithError, match="PostgreSQL does not answer"):
        import_set("pgvector", "host=/nowhere dbname=x", "out")


def check_import(store: str, where: str, codes: CodeSet, tmp_path: Path) -> None:
    """Check that the decoded vectors come back as they went, from the table ``floats``."""
    found = import_set(store, where, tmp_path / f"from-{store}", "floats")
    rows = [int(id_[1:]) for id_ in found.ids]
    assert sorted(rows) == list(range(len(codes)))
    np.testing.assert_allclose(found.vectors, codes.codec.decode(codes.codes)[rows], atol=1e-6)
    assert found.texts == [f"text of {id_}" for id_ in found.ids]
    assert found.provenance.dataset == store


@pytest.mark.parametrize("kind", ["flat", "with ids"])
def test_import_from_faiss(kind: str, vectors: Vectors, tmp_path: Path) -> None:
    index = faiss.IndexFlatL2(vectors.shape[1])
    ids = np.arange(len(vectors)) * 7
    if kind == "flat":
        index.add(vectors)
    else:
        index = faiss.IndexIDMap(index)
        index.add_with_ids(vectors, ids)
    faiss.write_index(index, str(tmp_path / "x.faiss"))
    found = import_set("faiss", str(tmp_path / "x.faiss"), tmp_path / "set")
    assert np.array_equal(found.vectors, vectors)
    assert found.ids == [str(id_) for id_ in (range(len(vectors)) if kind == "flat" else ids)]


def test_import_goes_on_where_it_was(vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsmith.embeddings.writer.SHARD_ROWS", 100)
    np.save(tmp_path / "x.npy", vectors)
    write = EmbeddingWriter.write

    def interrupted(self: Any, block: Vectors) -> None:
        if len(self.remaining) == 3:
            raise KeyboardInterrupt
        write(self, block)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(EmbeddingWriter, "write", interrupted)
        import_set("npy", str(tmp_path / "x.npy"), tmp_path / "set")
    found = import_set("npy", str(tmp_path / "x.npy"), tmp_path / "set")
    assert np.array_equal(found.vectors, vectors)


def test_the_commands(embedded: EmbeddingSet, tmp_path: Path) -> None:
    codes = encoded("binary", embedded, tmp_path)
    runner, where = CliRunner(), str(tmp_path / "x.npy")
    exported = runner.invoke(app, ["export", str(tmp_path / "codes"), "--to", "npy", "--out", where, "--decoded"])
    assert exported.exit_code == 0
    size = "96,128 bytes, 160 per vector, where a code has 5"
    assert exported.stderr == f"Wrote 600 rows to npy, {where}: {size}\n"
    imported = runner.invoke(app, ["import", where, "--from", "npy", "--out", str(tmp_path / "set")])
    assert imported.exit_code == 0
    assert np.array_equal(EmbeddingSet.open(tmp_path / "set").vectors, codes.codec.decode(codes.codes))


def test_a_collection_of_somebody_else_is_no_unfinished_export(embedded: EmbeddingSet, tmp_path: Path) -> None:
    chromadb = pytest.importorskip("chromadb")
    codes, where = encoded("int8", embedded, tmp_path), str(tmp_path / "chroma")
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(where, settings=settings)
    theirs = client.create_collection("articles-unfinished", embedding_function=None)
    theirs.add(ids=["a"], embeddings=[[1.0, 2.0]])
    with pytest.raises(VecsmithError, match="'articles-unfinished' already; give another --table"):
        export_codes(codes, "chroma", where, "articles")
    assert theirs.count() == 1
    export_codes(codes, "chroma", where, "articles", force=True)
    assert [each.name for each in client.list_collections()] == ["articles"]


def test_what_cannot_be_is_said(embedded: EmbeddingSet, tmp_path: Path) -> None:
    codes = encoded("int8", embedded, tmp_path)
    with pytest.raises(VecsmithError, match="did you mean 'chroma'"):
        export_codes(codes, "croma", "x")
    for store in ("usearch", "lancedb", "pgvector"):
        with pytest.raises(VecsmithError, match="give --decoded"):
            export_codes(codes, store, str(tmp_path / "x"))
    (tmp_path / "file").write_bytes(b"something")
    for store, where, complaint in (
        ("chroma", str(tmp_path / "c"), "Expected a name"),
        ("lancedb", str(tmp_path / "l"), "Invalid table name"),
        ("pgvector", "nonsense", "missing"),
    ):
        with pytest.raises(VecsmithError, match=f"^{store} refuses: .*{complaint}"):
            export_codes(codes, store, where, "a b", decoded=True)
    for store in ("chroma", "lancedb"):
        with pytest.raises(VecsmithError, match=r"^[^ ]*file is a file; give a folder\.$"):
            export_codes(codes, store, str(tmp_path / "file"), decoded=True)
        with pytest.raises(VecsmithError, match="file is a file, so nothing can be written inside it"):
            export_codes(codes, store, str(tmp_path / "file" / "inside"), decoded=True)
    assert (tmp_path / "file").read_bytes() == b"something"
    for store in ("faiss", "usearch", "npy"):
        with pytest.raises(OSError, match="/proc"):
            export_codes(codes, store, "/proc/x", decoded=True)
    for store in ("chroma", "lancedb"):
        with pytest.raises(VecsmithError, match="There is no folder"):
            import_set(store, str(tmp_path / "nowhere"), tmp_path / "out")
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "broken.faiss").write_bytes(b"nothing")
    with pytest.raises(VecsmithError, match="no FAISS index"):
        import_set("faiss", str(tmp_path / "broken.faiss"), tmp_path / "out")
