"""Hybrids and rerankers: their formulas, in `compare`, in an index with a lexical index, and on the command line."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import vecsmith
from conftest import WORDS
from vecsmith.cli import app
from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError, VecsmithWarning
from vecsmith.evaluation import fusion_weight
from vecsmith.evaluation.compare import compare
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.index import CodeSet, Index
from vecsmith.index.bm25 import Bm25
from vecsmith.report import markdown_table, terminal_table
from vecsmith.retrievers import (
    CrossEncoderScorer,
    CrossEncoderStage,
    EncoderScorer,
    FusionStage,
    Hybrid,
    IndexRetriever,
    Reranker,
    Retriever,
)
from vecsmith.retrievers.reranking import CrossEncoderModel
from vecsmith.retrievers.specs import RetrieverSpecs
from vecsmith.tasks import Task, Texts

pytest.importorskip("bm25s")


class Fixed(Retriever):
    """Returns the same ranking for every query."""

    def __init__(self, *ranking: tuple[int, float]) -> None:
        self.ranking = ranking

    def _search(self, queries: Any, k: int, allowed: Any) -> Any:
        rows, scores = zip(*self.ranking, strict=True)
        return np.tile(np.float32(scores), (len(queries), 1)), np.tile(np.int64(rows), (len(queries), 1))


@pytest.fixture
def task() -> Task:
    """Return 200 documents of 5 of 12 words, and 60 queries that are judged in train or test."""
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(WORDS, 5)) for _ in range(200)]
    queries = [" ".join(rng.choice(WORDS, 3)) for _ in range(60)]
    qrels: dict[str, dict[str, int]] = {}
    for number, query in enumerate(queries):
        shared = [len(set(query.split()) & set(document.split())) for document in documents]
        qrels[f"q{number}"] = {f"d{row}": 1 for row in np.argsort(shared)[::-1][:5]}
    ids = list(qrels)
    return Task(
        "words",
        Texts([f"d{row}" for row in range(200)], documents, "the corpus"),
        Texts(ids, queries, "the queries"),
        {"train": {id_: qrels[id_] for id_ in ids[:30]}, "test": {id_: qrels[id_] for id_ in ids[30:]}},
    )


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(each) for each in arguments])


# ---------------------------------------------------------------- formulas


def test_reciprocal_rank_fusion() -> None:
    hybrid = Hybrid(Fixed((4, 0.9), (7, 0.8), (2, 0.1)), Fixed((7, 30), (5, 20)))
    scores, rows = hybrid.search(["any"], 10)
    expected = {7: 1 / 62 + 1 / 61, 4: 1 / 61, 5: 1 / 62, 2: 1 / 63}
    assert rows.tolist() == [[7, 4, 5, 2]]
    np.testing.assert_allclose(scores[0], list(expected.values()), rtol=1e-6)


def test_convex_combination_of_min_max_scores() -> None:
    hybrid = Hybrid(Fixed((4, 0.9), (7, 0.5), (2, 0.1)), Fixed((7, 30), (5, 20), (-1, -np.inf)), 0.25)
    scores, rows = hybrid.search(["any"], 10)
    expected = {7: 0.25 * 0.5 + 0.75 * 1, 4: 0.25, 5: 0.0, 2: 0.0}
    # 2 and 5 tie, and without ids ties break by rising row number
    assert rows.tolist() == [[7, 4, 2, 5]]
    np.testing.assert_allclose(scores[0], [expected[row] for row in rows[0]], atol=1e-6)
    for weight, first in ((1.0, 4), (0.0, 7)):
        assert Hybrid(hybrid.first, hybrid.second, weight).search(["any"], 1)[1].tolist() == [[first]]


@pytest.mark.parametrize("weight", [-0.1, 1.5, float("nan")])
def test_weights_outside_0_to_1_are_refused(weight: float) -> None:
    with pytest.raises(VecsmithError, match="weight of a convex combination must be from 0 to 1"):
        Hybrid(Fixed((0, 1)), Fixed((0, 1)), weight)
    with pytest.raises(VecsmithError, match="weight of a convex combination must be from 0 to 1"):
        FusionStage.parse(f"convex:{weight}", Bm25())


def test_a_reranker_reorders_the_first_and_keeps_the_rest(cross_encoder: str) -> None:
    texts = [" ".join(np.random.default_rng(row).choice(WORDS, 5)) for row in range(8)]
    first = Fixed(*[(row, 1 - row / 10) for row in range(8)])
    model = CrossEncoderModel(cross_encoder)
    scores, rows = Reranker(first, CrossEncoderScorer(model, texts), 5).search(["map tree stone"], 8)
    own = np.array(model.score("map tree stone", texts[:5]))
    assert rows[0].tolist() == [*np.argsort(-own).tolist(), 5, 6, 7]
    np.testing.assert_allclose(scores[0, :5], -np.sort(-own), atol=1e-6)
    assert (np.diff(scores[0]) <= 0).all()
    with pytest.raises(VecsmithError, match="documents that are reranked must be at least 1, not 0"):
        Reranker(first, CrossEncoderScorer(model, texts), 0)


def test_the_cross_encoder_of_the_tests_has_learned(cross_encoder: str) -> None:
    rng = np.random.default_rng(5)
    texts = [" ".join(rng.choice(WORDS, 5)) for _ in range(200)]
    shares = [np.isin(["map", "tree", "stone"], text.split()).mean() for text in texts]
    assert np.corrcoef(CrossEncoderModel(cross_encoder).score("map tree stone", texts), shares)[0, 1] > 0.3


# ---------------------------------------------------------------- compare


def test_every_line_has_its_hybrid_and_its_reranker_beside_it(task: Task, cross_encoder: str) -> None:
    specs = RetrieverSpecs(
        "bm25", "bm25:k1=1.2", ("rrf", "convex", "convex:0.5"), (f"ce:{cross_encoder}", "static"), 10
    )
    results = compare([task], ["static"], ["binary"], ["asymmetric", "rescored"], retrievers=specs)
    further = ["rrf", "convex", "convex:0.5", "overlap", "static"]
    assert [line.scoring for line in results] == [
        *("exact", *(f"exact+{name}" for name in further)),
        *("lexical", "lexical+overlap", "lexical+static"),
        *("asymmetric", *(f"asymmetric+{name}" for name in further)),
        *("rescored", *(f"rescored+{name}" for name in further)),
    ]
    line = {(each.codec, each.scoring): each for each in results}
    spec = Bm25().spec
    binary, hybrid, bm25 = line["binary", "asymmetric"], line["binary", "asymmetric+rrf"], line[spec, "lexical"]
    assert (bm25.bytes_per_vector, bm25.dimensions, bm25.fit_on) == (0, 0, "nothing")
    assert hybrid.lexical_bytes_per_vector == bm25.lexical_bytes_per_vector > 0
    assert hybrid.bytes_per_vector == binary.bytes_per_vector == 32
    assert hybrid.amortised_bytes_per_vector == pytest.approx(32 + hybrid.lexical_bytes_per_vector, abs=0.5)
    assert hybrid.compression == pytest.approx(1024 / (32 + hybrid.lexical_bytes_per_vector))
    assert line["binary", "asymmetric+static"].rescore_bytes_per_vector == 1024
    assert line["binary", "rescored+static"].rescore_bytes_per_vector == 2048
    assert line["binary", "asymmetric+overlap"].rescore_bytes_per_vector == 0
    assert hybrid.second_stage["k1"] == 1.2
    assert all(each.milliseconds_per_query > 0 for each in results)
    # reranking by the floats of the same encoder is rescoring
    few = compare([task], ["static"], ["binary"], ["rescored"], retrievers=RetrieverSpecs(rerankers=["static"]))
    assert few[-1].ndcg_at_10 == few[-2].ndcg_at_10
    # the table has the latency of each line
    page = markdown_table(results)
    assert "| ms/q |" in page
    assert f"| {spec} | lexical | 0+{bm25.lexical_bytes_per_vector} |" in page
    assert "| ms/q |" not in markdown_table([binary])
    plain = [each for each in results if each.second_stage.get("reranker") is None]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(terminal_table(plain))
    printed = console.export_text()
    assert "ms/q" in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert f"{hybrid.ndcg_at_10:.4f}" in printed


def test_the_hybrid_of_compare_is_the_hybrid_of_its_parts(task: Task) -> None:
    [_, line] = compare([task], ["static"], [], retrievers=RetrieverSpecs(hybrid="bm25", fusions=("convex:0.4",)))
    corpus, queries = vecsmith.embed_task(task, "static")
    codec = vecsmith.codec("float32").fit(corpus.vectors)
    index = Index(codec, corpus.unit[:], ids=corpus.ids)
    judged = JudgedQueries(task, "test", queries.ids)
    texts = [task.queries.texts[row] for row in judged.rows]
    first = vecsmith.retrievers.IndexRetriever(index, lambda _: queries.unit[judged.rows])
    retriever = FusionStage(Bm25(), 0.4).over(first, task.corpus)
    assert judged.evaluate(*retriever.search(texts, judged.depth)).mean_ndcg_at_10 == line.ndcg_at_10


def test_the_weight_is_chosen_without_the_evaluated_queries(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    judge = fusion_weight.JudgedQueries

    def listen(task: Task, split: str, ids: list[str]) -> Any:
        seen.extend(judge(task, split, ids).ids)
        return judge(task, split, ids)

    monkeypatch.setattr(fusion_weight, "JudgedQueries", listen)
    specs = RetrieverSpecs(hybrid="bm25", fusions=("convex",))
    # a test query that is judged in train too takes no part in the choice
    shared = {**task.qrels["train"], "q40": task.qrels["test"]["q40"]}
    [_, line] = compare([replace(task, qrels={**task.qrels, "train": shared})], ["static"], [], retrievers=specs)
    assert sorted(seen) == sorted(task.qrels["train"])
    assert line.second_stage["chosen_on"] == "train"
    assert line.second_stage["weight"] in fusion_weight.WEIGHTS
    # it is the best of the given weights on the queries of train
    given = [f"convex:{weight:g}" for weight in fusion_weight.WEIGHTS]
    trials = compare([task], ["static"], [], split="train", retrievers=replace(specs, fusions=given))[1:]
    best = max(trials, key=lambda trial: (trial.ndcg_at_10, trial.second_stage["weight"]))
    assert best.second_stage["weight"] == line.second_stage["weight"]
    # dev comes before train
    both = {**task.qrels, "dev": dict(list(task.qrels["train"].items())[:20])}
    assert fusion_weight.validation_split(replace(task, qrels=both), "test") == "dev"


def test_without_validation_queries_no_weight_is_chosen(task: Task, cache: Path) -> None:
    specs = RetrieverSpecs(hybrid="bm25", fusions=("convex",))
    with pytest.raises(VecsmithError, match=r"words has no split dev or train besides train\+test.*convex:0\.5"):
        compare([task], ["static"], [], split="train+test", retrievers=specs)
    assert not list(cache.iterdir())
    same = replace(task, qrels={"test": task.qrels["test"], "train": task.qrels["test"]})
    with pytest.raises(VecsmithError, match="All queries that train of words judges are judged in test too"):
        compare([same], ["static"], [], retrievers=specs)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (RetrieverSpecs("bm25:b=2"), "b of BM25 must be from 0 to 1, not 2"),
        (RetrieverSpecs(hybrid="bm25:stemmer=thai"), "BM25 has no stemmer 'thai'; give stemmer=none, or one of"),
        (RetrieverSpecs(hybrid="bm25", fusions=("rff",)), "Unknown fusion 'rff': did you mean 'rrf'"),
        (RetrieverSpecs(hybrid="bm25", fusions=("convex:2",)), "must be from 0 to 1, not 2"),
        (RetrieverSpecs(hybrid="bm25", fusions=("convex:much",)), "must be a number from 0 to 1, not 'much'"),
        (RetrieverSpecs(rerankers=("ce:",)), "ce: names no cross-encoder"),
        (RetrieverSpecs(rerankers=("ce:no/such-model",)), "no/such-model is not a local folder and cannot be loaded"),
        (RetrieverSpecs(rerankers=("statik",)), "Unknown encoder 'statik': did you mean 'static'"),
        (RetrieverSpecs(rerankers=("static",), depth=0), "reranked must be at least 1, not 0"),
    ],
)
def test_bad_specs_are_refused_before_anything_is_embedded(
    task: Task, cache: Path, specs: RetrieverSpecs, message: str
) -> None:
    with pytest.raises(VecsmithError, match=message):
        compare([task], ["static"], ["binary"], retrievers=specs)
    assert not list(cache.iterdir())


def test_a_cross_encoder_that_returns_nan_is_refused(
    task: Task, cross_encoder: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = pytest.importorskip("sentence_transformers")
    monkeypatch.setattr(library.CrossEncoder, "predict", lambda self, pairs, **_: np.full(len(pairs), np.nan))
    message = r"ce:.*overlap returned nan for the query '.*' and the text '.*'; use another cross-encoder"
    with pytest.raises(VecsmithError, match=message):
        compare([task], ["static"], [], retrievers=RetrieverSpecs(rerankers=[f"ce:{cross_encoder}"]))
    # the line of float32 was measured before; nothing of the reranker was kept
    assert len(list((cache / "results").iterdir())) == 1


def test_a_cross_encoder_of_several_scores_or_without_weights_is_refused(cross_encoder: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.BertForSequenceClassification.from_pretrained(
        cross_encoder, num_labels=3, ignore_mismatched_sizes=True
    )
    model.save_pretrained(tmp_path / "three")
    transformers.BertTokenizerFast.from_pretrained(cross_encoder).save_pretrained(tmp_path / "three")
    with pytest.raises(VecsmithError, match="three returns 3 scores per pair of texts"):
        CrossEncoderModel(str(tmp_path / "three")).score("map", ["tree"])
    (tmp_path / "three" / "model.safetensors").unlink()
    with pytest.raises(VecsmithError, match="three cannot be loaded"):
        CrossEncoderModel(str(tmp_path / "three")).score("map", ["tree"])
    with pytest.raises(VecsmithError, match="is not a model"):
        assert CrossEncoderStage(CrossEncoderModel(str(tmp_path))).settings


# ---------------------------------------------------------------- an index with a lexical index


@pytest.fixture
def embedded(task: Task) -> EmbeddingSet:
    return vecsmith.embed_task(task, "static")[0]


def hybrid_of(index: Index, weight: float | None = None) -> Hybrid:
    return Hybrid.of(index, lambda queries: vecsmith.load_encoder("static").encode(queries, "query"), weight)


def test_codes_and_lexical_index_lie_in_one_folder(embedded: EmbeddingSet, task: Task, tmp_path: Path) -> None:
    codec = vecsmith.codec("binary").fit(embedded.vectors)
    CodeSet.encode(codec, embedded, tmp_path / "codes", bm25=Bm25(k1=1.2))
    index = Index.load(tmp_path / "codes")
    assert index.lexical is not None
    assert index.lexical.options == Bm25(k1=1.2)
    assert isinstance(index.lexical._scorer.scores["data"], np.memmap)
    rows = hybrid_of(index).search(task.queries.texts[:4], 5)[1]
    assert rows.shape == (4, 5)
    only_terms = hybrid_of(index, 0.0).search(task.queries.texts[:4], 5)[1]
    np.testing.assert_array_equal(only_terms, index.lexical.search(task.queries.texts[:4], 5)[1])
    # deleted documents are in neither ranking, and saving rebuilds the lexical index without them
    best = rows[:, 0].tolist()
    index.delete(best)
    assert not np.isin(hybrid_of(index, 0.0).search(task.queries.texts[:4], 50)[1], best).any()
    index.save(tmp_path / "fewer")
    fewer = Index.load(tmp_path / "fewer")
    assert fewer.lexical is not None
    assert len(fewer.lexical) == len(fewer) == 200 - len(set(best))
    assert fewer.lexical.options == Bm25(k1=1.2)
    with pytest.raises(VecsmithError, match="No documents can be added to an index with a lexical index"):
        index.add(embedded.vectors[:1], ["new"])
    # a damaged file is found, and codes without a lexical index say what to do
    (tmp_path / "fewer" / "lexical" / "vocab.index.json").write_text("{}")
    with pytest.raises(VecsmithError, match=r"vocab\.index\.json is damaged"):
        Index.load(tmp_path / "fewer", mmap=False)
    CodeSet.encode(codec, embedded, tmp_path / "codes")
    assert sorted(path.name for path in (tmp_path / "codes").iterdir()) == [
        "codec",
        "codes.npy",
        "manifest.json",
        "rows.parquet",
    ]
    with pytest.raises(VecsmithError, match="has no lexical index; encode its vectors again with --lexical bm25"):
        hybrid_of(Index.load(tmp_path / "codes"))


def test_a_lexical_index_of_other_codes_is_not_opened(embedded: EmbeddingSet, tmp_path: Path) -> None:
    codec = vecsmith.codec("binary").fit(embedded.vectors)
    CodeSet.encode(codec, embedded, tmp_path / "codes", bm25=Bm25())
    index = Index.load(tmp_path / "codes")
    CodeSet.encode(codec, embedded, tmp_path / "codes", bm25=Bm25(k1=2))
    with pytest.raises(VecsmithError, match="codes was replaced after its codes were opened; open it again"):
        assert index.lexical


def test_a_lexical_index_needs_texts(embedded: EmbeddingSet, tmp_path: Path) -> None:
    codec = vecsmith.codec("binary").fit(embedded.vectors)
    with pytest.raises(VecsmithError, match="no texts for a lexical index; embed a file of texts, or omit --lexical"):
        CodeSet.encode(codec, EmbeddingSet(embedded.vectors[:]), tmp_path / "codes", bm25=Bm25())
    assert not (tmp_path / "codes").exists()


def test_the_command_line_makes_and_searches_both(embedded: EmbeddingSet, task: Task, tmp_path: Path) -> None:
    embedded.save(tmp_path / "set")
    vecsmith.codec("binary").fit(embedded.vectors).save(tmp_path / "codec")
    codes = tmp_path / "codes"
    encoded = run("encode", tmp_path / "codec", "--vectors", tmp_path / "set", "--lexical", "bm25", "--out", codes)
    assert encoded.exit_code == 0, encoded.output
    facts = json.loads(run("info", codes, "--json").stdout)
    assert (facts["codes"], facts["scoring"], facts["lexical"]) == ("binary", "asymmetric", Bm25().spec)
    assert facts["lexical_bytes"] == sum(file.stat().st_size for file in (codes / "lexical").iterdir()) > 1000
    assert not {"inverted_lists", "rescore_bytes_per_vector"} & facts.keys()
    query = task.queries.texts[0]
    for options, weight in (((), None), (("--fusion", "convex:0.3"), 0.3)):
        done = run("search", codes, "--query", query, "--hybrid", "bm25", *options, "-k", 5, "--json")
        assert done.exit_code == 0, done.output
        scores, rows = hybrid_of(Index.load(codes), weight).search([query], 5)
        hits = json.loads(done.stdout)[0]["results"]
        assert [hit["id"] for hit in hits] == [embedded.ids[row] for row in rows[0]]
        np.testing.assert_allclose([hit["score"] for hit in hits], scores[0], atol=1e-6)
    with pytest.warns(VecsmithWarning, match="BM25 finds nothing for 1 of 1"):
        assert run("search", codes, "--query", "zebra", "--hybrid", "bm25").exit_code == 0


def test_search_reranks_by_a_cross_encoder_or_an_encoder(
    embedded: EmbeddingSet, task: Task, tmp_path: Path, cross_encoder: str
) -> None:
    codec, codes, queries = vecsmith.codec("pca4").fit(embedded.vectors), tmp_path / "codes", task.queries.texts[:3]
    CodeSet.encode(codec, embedded, codes, bm25=Bm25())
    (tmp_path / "queries.txt").write_text("\n".join(queries))
    index, static = Index.load(codes), vecsmith.load_encoder("static")
    dense = IndexRetriever(index, lambda texts: static.encode(texts, "query"))
    for spec, scorer in (
        (f"ce:{cross_encoder}", CrossEncoderScorer(CrossEncoderModel(cross_encoder), index.rows.texts)),
        ("static", EncoderScorer(static, index.rows.texts)),
    ):
        for options, first in (((), dense), (("--hybrid", "bm25"), hybrid_of(index))):
            command = ("search", codes, "--queries", tmp_path / "queries.txt", *options, "--rerank", spec, "-k", 5)
            done = run(*command, "--rerank-depth", 40, "--json")
            assert done.exit_code == 0, done.output
            scores, rows = Reranker(first, scorer, 40).search(queries, 5)
            for answer, own_scores, own_rows in zip(json.loads(done.stdout), scores, rows, strict=True):
                assert [hit["id"] for hit in answer["results"]] == [embedded.ids[row] for row in own_rows]
                np.testing.assert_allclose([hit["score"] for hit in answer["results"]], own_scores, atol=1e-6)
    # reranking all documents by the encoder of the codes is a search with its float vectors
    wanted = Index(vecsmith.codec("float32").fit(embedded.vectors), embedded).search(static.encode(queries, "query"), 5)
    everything = Reranker(dense, EncoderScorer(static, index.rows.texts), 200).search(queries, 5)
    np.testing.assert_allclose(everything[0], wanted[0], atol=1e-6)


def test_bad_input_on_the_command_line(embedded: EmbeddingSet, tmp_path: Path) -> None:
    embedded.save(tmp_path / "set")
    np.save(tmp_path / "queries.npy", embedded.vectors[:2])
    vecsmith.codec("binary").fit(embedded.vectors).save(tmp_path / "codec")
    codes, encode = tmp_path / "codes", ("encode", tmp_path / "codec", "--vectors", tmp_path / "set", "--out")
    assert run(*encode, codes, "--lexical", "bm25").exit_code == 0
    assert run(*encode, tmp_path / "plain").exit_code == 0
    EmbeddingSet(embedded.vectors[:], provenance=embedded.provenance).save(tmp_path / "textless")
    command = ("encode", tmp_path / "codec", "--vectors", tmp_path / "textless", "--out", tmp_path / "bare")
    assert run(*command).exit_code == 0
    hybrid = ("--query", "map", "--hybrid", "bm25")
    for arguments, message in (
        ((*encode, tmp_path / "new", "--lexical", "bm25:k1=x"), "k1 of BM25 must be a number, not 'x'"),
        ((*encode, tmp_path / "new", "--lexical", "bm25", "--reduced"), "leave out --lexical"),
        (("search", tmp_path / "plain", *hybrid), "plain has no lexical index"),
        (("search", codes, *hybrid, "--fusion", "convex"), "--fusion convex needs a weight"),
        (("search", codes, *hybrid, "--fusion", "convex:-1"), "must be from 0 to 1, not -1"),
        (("search", codes, "--query", "map", "--fusion", "rrf"), "--fusion is for --hybrid"),
        (("search", codes, "--query", "map", "--hybrid", "bm25:k1=2"), "has a lexical index of bm25:k1=1.5"),
        (("search", codes, "--queries", tmp_path / "queries.npy", "--hybrid", "bm25"), "vectors without texts"),
        (("search", codes, "--queries", tmp_path / "queries.npy", "--rerank", "static"), "vectors without texts"),
        (("search", codes, "--query", "map", "--rerank", "ce:"), "ce: names no cross-encoder"),
        (("search", codes, "--query", "map", "--rerank", "ce:no/such-model"), "no/such-model is not a local folder"),
        (("search", codes, "--query", "map", "--rerank", "statik"), "Unknown encoder 'statik'"),
        (("search", codes, "--query", "map", "--rerank", ""), "Unknown encoder ''"),
        (("search", tmp_path / "bare", "--query", "map", "--rerank", "static"), "bare has no texts, which --rerank"),
        (("search", codes, "--query", "map", "--rerank-depth", "5"), "--rerank-depth is for --rerank"),
        (("compare", "--fusion", "rrf"), "--fusion is for --hybrid bm25"),
        (("compare", "--rerank-depth", "5"), "--rerank-depth is for --rerank"),
        (("compare", "--baseline", "bm25", "--baseline", "bm25:k1=1"), "--baseline takes one encoder and one bm25"),
    ):
        done = run(*arguments)
        assert isinstance(done.exception, VecsmithError), done.output
        assert re.search(re.escape(message), str(done.exception)), done.exception
    assert not (tmp_path / "new").exists()


def test_compare_on_the_command_line(tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_beir(tmp_path / "words", task)
    out = tmp_path / "out"
    options = ("--codec", "binary", "--baseline", "bm25", "--hybrid", "bm25", "--fusion", "convex", "--fusion", "rrf")
    done = run("compare", "--task", folder, *options, "--out", out)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [line["scoring"] for line in lines] == [
        *("exact", "exact+convex", "exact+rrf", "lexical", "asymmetric", "asymmetric+convex", "asymmetric+rrf"),
    ]
    weight = lines[5]["second_stage"]["weight"]
    assert f"binary, asymmetric+convex: the codec has the weight {weight:g}" in done.stderr
    assert "chosen on train." in done.stderr


def write_beir(folder: Path, task: Task) -> Path:
    """Write a task as a BEIR folder."""
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", task.corpus), ("queries", task.queries)):
        rows = ({"_id": id_, "text": text} for id_, text in texts.rows())
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, qrels in task.qrels.items():
        rows = (f"{query}\t{document}\t{gain}\n" for query, gains in qrels.items() for document, gain in gains.items())
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    return folder


@pytest.mark.data
def test_hybrids_of_scifact(beir: Callable[[str], Path]) -> None:
    specs = RetrieverSpecs(hybrid="bm25", fusions=("rrf",))
    results = compare([str(beir("scifact"))], ["vectors:minilm"], ["trellis12B"], retrievers=specs)
    floats, hybrid, codes, coded = (line.ndcg_at_10 for line in results)
    assert (floats, hybrid) == (pytest.approx(0.6451, abs=5e-4), pytest.approx(0.7182, abs=5e-4))
    # with BM25, codes of 12 bytes are better than float32 alone
    assert coded > floats > codes
