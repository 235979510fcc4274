"""Tests of the integration with mteb: the same figures as `compare`, and no model that gets another's."""

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

import vecsmith
from conftest import WORDS
from vecsmith.embeddings import Provenance, normalize
from vecsmith.encoders import Encoder
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.index import Index
from vecsmith.index.bm25 import Bm25
from vecsmith.retrievers import CrossEncoderStage, FusionStage, Stage, VectorStage
from vecsmith.retrievers.reranking import CrossEncoderModel
from vecsmith.retrievers.specs import RetrieverSpecs
from vecsmith.retrievers.vector_sources import EncoderVectors
from vecsmith.tasks import Task, Texts

mteb = pytest.importorskip("mteb")

from vecsmith.integrations.mteb import CodecModel, evaluate, model_card, mteb_task  # noqa: E402


@pytest.fixture
def task() -> Task:
    """Return 400 documents of 5 of 12 words, many of them twice, so that scores tie; and 40 queries."""
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(WORDS, 5)) for _ in range(300)]
    documents += documents[:100]
    ids = [f"d{number}" for number in rng.permutation(len(documents))]
    queries = [" ".join(rng.choice(WORDS, 3)) for _ in range(40)]
    qrels: dict[str, dict[str, int]] = {}
    for number, query in enumerate(queries):
        shared = [len(set(query.split()) & set(document.split())) for document in documents]
        best = np.argsort(shared)[::-1][:30]
        qrels[f"q{number}"] = {ids[row]: int(rng.integers(3)) for row in best} | {"nowhere": 1}
    return Task(
        name="words: five",
        corpus=Texts(ids, documents, "the corpus"),
        queries=Texts(list(qrels), queries, "the queries"),
        qrels={"test": qrels, "dev": {"q0": qrels["q0"]}},
    )


@dataclass
class StubEncoder(Encoder):
    """An encoder whose provenance is whatever a test needs."""

    said: Provenance
    spec: str = "stub"

    def provenance(self, side: str) -> Provenance:
        return self.said if side == "query" else replace(self.said, prompt="")

    def encode(self, texts: Any, side: str) -> np.ndarray:
        return normalize(np.array([[len(text), 1, 2, 3] for text in texts], np.float32))


def per_query(model: CodecModel, task: Any) -> tuple[dict[str, float], float]:
    """Return mteb's nDCG@10 of every query, which it rounds to five digits only after the mean, and its main score."""
    found: dict[str, float] = {}

    def keep(scores: Any, *_: Any, **__: Any) -> dict[str, float]:
        found.update({query: measures["ndcg_cut_10"] for query, measures in scores.items()})
        return {}

    task.task_specific_scores = keep
    result = mteb.evaluate(model, task, cache=None, show_progress_bar=False)
    return found, result.task_results[0].main_score


def assert_agreement(
    task: Task,
    split: str,
    encoder: str,
    codec: str,
    scoring: Any,
    ready: bool = False,
    specs: RetrieverSpecs | None = None,
    stage: Stage | None = None,
) -> None:
    compared = vecsmith.compare([task], [encoder], [codec], [scoring], split, retrievers=specs)[-1]
    assert compared.codec == codec
    assert stage is None or compared.scoring.endswith(f"+{stage.label}")
    source = vecsmith.embed_task(task, encoder) if ready else encoder
    found, main_score = per_query(CodecModel(source, codec, scoring, stage=stage), mteb_task(task, split))
    assert len(found) == compared.n_queries
    assert fmean(found.values()) == pytest.approx(compared.ndcg_at_10, abs=1e-6)
    assert main_score == pytest.approx(compared.ndcg_at_10, abs=5.1e-6)


# ---------------------------------------------------------------- the same figures as compare


