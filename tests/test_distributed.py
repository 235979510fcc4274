"""Fitting and writing over many files, by threads of this process; `test_ray` runs the same work on Ray."""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vecsmith
from vecsmith.cli import main
from vecsmith.distributed.engines import LocalEngine
from vecsmith.distributed.fitting import fit, sample
from vecsmith.distributed.hashing import string_hashes
from vecsmith.distributed.locations import Location, local_copy
from vecsmith.distributed.migration import migrate
from vecsmith.distributed.parts import PartsFolder
from vecsmith.distributed.sources import open_source
from vecsmith.distributed.stages import AssignLists, Encode
from vecsmith.distributed.unique_ids import check_unique
from vecsmith.distributed.writing import embed, encode, reduce, translate
from vecsmith.embeddings import Columns, EmbeddingSet, normalize
from vecsmith.encoders import embed_texts, load_encoder
from vecsmith.errors import VecsmithError
from vecsmith.index.inverted_lists import InvertedLists, learn_centroids
from vecsmith.report import read_run
from vecsmith.tasks import read_texts
from vecsmith.translators import fit_sets, translator

ROWS, D = 2000, 32


class Ran(NamedTuple):
    """Result of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command as a user types it, in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["vecsmith", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Ran(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="module", name="X")
def made_vectors():
    return np.random.default_rng(0).standard_normal((ROWS, D)).astype(np.float32)


IDS = [f"document {row * 7}" for row in range(ROWS)]
TEXTS = [f"a text about {row}" for row in range(ROWS)]


def write_parquet(folder: Path, X, sizes, fixed=True, ids=IDS, **changes):
    """Write vectors as Parquet files of the given sizes."""
    folder.mkdir(parents=True)
    start = 0
    for number, size in enumerate(sizes):
        rows = slice(start, start + size)
        values = pa.array(X[rows].ravel())
        lists = pa.FixedSizeListArray.from_arrays(values, D)
        columns = {
            "id": ids[rows],
            "text": TEXTS[rows],
            "embedding": lists if fixed else lists.cast(pa.list_(pa.float32())),
        }
        pq.write_table(pa.table(columns | changes.get(f"part{number}", {})), folder / f"part-{number}.parquet")
        start += size
    return folder


SIZES = (700, 1, 0, 1299)


@pytest.fixture(scope="module")
def parquet(X, tmp_path_factory):
    return write_parquet(tmp_path_factory.mktemp("input") / "parquet", X, SIZES)


@pytest.fixture(scope="module")
def sources(X, parquet, tmp_path_factory):
    """The same rows in all formats that can be read."""
    import lance

    folder = tmp_path_factory.mktemp("formats")
    EmbeddingSet(X, IDS, TEXTS).save(folder / "set")
    lists = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), D)
    table = pa.table({"id": IDS, "text": TEXTS, "vector": lists})
    lance.write_dataset(table, folder / "rows.lance", max_rows_per_file=600)
    (folder / "npy").mkdir()
    for number, start in enumerate(range(0, ROWS, 800)):
        np.save(folder / "npy" / f"shard-{number}.npy", X[start : start + 800])
    lists = write_parquet(folder / "lists", X, (1000, 1000), fixed=False)
    return {
        "set": folder / "set",
        "lance": folder / "rows.lance",
        "npy": folder / "npy" / "shard-*.npy",
        "parquet": parquet,
        "lists": lists / "*.parquet",
        "parquet by URI": parquet.as_uri(),
    }


FORMATS = ["set", "lance", "npy", "parquet", "lists", "parquet by URI"]


def rows_of(source):
    """Return the ids, vectors and texts of all shards."""
    blocks = [block for shard in source.shards for block in shard.blocks()]
    texts = [text for block in blocks if block.texts is not None for text in block.texts.to_pylist()]
    ids = [id_ for block in blocks for id_ in block.ids.to_pylist()]
    return ids, np.concatenate([block.vectors for block in blocks]), texts


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read(sources, X, name):
    source = open_source(sources[name])
    ids, vectors, texts = rows_of(source)
    assert source.count() == ROWS and source.dimensions() == D
    np.testing.assert_array_equal(vectors, X)
    assert ids == ([str(row) for row in range(ROWS)] if name == "npy" else IDS)
    assert texts == ([] if name == "npy" else TEXTS)


def test_sample_does_not_depend_on_files(sources, X, tmp_path):
    drawn = sample(open_source(sources["parquet"]), 300, seed=3)
    assert 250 < len(drawn) <= 300
    order = np.random.default_rng(1).permutation(ROWS)
    shuffled = write_parquet(tmp_path / "shuffled", X[order], (50, 1950), ids=[IDS[row] for row in order])
    np.testing.assert_array_equal(drawn, sample(open_source(shuffled), 300, seed=3))
    assert not np.array_equal(drawn[:50], sample(open_source(sources["parquet"]), 300, seed=4)[:50])


def test_fit_does_not_depend_on_files(sources):
    codecs = [fit("trellis4B", open_source(sources[name])) for name in ("set", "lance", "lists")]
    for other in codecs[1:]:
        for name, weights in codecs[0].weights().items():
            np.testing.assert_array_equal(weights, other.weights()[name])


def test_hashes_are_spread_and_differ():
    strings = pa.array(["", "a", "b", "ab", "ba", "a\0", "\0", "ü", *map(str, range(100_000))])
    hashes = string_hashes(strings)
    assert len(np.unique(hashes)) == len(strings)
    np.testing.assert_array_equal(hashes[3:], string_hashes(strings.slice(3)))
    counts = np.histogram(hashes.astype(np.float64), bins=64, range=(0, 2.0**64))[0]
    assert ((counts - len(strings) / 64) ** 2 / (len(strings) / 64)).sum() < 120  # chi squared, 63 degrees of freedom
    # the hashes are part of what a sample is, so they must never change
    assert string_hashes(pa.array(["a", "document 7"]), 1).tolist() == KNOWN_HASHES


KNOWN_HASHES = [13727231775589000475, 13183965566893159259]


@pytest.mark.parametrize("spec", ["hybrid8B", "trellis8B", "hybrid4B+trellis4B", "pca16,int8", "binary"])
def test_codes_are_searched_like_those_of_one_set(sources, X, tmp_path, spec):
    codec = vecsmith.codec(spec).fit(X)
    written = encode(codec, open_source(sources["parquet"]), tmp_path / "codes")
    assert (written.rows, written.parts) == (ROWS, len(SIZES))
    index = vecsmith.Index.load(tmp_path / "codes")
    expected = vecsmith.Index(codec, X, index.scoring)
    for a, b in zip(index.search(X[:20], 5), expected.search(X[:20], 5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert index.rows[701] == (IDS[701], TEXTS[701])
    assert [id_ for id_, _ in index.rows] == IDS


def test_threads_and_files_do_not_change_the_output(sources, X, tmp_path):
    codec = vecsmith.codec("trellis8B").fit(X)
    for threads in (1, 3):
        encode(codec, open_source(sources["lance"]), tmp_path / str(threads), LocalEngine(threads))
    for file in (tmp_path / "1").rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "3" / file.relative_to(tmp_path / "1")).read_bytes()


def test_an_interrupted_run_continues(sources, X, tmp_path, monkeypatch):
    codec, source = vecsmith.codec("hybrid8B").fit(X), open_source(sources["npy"])
    encode(codec, source, tmp_path / "whole")
    calls = []
    original = Encode.__call__

    def fails_later(self, batch):
        calls.append(len(batch["vector"]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, batch)

    monkeypatch.setattr(Encode, "__call__", fails_later)
    with pytest.raises(KeyboardInterrupt):
        encode(codec, source, tmp_path / "codes", LocalEngine(1))
    assert not (tmp_path / "codes" / "manifest.json").exists()
    with pytest.raises(VecsmithError, match=r"holds no codes"):
        vecsmith.Index.load(tmp_path / "codes")
    (tmp_path / "codes" / "part-00000.parquet").write_bytes(b"damaged")
    encode(codec, source, tmp_path / "codes", LocalEngine(1))
    assert calls == [800, 800, 800, 800, 400]
    for file in (tmp_path / "whole").iterdir():
        assert file.is_dir() or file.read_bytes() == (tmp_path / "codes" / file.name).read_bytes()


def test_other_input_is_not_continued(sources, X, tmp_path):
    codec = vecsmith.codec("hybrid8B").fit(X)
    folder = PartsFolder(Location.parse(tmp_path / "codes"), "codes in parts")
    folder.begin("another input")
    with pytest.raises(VecsmithError, match="already holds something else"):
        encode(codec, open_source(sources["npy"]), tmp_path / "codes")
    encode(codec, open_source(sources["npy"]), tmp_path / "codes", force=True)
    encode(codec, open_source(sources["parquet"]), tmp_path / "codes")  # complete codes are replaced
    (tmp_path / "codes" / "notes.txt").write_text("mine")
    with pytest.raises(VecsmithError, match="already holds something else"):
        encode(codec, open_source(sources["npy"]), tmp_path / "codes")
    assert (tmp_path / "codes" / "notes.txt").read_text() == "mine"


def test_vectors_in_parts_are_an_embedding_set(sources, X, tmp_path):
    codec = vecsmith.codec("pca8,int8").fit(X)
    reduce(codec, open_source(sources["parquet"]), tmp_path / "reduced")
    opened = EmbeddingSet.open(tmp_path / "reduced", verify=True)
    np.testing.assert_allclose(opened.stored(690, 710), codec.transform(X[690:710]), atol=1e-6)
    assert opened.ids == IDS and opened.texts == TEXTS
    again = open_source(tmp_path / "reduced")
    assert again.provenance == opened.provenance and again.count() == ROWS


def test_translated_vectors(sources, X, tmp_path):
    Y = EmbeddingSet(X @ np.linalg.qr(np.random.default_rng(2).standard_normal((D, D)))[0].astype(np.float32), IDS)
    fitted = translator("canonical")
    fit_sets(fitted, EmbeddingSet(X, IDS), Y)
    translate(fitted, open_source(sources["set"]), tmp_path / "translated")
    expected = EmbeddingSet(fitted.transform(EmbeddingSet(X).unit[:])).unit[:]
    np.testing.assert_allclose(EmbeddingSet.open(tmp_path / "translated").unit[:], expected, atol=1e-6)
    known = EmbeddingSet(Y.stored(0, 500), IDS[:500], source="the sample")
    written, calibration = migrate(open_source(sources["parquet"]), known, tmp_path / "migrated")
    migrated = EmbeddingSet.open(tmp_path / "migrated")
    assert written.rows == ROWS
    np.testing.assert_allclose(migrated.stored(0, 500), calibration.transform(known.unit[:]), atol=1e-6)
    assert np.einsum("nd,nd->n", migrated.unit[500:], Y.unit[500:]).mean() > 0.99
    with pytest.raises(VecsmithError, match=r"the sample has 1 documents that .* lacks, the first with the id 'new'"):
        strange = EmbeddingSet(Y.stored(0, 3), ["new", *IDS[:2]], source="the sample")
        migrate(open_source(sources["parquet"]), strange, tmp_path / "other")


def test_embedded_texts_equal_those_of_one_file(tmp_path):
    (tmp_path / "texts").mkdir()
    table = pa.table({"sku": ["a", "b", "c"], "title": ["Tea", None, "Pot"], "text": ["green leaves", "a cup", ""]})
    pq.write_table(table, tmp_path / "texts" / "0.parquet")
    encoder = load_encoder("static")
    read = read_texts(tmp_path / "texts" / "0.parquet", id_column="sku")
    expected = embed_texts(encoder, read, "passage", tmp_path / "expected")
    source = open_source(tmp_path / "texts", Columns(ids="sku"), texts=True)
    embed(encoder, source, tmp_path / "embedded")
    opened = EmbeddingSet.open(tmp_path / "embedded")
    np.testing.assert_allclose(opened.vectors, expected.vectors, atol=1e-6)
    assert opened.ids == ["a", "b", "c"] and opened.texts == read.texts
    assert opened.provenance.encoder == expected.provenance.encoder


def test_zero_vectors_are_never_found(X, tmp_path):
    V = X.copy()
    V[[3, 1500]] = 0
    write_parquet(tmp_path / "in", V, SIZES)
    codec = vecsmith.codec("hybrid8B").fit(X)
    with pytest.warns(vecsmith.errors.VecsmithWarning, match="2 all-zero vectors, the first in row 3"):
        encode(codec, open_source(tmp_path / "in"), tmp_path / "codes")
    rows = vecsmith.Index.load(tmp_path / "codes").search(X[:2], ROWS)[1]
    assert rows.shape[1] == ROWS - 2 and not np.isin([3, 1500], rows).any()


def test_bad_input_names_file_and_row(X, tmp_path):
    codec = vecsmith.codec("hybrid8B").fit(X)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(X[:3].ravel()), D)
    nan = X[:3].copy()
    nan[2, 1] = np.nan
    null = pa.array([[1.0] * D, None, [1.0] * D], pa.list_(pa.float32()))
    ragged = pa.array([[1.0] * D, [1.0] * (D + 1), [1.0] * D], pa.list_(pa.float32()))
    hole = pa.array([[1.0] * D, [1.0] * (D - 1) + [None], [1.0] * D], pa.list_(pa.float32()))
    cases = {
        "nan": (
            {"embedding": pa.FixedSizeListArray.from_arrays(pa.array(nan.ravel()), D)},
            "1.parquet has a NaN.* row 2",
        ),
        "null": ({"embedding": null}, "1.parquet has no vector in row 1"),
        "ragged": ({"embedding": ragged}, "1.parquet has a vector of 33 dimensions in row 1"),
        "hole": ({"embedding": hole}, "1.parquet has a null in the vector of row 1"),
        "id": ({"embedding": lists, "id": ["x", None, "y"]}, "1.parquet has no id in row 1"),
        "twice": (
            {"embedding": lists, "id": ["x", IDS[1], "y"]},
            f"The id '{IDS[1]}' occurs twice, in row 1 of .*0.parq",
        ),
        "column": ({"other": lists}, "1.parquet has no column 'embedding'"),
        "wide": (
            {"embedding": pa.FixedSizeListArray.from_arrays(pa.array(np.ones(3 * 40, np.float32)), 40)},
            "1.parquet has vectors of 40 dimensions",
        ),
    }
    for name, (columns, message) in cases.items():
        folder = write_parquet(tmp_path / name, X, (5,))
        columns = {"id": ["x", "y", "z"], "text": ["", "", ""], **columns}
        pq.write_table(pa.table(columns), folder / "part-1.parquet")
        with pytest.raises(VecsmithError, match=message):
            encode(codec, open_source(folder), tmp_path / "codes", force=True)
        assert not (tmp_path / "codes" / "manifest.json").exists()


def test_duplicates_are_found_in_several_passes(parquet, tmp_path):
    check_unique(open_source(parquet), LocalEngine(), hashes_in_memory=300)
    copy = write_parquet(tmp_path / "twice", np.ones((ROWS, D), np.float32), SIZES, ids=[*IDS[:-1], IDS[700]])
    with pytest.raises(VecsmithError, match=r"'document 4900' occurs twice, in row 0 of .*-1.parquet and in row 1298"):
        check_unique(open_source(copy), LocalEngine(), hashes_in_memory=300)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("nowhere", "There is no file or folder"),
        ("none-*.parquet", "No file matches"),
        ("zz://a/b", "cannot be opened"),
        ("empty", "has no .parquet or .npy file"),
        ("mixed", "files of one format"),
        ("text.csv", "has files of the formats .csv"),
        ("both", "corpus and of queries"),
        ("broken.parquet", "is not a Parquet file"),
        ("integers.npy", "must contain floats"),
        ("short.npy", "shorter than its header"),
    ],
)
def test_bad_locations(tmp_path, monkeypatch, where, message):
    monkeypatch.chdir(tmp_path)
    for folder, names in {"empty": [], "mixed": ["a.npy", "b.parquet"], "both": ["corpus.npy", "queries.npy"]}.items():
        Path(folder).mkdir()
        for name in names:
            np.save(Path(folder) / f"{name}.npy", np.ones((2, 2), np.float32))
            (Path(folder) / f"{name}.npy").rename(Path(folder) / name)
    Path("text.csv").write_text("a,b")
    Path("broken.parquet").write_bytes(b"PAR1 no")
    np.save("integers.npy", np.ones((3, 2), np.int64))
    np.save("short.npy", np.ones((300, 2), np.float32))
    Path("short.npy").write_bytes(Path("short.npy").read_bytes()[:-100])
    with pytest.raises(VecsmithError, match=message):
        source = open_source(where)
        rows_of(source)


def test_a_stage_runs_in_a_loop(X):
    codec = vecsmith.codec("binary").fit(X)
    batch = Encode(codec)({"id": np.arange(5), "vector": np.array([*X[:5], None], dtype=object)[:5]})
    np.testing.assert_array_equal(batch["code"], codec.encode(X[:5]))


def test_vectors_are_assigned_to_the_lists_that_an_index_gives_them(X):
    codec = vecsmith.codec("float32").fit(X)
    centroids = learn_centroids(normalize(X), 16, 0)
    codes = codec.encode(X)
    expected = InvertedLists.assign(centroids, codec, codes).numbers
    numbers = [AssignLists(centroids)({"vector": X[rows]})["list"] for rows in np.array_split(np.arange(len(X)), 3)]
    np.testing.assert_array_equal(np.concatenate(numbers), expected)
    assert numbers[0].dtype == np.int32


@pytest.fixture
def bucket(monkeypatch):
    """A server that speaks the protocol of S3, with one bucket."""
    from moto.server import ThreadedMotoServer

    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    import boto3

    boto3.client("s3").create_bucket(Bucket="bucket")
    yield "s3://bucket"
    server.stop()


def test_a_bucket_as_a_user_types_it(bucket, sources, X, tmp_path, monkeypatch, run):
    monkeypatch.setenv("VECSMITH_CACHE", str(tmp_path / "cache"))
    for file in sources["parquet"].iterdir():
        with (Location.parse(f"{bucket}/corpus") / file.name).writing() as temporary:
            temporary.write_bytes(file.read_bytes())
    vectors = ("--vectors", f"{bucket}/corpus/*.parquet", "--column", "embedding")
    assert run("fit", "hybrid8B", *vectors, "--out", tmp_path / "codec").code == 0
    assert run("encode", tmp_path / "codec", *vectors, "--id-column", "id", "--out", f"{bucket}/codes").code == 0
    local = ("--vectors", sources["parquet"], "--engine", "local")
    assert run("fit", "hybrid8B", *local, "--out", tmp_path / "same").code == 0
    assert run("encode", tmp_path / "same", *local, "--out", tmp_path / "codes").code == 0
    copy = local_copy(f"{bucket}/codes")
    names = [f"part-{number:05d}.parquet" for number, size in enumerate(SIZES) if size]
    for name in [*names, "codec/weights.safetensors"]:
        assert (copy / name).read_bytes() == (tmp_path / "codes" / name).read_bytes()
    np.save(tmp_path / "queries.npy", X[:2])
    found = run("search", f"{bucket}/codes", "--queries", tmp_path / "queries.npy", "--json")
    assert [each["results"][0]["id"] for each in json.loads(found.out)] == IDS[:2]
    missing = run("encode", tmp_path / "codec", "--vectors", "s3://elsewhere/x", "--out", f"{bucket}/other")
    assert missing.code == 2 and "s3://elsewhere/x" in missing.err
    forbidden = run("encode", tmp_path / "codec", *vectors, "--out", "s3://elsewhere/codes")
    assert forbidden.code == 2 and "s3://elsewhere/codes" in forbidden.err


def test_options_that_need_the_whole_set(parquet, tmp_path, run, X):
    vecsmith.codec("hybrid8B").fit(X).save(tmp_path / "codec")
    base = ("encode", tmp_path / "codec", "--vectors", parquet, "--out", tmp_path / "codes")
    for options, message in [
        (("--engine", "local", "--lexical", "bm25"), "--lexical needs the whole set"),
        (("--engine", "local", "--recenter"), "--recenter needs the whole set"),
        (("--engine", "spark"), "There is no engine 'spark'"),
        (("--engine", "local", "--ray-address", "auto"), "options of --engine ray"),
        (("--engine", "local", "--vectors", parquet), "vectors of one model"),
    ]:
        refused = run(*base, *options)
        assert refused.code == 2 and message in refused.err
        assert not (tmp_path / "codes").exists()


def test_compare_reads_each_document_once(X, sources, tmp_path, run):
    """The exact lines equal those of a corpus on one machine; cross-fitting differs only in how it halves."""
    rng = np.random.default_rng(5)
    Q = X[:60] + 0.8 * rng.standard_normal((60, D)).astype(np.float32)
    for folder in ("small", "whole"):
        (tmp_path / folder / "qrels").mkdir(parents=True)
        lines = [json.dumps({"_id": f"q{row}", "text": f"query {row}"}) for row in range(60)]
        (tmp_path / folder / "queries.jsonl").write_text("\n".join(lines))
        judged = [f"q{row}\t{IDS[row]}\t1" for row in range(50)]
        (tmp_path / folder / "qrels" / "test.tsv").write_text("\n".join(judged))
    corpus = [json.dumps({"_id": id_, "text": text}) for id_, text in zip(IDS, TEXTS, strict=True)]
    (tmp_path / "whole" / "corpus.jsonl").write_text("\n".join(corpus))
    np.save(tmp_path / "queries.npy", Q)
    np.save(tmp_path / "corpus.npy", X)
    codecs = ("--codec", "binary", "--codec", "hybrid8B", "--metric", "RR@10", "--json")
    given = f"vectors:{sources['parquet']},{tmp_path / 'queries.npy'}"
    out = tmp_path / "ours"
    measured = run(
        "compare", "--task", tmp_path / "small", "--encoder", given, *codecs, "--engine", "local", "--out", out
    )
    given = f"vectors:{tmp_path / 'corpus.npy'},{tmp_path / 'queries.npy'}"
    expected = run("compare", "--task", tmp_path / "whole", "--encoder", given, *codecs, "--out", tmp_path / "theirs")
    ours, theirs = json.loads(measured.out), json.loads(expected.out)
    names = ("codec", "n_docs", "n_queries", "ndcg_at_10", "recall_at_100", "metrics", "bytes_per_vector")
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        assert {name: a[name] for name in names} == {name: b[name] for name in names}
    assert abs(ours[2]["ndcg_at_10"] - theirs[2]["ndcg_at_10"]) < 0.1
    # the report has the same rankings of float32
    assert (tmp_path / "ours" / "report.html").exists()
    first, second = (_first_documents(read_run(tmp_path / name).queries[0]) for name in ("ours", "theirs"))
    assert first == second
    assert len(first) == 50
    refused = run("compare", "--task", tmp_path / "small", "--encoder", "static", "--engine", "local")
    assert refused.code == 2 and "vectors:CORPUS,QUERIES" in refused.err


def _first_documents(queries):
    """Return the ids of the first documents of each query, by its text, as float32 ranks them."""
    names = [id_ for id_, _ in queries.documents]
    return {
        text: [names[number] for number in documents]
        for text, documents in zip(queries.texts, queries.rankings[0].documents, strict=True)
    }


def test_auto_counts_all_vectors(X, tmp_path, run, monkeypatch):
    monkeypatch.setattr("vecsmith.distributed.fitting.FIT_VECTORS", 500)
    folder = write_parquet(tmp_path / "in", X, SIZES)
    chosen = run(
        "fit", "auto", "--bytes", "8", "--vectors", folder, "--engine", "local", "--out", tmp_path / "codec", "--json"
    )
    assert chosen.code == 0 and json.loads(chosen.out)["bytes_per_vector"] <= 8
