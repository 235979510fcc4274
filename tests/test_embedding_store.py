"""Embedding sets in ChromaDB: the embedded one, and a server on loopback."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from vecsmith.cli import app
from vecsmith.embeddings import EmbeddingSet, Provenance
from vecsmith.errors import VecsmithError

pytest.importorskip("chromadb")

import chromadb
import httpx

from vecsmith.stores import embedding_store
from vecsmith.stores.embedding_store import EmbeddingStore
from vecsmith.stores.stored_sets import collection_name, description
from vecsmith.translators import translate_set, translator

Vectors = NDArray[np.float32]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a real Chroma server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    chroma = Path(sys.executable).with_name("chroma")
    command = [str(chroma) if chroma.exists() else shutil.which("chroma") or "chroma", "run", "--host", "127.0.0.1"]
    folder = tmp_path_factory.mktemp("server")
    with subprocess.Popen(
        [*command, "--port", str(port), "--path", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture(params=["folder", "server"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "store") if request.param == "folder" else str(request.getfixturevalue("server"))


def embedded(vectors: Vectors, dataset: str = "letters") -> EmbeddingSet:
    ids = [f"d{row}" for row in range(len(vectors))]
    return EmbeddingSet(vectors, ids, [f"text {id_}" for id_ in ids], Provenance(encoder="static", dataset=dataset))


def test_a_set_comes_back_as_it_was_put(where: str, vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_store, "REQUEST_ROWS", 64)
    original = embedded(vectors.astype("float16"))
    store = EmbeddingStore(where)
    name = store.put(original)
    assert store.put(original) == name
    back = EmbeddingStore(where).get(name)
    assert back.ids == original.ids
    assert back.texts == original.texts
    assert back.provenance == original.provenance
    assert back.vectors.dtype == np.float16
    assert np.array_equal(back.vectors, original.vectors)


def test_an_interrupted_put_goes_on(tmp_path: Path, vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_store, "REQUEST_ROWS", 100)
    original, store = embedded(vectors), EmbeddingStore(tmp_path)
    stored, calls = EmbeddingSet.stored, []

    def failing(of: EmbeddingSet, start: int, stop: int) -> Vectors:
        calls.append(start)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return stored(of, start, stop)

    monkeypatch.setattr(EmbeddingSet, "stored", failing)
    with pytest.raises(KeyboardInterrupt):
        store.put(original)
    name = collection_name(original)
    assert not store.sets()[0].complete
    with pytest.raises(VecsmithError, match="unfinished"):
        store.get(name)
    store.put(original)
    assert calls == [0, 100, 200, 200, 300, 400, 500]
    assert np.array_equal(store.get(name).vectors, original.vectors)


def test_query_finds_the_nearest(where: str, vectors: Vectors) -> None:
    store = EmbeddingStore(where)
    name = store.put(embedded(vectors, "for queries"))
    found = store.query(name, vectors[:20], 5)
    assert store.query(name, vectors[:20], 10_000)[7][0].id == "d7"
    many = store.query(name, np.tile(vectors, (2, 1)), 60)
    assert [hits[0].id for hits in many] == [f"d{row}" for row in range(600)] * 2
    exact = vectors[:20] @ vectors.T
    for row, hits in enumerate(found):
        assert hits[0].id == f"d{row}"
        assert hits[0].text == f"text d{row}"
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert hits[0].score == pytest.approx(exact[row, row], abs=1e-5)


def test_sets_that_differ_have_names_that_differ() -> None:
    names = {
        collection_name(EmbeddingSet(np.array([[value]]), provenance=Provenance(encoder=encoder)), split)
        for encoder in ("st:a/b", "st:a-b", "Ünïcode " * 100)
        for value in (1.0, 2.0)
        for split in ("", "test")
    }
    assert len(names) == 12
    for name in names:
        assert 3 <= len(name) <= 100
        assert name.replace("-", "").isascii()
        assert name.replace("-", "").isalnum()


def test_vectors_without_names_are_not_taken_for_others(tmp_path: Path, vectors: Vectors) -> None:
    store, one, other = EmbeddingStore(tmp_path), EmbeddingSet(vectors), EmbeddingSet(vectors[::-1])
    names = store.put(one), store.put(other)
    for name, original in zip(names, (one, other), strict=True):
        assert np.array_equal(store.get(name).vectors, original.vectors)


def test_a_translated_set_says_both_models(tmp_path: Path, vectors: Vectors) -> None:
    fitted = translator("procrustes").fit(vectors, vectors[:, ::-1])
    fitted.target = "st:models/new"
    made = translate_set(fitted, embedded(vectors), tmp_path / "translated")
    assert collection_name(made, "test").startswith("letters-static-to-new-procrustes-test-")
    sentence = description(made.provenance, "test")
    assert sentence == "letters, test, by static, translated to st:models/new by procrustes"


def test_a_set_that_lost_rows_is_not_fetched(tmp_path: Path, vectors: Vectors) -> None:
    store = EmbeddingStore(tmp_path)
    name = store.put(embedded(vectors))
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(str(tmp_path), settings=settings)
    client.get_collection(name, embedding_function=None).delete(ids=["d3"])
    with pytest.raises(VecsmithError, match="has 599 rows where 600 were put"):
        store.get(name)


def test_a_collection_of_others_is_left_alone(tmp_path: Path, vectors: Vectors) -> None:
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    theirs = chromadb.PersistentClient(str(tmp_path), settings=settings).create_collection(
        collection_name(embedded(vectors)), embedding_function=None
    )
    store = EmbeddingStore(tmp_path)
    assert store.sets() == []
    with pytest.raises(VecsmithError, match="that is no embedding set"):
        store.put(embedded(vectors))
    assert theirs.count() == 0


def test_bad_input_is_one_sentence(tmp_path: Path, vectors: Vectors) -> None:
    store = EmbeddingStore(tmp_path)
    name = store.put(embedded(vectors))
    with pytest.raises(VecsmithError, match="did you mean"):
        store.get(name[:-1])
    with pytest.raises(VecsmithError, match="40 dimensions"):
        store.query(name, vectors[:2, :7])
    with pytest.raises(VecsmithError, match="no Chroma server"):
        EmbeddingStore("http://127.0.0.1:9")
    (tmp_path / "file").write_text("something")
    with pytest.raises(VecsmithError, match="is a file; name a folder"):
        EmbeddingStore(tmp_path / "file")
    with pytest.raises(VecsmithError, match="ChromaDB failed at"):
        EmbeddingStore(tmp_path / "file" / "inside")
    with pytest.raises(VecsmithError, match="There is no store in"):
        EmbeddingStore(tmp_path / "typo", create=False)
    assert not (tmp_path / "typo").exists()


def test_a_server_that_is_gone_is_one_sentence(vectors: Vectors, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    store = EmbeddingStore(server)

    def refused(*_: object, **__: object) -> None:
        raise httpx.ConnectError("Connection refused")

    monkeypatch.setattr(store._client, "get_or_create_collection", refused)
    with pytest.raises(VecsmithError, match=r"ChromaDB failed at http.*Connection refused"):
        store.put(embedded(vectors))


def test_as_typed(tmp_path: Path, vectors: Vectors) -> None:
    run = CliRunner().invoke
    source, where = tmp_path / "set", ["--store", str(tmp_path / "store")]
    embedded(vectors).save(source)
    assert run(app, ["store", "put", str(source), "--split", "[/all]", *where]).exit_code == 0
    [listed] = json.loads(run(app, ["store", "list", "--json", *where]).stdout)
    assert (listed["rows"], listed["dimensions"], listed["split"]) == (600, 40, "[/all]")
    shown = run(app, ["store", "list", *where]).stdout
    assert "letters, [/all], by static" in " ".join(shown.split())
    out = tmp_path / "back"
    assert run(app, ["store", "get", listed["name"], "--out", str(out), *where]).exit_code == 0
    assert EmbeddingSet.open(out).fingerprint == EmbeddingSet.open(source).fingerprint
    np.save(tmp_path / "queries.npy", vectors[:2])
    queries = ["--vectors", str(tmp_path / "queries.npy")]
    found = json.loads(run(app, ["store", "query", listed["name"], *queries, "-k", "3", "--json", *where]).stdout)
    assert [query["results"][0]["id"] for query in found] == ["d0", "d1"]
    assert "d0" in run(app, ["store", "query", listed["name"], *queries, *where]).stdout
    assert "either --query or --vectors" in str(run(app, ["store", "query", listed["name"], *where]).exception)