@pytest.mark.parametrize(
    ("codec", "scoring"),
    [
        ("float32", "asymmetric"),
        ("int8", "symmetric"),
        ("binary", "symmetric"),
        ("binary", "asymmetric"),
        ("binary", "rescored"),
        ("median", "asymmetric"),
        ("pca32,int8", "asymmetric"),
        ("pca32,binary", "rescored"),
        ("faiss:PQ32x4", "asymmetric"),
    ],
)
def test_mteb_and_compare_agree(task: Task, codec: str, scoring: str) -> None:
    assert_agreement(task, "test", "static", codec, scoring)


@pytest.mark.parametrize("codec", ["float32", "binary", "pca32,int8"])
@pytest.mark.parametrize("fusion", ["rrf", "convex:0.3"])
def test_hybrids_agree(task: Task, codec: str, fusion: str) -> None:
    specs = RetrieverSpecs(hybrid="bm25:k1=1.2", fusions=(fusion,))
    stage = FusionStage.parse(fusion, Bm25(k1=1.2))
    assert_agreement(task, "test", "static", codec, "asymmetric", specs=specs, stage=stage)


@pytest.mark.parametrize("fusion", ["rrf", "convex:0.3"])
def test_hybrids_agree_on_the_candidates_of_a_reranking_task(task: Task, fusion: str) -> None:
    rng = np.random.default_rng(1)
    candidates = {
        id_: [str(each) for each in rng.choice(task.corpus.ids, 60, replace=False)] for id_ in task.queries.ids
    }
    specs, stage = RetrieverSpecs(hybrid="bm25", fusions=(fusion,)), FusionStage.parse(fusion, Bm25())
    reranking = replace(task, candidates=candidates)
    assert_agreement(reranking, "test", "static", "binary", "asymmetric", specs=specs, stage=stage)


def test_reranked_codes_agree(task: Task, cross_encoder: str) -> None:
    specs = RetrieverSpecs(rerankers=(f"ce:{cross_encoder}",), depth=20)
    stage = CrossEncoderStage(CrossEncoderModel(cross_encoder), 20)
    assert_agreement(task, "test", "static", "binary", "asymmetric", specs=specs, stage=stage)


def test_codes_reranked_by_vectors_agree(task: Task) -> None:
    stage = VectorStage("static", EncoderVectors(vecsmith.load_encoder("static")), 20)
    specs = RetrieverSpecs(rerankers=("static",), depth=20)
    assert_agreement(task, "test", "static", "pca4", "asymmetric", specs=specs, stage=stage)


def test_stages_change_the_name_and_rerank_only_candidates(task: Task, cross_encoder: str, tmp_path: Path) -> None:
    model = CrossEncoderModel(cross_encoder)
    stages: list[Stage | None] = [
        None,
        *(FusionStage(Bm25(k1=k1), weight) for k1 in (1.2, 1.5) for weight in (None, 0.3, 0.5)),
        *(CrossEncoderStage(model, depth) for depth in (20, 100)),
        VectorStage("static", EncoderVectors(vecsmith.load_encoder("static"))),
    ]
    models = [CodecModel("static", "binary", stage=stage) for stage in stages]
    cache = mteb.ResultCache(tmp_path)
    assert len({cache.get_task_result_path("task", each.mteb_model_meta) for each in models}) == len(models)
    local = mteb_task(task)
    local.load_data()
    data = local.dataset["default"]["test"]
    candidates = {"q0": task.corpus.ids[5:105], "q1": ["d7"], "q2": []}
    for each in models:
        each.index(data["corpus"], task_metadata=local.metadata)
        run = each.search(data["queries"], task_metadata=local.metadata, top_k=9, top_ranked=candidates)
        assert len(run["q0"]) == 9
        assert run["q0"].keys() <= set(candidates["q0"])
        assert run["q1"].keys() == {"d7"}
        assert run["q2"] == run["q3"] == {}
    with pytest.raises(VecsmithError, match="mteb has no validation queries to choose a weight on"):
        CodecModel("static", "binary", stage=FusionStage(Bm25(), "chosen"))


def test_the_card_of_a_hybrid_names_bm25(task: Task, tmp_path: Path) -> None:
    model = CodecModel("static", "binary", stage=FusionStage(Bm25()))
    card = model_card(model, evaluate(model, mteb_task(task), tmp_path))
    assert "| binary | asymmetric+rrf | nothing | 32 and BM25 |  |" in card


def test_they_agree_on_joined_splits_and_where_a_query_is_a_document(task: Task) -> None:
    task = replace(
        task,
        queries=Texts(task.corpus.ids[:40], task.corpus.texts[:40], "queries that are documents"),
        qrels={
            "dev": {id_: {task.corpus.ids[row + 300]: 1} for row, id_ in enumerate(task.corpus.ids[:20])},
            "test": {id_: {task.corpus.ids[row + 1]: 1} for row, id_ in enumerate(task.corpus.ids[10:40])},
        },
        ignore_identical_ids=True,
    )
    assert_agreement(task, "dev+test", "static", "binary", "asymmetric")


@pytest.mark.data
@pytest.mark.parametrize(
    ("codec", "scoring"), [("float32", "asymmetric"), ("binary", "symmetric"), ("pca64,int8", "rescored")]
)
def test_they_agree_on_scifact(beir: Callable[[str], Path], codec: str, scoring: str) -> None:
    assert_agreement(vecsmith.load_task(str(beir("scifact"))), "test", "static", codec, scoring)


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:Estimating quantization parameters")
def test_mtebs_compression_wrapper_has_other_ranges_for_queries(beir: Callable[[str], Path]) -> None:
    """Quantize SciFact to 8 bits with mteb's wrapper, which estimates the ranges anew in every call."""
    torch = pytest.importorskip("torch")
    task = vecsmith.load_task(str(beir("scifact")))
    corpus, queries = vecsmith.embed_task(task, "vectors:minilm")
    judged = JudgedQueries(task, "test", queries.ids)
    D, Q = corpus.unit[:], queries.unit[judged.rows]

    class Ready:
        mteb_model_meta = mteb.models.ModelMeta.create_empty()

        def encode(self, inputs: Any, **kwargs: Any) -> Any:
            return inputs

    wrapper = mteb.models.CompressionWrapper(Ready(), mteb.types.OutputDType.UINT8)

    def wrapped(X: np.ndarray) -> np.ndarray:
        return np.asarray(wrapper.encode(torch.tensor(X), task_metadata=None, hf_split="test", hf_subset="default"))

    # the codes of a query depend on the other queries, and a query alone has no range
    codes = wrapped(Q)
    assert (wrapped(Q[:100]) != codes[:100]).mean() > 0.5
    assert np.isnan(wrapped(Q[:1])).all()
    codec = vecsmith.codec("int8").fit(D)
    np.testing.assert_array_equal(codec.encode(Q)[:1], codec.encode(Q[:1]))
    # so equal vectors have other codes as queries than as documents: level 128 stands for other numbers
    as_documents = np.asarray(wrapper._get_min_max_per_dim(torch.tensor(D))[0])
    as_queries = np.asarray(wrapper._get_min_max_per_dim(torch.tensor(Q))[0])
    assert np.abs(as_documents - as_queries).mean() > 0.01
    documents = wrapped(D)
    theirs = judged.rank(codes @ documents.T).mean_ndcg_at_10
    cosine = judged.rank(normalize(codes) @ normalize(documents).T).mean_ndcg_at_10
    ours = judged.search(Index(codec, codec.encode(D), "symmetric", ids=corpus.ids), Q).mean_ndcg_at_10
    floats = judged.rank(Q @ D.T).mean_ndcg_at_10
    assert floats == pytest.approx(0.6451, abs=5e-4)
    assert ours == pytest.approx(floats, abs=2e-3)
    # most of the loss is that of inner products: codes are not decoded, and their lengths differ
    assert theirs == pytest.approx(0.598, abs=1e-3)
    assert cosine == pytest.approx(0.6456, abs=1e-3)


@pytest.mark.data
def test_ready_vectors_of_minilm_have_the_leaderboards_figure(beir: Callable[[str], Path]) -> None:
    task = vecsmith.load_task(str(beir("scifact")))
    assert_agreement(task, "test", "vectors:minilm", "float32", "asymmetric", ready=True)
    model = CodecModel(vecsmith.embed_task(task, "vectors:minilm"), "float32")
    assert per_query(model, mteb_task(task))[1] == pytest.approx(0.6451, abs=5e-4)


# ---------------------------------------------------------------- names and files


def test_two_codecs_share_a_folder_but_no_scores(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [CodecModel("static", spec) for spec in ("float32", "pca2,int4")]
    scores = [evaluate(model, mteb_task(task), tmp_path).task_results[0].main_score for model in models]
    assert scores[0] != scores[1]
    folders = {path.parent for path in tmp_path.rglob("words*.json")}
    assert len(folders) == 2
    for folder in folders:
        model, revision, experiments, settings = folder.relative_to(tmp_path / "results").parts
        assert (model, experiments) == ("vecsmith__static", "experiments")
        assert revision.startswith("wordllama-")
        assert {file.name for file in folder.iterdir()} > {"model_meta.json", "run_settings.jsonl"}
        meta = json.loads((folder / "model_meta.json").read_text())
        assert meta["name"] == "vecsmith/static"
        assert meta["embed_dim"] == 256
        assert f"codec_{meta['experiment_kwargs']['codec']}__" in settings
    monkeypatch.setattr(CodecModel, "index", None)  # nothing may be measured again
    for spec, score in zip(("float32", "pca2,int4"), scores, strict=True):
        again = evaluate(CodecModel("static", spec), [mteb_task(task)], tmp_path)
        assert again.task_results[0].main_score == pytest.approx(score, abs=1e-6)
    loaded = mteb.ResultCache(tmp_path).load_results(models=[models[1].mteb_model_meta], tasks=None)
    assert [result.experiment_name for result in loaded.model_results] == [models[1].mteb_model_meta.experiment_name]


def test_whatever_changes_scores_changes_the_name(task: Task, vectors: np.ndarray, tmp_path: Path) -> None:
    said = Provenance("st:org/model", "r1", prompt="query: ")
    fitted = [vecsmith.codec("pca8").fit(X) for X in (vectors, vectors[:300])]
    models = [
        CodecModel(StubEncoder(said), "binary"),
        CodecModel(StubEncoder(replace(said, encoder="st:org/other")), "binary"),
        CodecModel(StubEncoder(replace(said, revision="r2")), "binary"),
        CodecModel(StubEncoder(replace(said, prompt="query? ")), "binary"),
        CodecModel(StubEncoder(replace(said, max_length=9)), "binary"),
        CodecModel(StubEncoder(said), "binary", "symmetric"),
        CodecModel(StubEncoder(said), "median"),
        CodecModel(StubEncoder(said), "median", fit_on="corpus"),
        CodecModel(StubEncoder(said), "median", seed=1),
        *(CodecModel(StubEncoder(said), codec) for codec in fitted),
        *(
            CodecModel(vecsmith.embed_task(part, "static"), "binary")
            for part in (task, replace(task, queries=task.corpus))
        ),
    ]
    cache = mteb.ResultCache(tmp_path)
    paths = {cache.get_task_result_path("task", model.mteb_model_meta) for model in models}
    assert len(paths) == len(models)


def test_a_model_of_the_hub_keeps_its_name_and_what_mteb_knows_of_it(tmp_path: Path) -> None:
    def meta(encoder: str) -> Any:
        return CodecModel(StubEncoder(Provenance(encoder, "abc")), "int8").mteb_model_meta

    known = meta("st:sentence-transformers/all-MiniLM-L6-v2")
    assert (known.name, known.revision, known.license) == (
        "sentence-transformers/all-MiniLM-L6-v2",
        "abc",
        "apache-2.0",
    )
    assert known.experiment_kwargs["codec"] == "int8"
    assert known.loader is None
    assert meta("st:org/unheard-of").name == "org/unheard-of"
    (tmp_path / "my model").mkdir()
    assert meta(f"st:{tmp_path / 'my model'}").name == "vecsmith/my-model"
    assert meta("api:text-embedding-3-small@512").name == "vecsmith/text-embedding-3-small-512"
    assert meta("api:x").framework == ["API"]


def test_tasks_of_one_name_do_not_share_scores(task: Task) -> None:
    other = replace(task, qrels={"test": {"q0": {"d0": 1}}})
    names = [mteb_task(given).metadata.name for given in (task, other, task)]
    assert names[0] == names[2] != names[1]
    assert names[0].startswith("words-five-")
    with pytest.raises(VecsmithError, match="Unknown split of words: five 'tset': did you mean 'test'"):
        mteb_task(task, "tset")


def test_predictions_of_two_models_lie_apart_and_give_the_score_again(task: Task, tmp_path: Path) -> None:
    local = mteb_task(task)
    for spec in ("float32", "binary"):
        evaluate(CodecModel("static", spec), local, tmp_path)
        assert not list(tmp_path.glob(f"predictions/**/codec_{spec}_*/*"))
        result = evaluate(CodecModel("static", spec), local, tmp_path, predictions=True)
        (file,) = tmp_path.glob(f"predictions/**/codec_{spec}_*/{local.metadata.name}_predictions.json")
        run = json.loads(file.read_text())["default"]["test"]
        assert run.keys() == task.qrels["test"].keys()
        assert {len(ranking) for ranking in run.values()} == {400}
        ranked = mteb_task(task).convert_to_reranking(file, top_k=400)
        again = mteb.evaluate(CodecModel("static", spec), ranked, cache=None, show_progress_bar=False)
        assert again.task_results[0].main_score == result.task_results[0].main_score


def test_model_card_says_what_a_model_costs_and_keeps(task: Task, tmp_path: Path) -> None:
    model = CodecModel("static", "pca64,binary", "rescored")
    card = model_card(model, evaluate(model, mteb_task(task), tmp_path))
    score = vecsmith.compare([task], ["static"], ["pca64,binary"], ["rescored"])[-1].ndcg_at_10
    name = mteb_task(task).metadata.name
    assert card.splitlines()[-1] == (
        f"| {name} | test | default | pca64,binary | rescored | cross | 8+1024 | 1.0× | {score:.4f} |"
    )
    fresh = CodecModel("static", "pca64,binary", "rescored")
    assert model_card(fresh, evaluate(fresh, mteb_task(task), tmp_path)) == card


# ---------------------------------------------------------------- the model itself


def test_texts_are_those_that_mteb_hands_to_its_own_models(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(StubEncoder, "provenance", lambda self, side: Provenance("stub", side))
    encode = StubEncoder.encode

    def listen(self: Any, texts: Any, side: str) -> np.ndarray:
        seen.extend(f"{side}: {text}" for text in texts)
        return encode(self, texts, side)

    monkeypatch.setattr(StubEncoder, "encode", listen)
    model = CodecModel(StubEncoder(Provenance()), "float32")
    datasets = pytest.importorskip("datasets")
    metadata = mteb.get_task("SciFact").metadata
    corpus = {"id": ["a", "b"], "title": ["One", ""], "text": [" first ", " second "]}
    model.index(datasets.Dataset.from_dict(corpus), task_metadata=metadata)
    asked = {"id": ["q"], "text": ["what"], "instruction": ["be brief"]}
    run = model.search(datasets.Dataset.from_dict(asked), task_metadata=metadata, top_k=1)
    assert [text for text in seen if "probe" not in text] == [
        "passage: One  first",
        "passage: second",
        "query: what be brief",
    ]
    assert len(run["q"]) == 1


@pytest.mark.parametrize("codec", ["float32", "median", "pca16,int8"])
@pytest.mark.parametrize("scoring", ["symmetric", "asymmetric"])
def test_searching_few_and_reranking_agree_with_searching_all(task: Task, codec: str, scoring: Any) -> None:
    local = mteb_task(task)
    local.load_data()
    data = local.dataset["default"]["test"]
    model = CodecModel("static", codec, scoring)
    model.index(data["corpus"], task_metadata=local.metadata)
    everything = model.search(data["queries"], task_metadata=local.metadata, top_k=400)
    best = sorted(((score, id_) for id_, score in everything["q0"].items()), reverse=True)
    few = model.search(data["queries"], task_metadata=local.metadata, top_k=9)
    assert few["q0"] == pytest.approx({id_: score for score, id_ in best[:9]}, abs=1e-5)
    candidates = {"q0": task.corpus.ids[5:105], "q1": ["d7"], "q2": []}
    reranked = model.search(data["queries"], task_metadata=local.metadata, top_k=9, top_ranked=candidates)
    assert reranked.keys() == everything.keys()
    assert reranked["q2"] == reranked["q3"] == {}
    assert reranked["q1"].keys() == {"d7"}
    wanted = [(score, id_) for score, id_ in best if id_ in candidates["q0"]][:9]
    assert reranked["q0"] == pytest.approx({id_: score for score, id_ in wanted}, abs=1e-5)


def test_a_fitted_codec_is_applied_as_it_is(task: Task, tmp_path: Path) -> None:
    corpus, queries = vecsmith.embed_task(task, "static")
    codec = vecsmith.codec("pca32,int8", seed=3).fit(corpus.vectors[:200])
    codec.save(tmp_path / "codec")
    scores, rows = vecsmith.Index(codec, codec.encode(corpus.vectors), ids=corpus.ids).search(queries.vectors, 400)
    for given in (codec, tmp_path / "codec"):
        model = CodecModel("static", given)
        assert model.bytes_per_vector == 32
        assert model.mteb_model_meta.experiment_kwargs["seed"] == 3
        local = mteb_task(task)
        local.load_data()
        data = local.dataset["default"]["test"]
        model.index(data["corpus"], task_metadata=local.metadata)
        run = model.search(data["queries"], task_metadata=local.metadata, top_k=400)
        wanted = {corpus.ids[row]: score for row, score in zip(rows[0].tolist(), scores[0].tolist(), strict=True)}
        assert run["q0"] == pytest.approx(wanted, abs=1e-5)


def test_bad_arguments_are_refused_at_once(task: Task) -> None:
    for arguments, message in [
        (("static", "bnary"), "Unknown codec 'bnary': did you mean 'binary'"),
        (("static", "binary", "asymetric"), "Unknown scoring 'asymetric': did you mean 'asymmetric'"),
        (("static", "binary", "asymmetric", "cros"), "Unknown protocol 'cros': did you mean 'cross'"),
        (("statik", "binary"), "Unknown encoder 'statik': did you mean 'static'"),
        (("static", vecsmith.codec("binary")), "is not fitted"),
    ]:
        with pytest.raises(VecsmithError, match=message):
            CodecModel(*arguments)
    local = mteb_task(task)
    local.load_data()
    data = local.dataset["default"]["test"]
    with pytest.raises(VecsmithError, match="No corpus is indexed"):
        CodecModel("static", "binary").search(data["queries"], task_metadata=local.metadata, top_k=1)
    ready = CodecModel(vecsmith.embed_task(replace(task, corpus=task.queries), "static"), "binary")
    with pytest.raises(VecsmithError, match=r"no vector for '.*', the text '.*' of the corpus of words-five"):
        ready.index(data["corpus"], task_metadata=local.metadata)


def test_without_mteb_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    monkeypatch.delitem(sys.modules, "vecsmith.integrations.mteb")
    with pytest.raises(VecsmithError, match=r"pip install 'vecsmith\[mteb\]'"):
        importlib.import_module("vecsmith.integrations.mteb")
