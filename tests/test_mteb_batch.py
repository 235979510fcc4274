"""Retrieval, reranking and instruction tasks of mteb by language, from the command line, with mteb's own files."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import vecsmith
from vecsmith.cli import app
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.results import read_results
from vecsmith.tasks import Task, Texts, load_mteb, load_task, tasks_in_language

mteb = pytest.importorskip("mteb")
datasets = pytest.importorskip("datasets")

from vecsmith.integrations.mteb import CodecModel, mteb_task  # noqa: E402

WORDS = ["karte", "baum", "stein", "fluss", "motor", "papier", "signal", "garten", "metall", "fenster", "silber"]
GERMAN = {"eval_langs": ["deu-Latn"]}


def split_of(seed: int, **columns: Any) -> dict[str, Any]:
    """Return 80 documents of 5 of 11 words, 12 queries, and judgements of the 6 documents nearest to each query."""
    rng = np.random.default_rng(seed)
    documents = [" ".join(rng.choice(WORDS, 5)) for _ in range(80)]
    queries = [" ".join(rng.choice(WORDS, 3)) for _ in range(12)]
    near = [np.argsort([-len(set(q.split()) & set(d.split())) for d in documents], kind="stable")[:6] for q in queries]
    return {
        "corpus": datasets.Dataset.from_dict(
            {"id": [f"d{row}" for row in range(80)], "title": [""] * 80, "text": documents}
        ),
        "queries": datasets.Dataset.from_dict({"id": [f"q{row}" for row in range(12)], "text": queries, **columns}),
        "relevant_docs": {f"q{q}": {f"d{row}": int(rng.integers(1, 3)) for row in rows} for q, rows in enumerate(near)},
        "top_ranked": None,
    }


def candidates(seed: int) -> dict[str, list[str]]:
    """Return 20 candidates for each of 12 queries, of which the last query has none."""
    rng = np.random.default_rng(seed)
    return {f"q{q}": [f"d{row}" for row in rng.permutation(80)[:20]] for q in range(11)} | {"q11": []}


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that adds a task to an mteb that has no other tasks."""
    module = sys.modules["mteb.get_tasks"]
    tasks: list[Any] = []
    monkeypatch.setattr(module, "TASK_LIST", tasks)
    monkeypatch.setattr(module, "_TASKS_REGISTRY", {})

    def add(name: str, data: dict[str, Any], kind: str = "Retrieval", **metadata: Any) -> None:
        def load_data(self: Any, *args: Any, **kwargs: Any) -> None:
            if not data:
                raise ConnectionError("no network")
            self.dataset, self.data_loaded = data, True

        about = {
            "name": name, "description": "A local task.", "dataset": {"path": name, "revision": "abc"}, "type": kind,
            "category": "t2t", "modalities": ["text"], "eval_splits": ["test"], "main_score": "ndcg_at_10",
            "reference": None, **GERMAN, **metadata,
        }  # fmt: skip
        members = {"metadata": mteb.TaskMetadata(**about), "load_data": load_data}
        tasks.append(type(name, (mteb.abstasks.AbsTaskRetrieval,), members))
        module._TASKS_REGISTRY[name] = tasks[-1]

    yield add


@pytest.fixture
def german(register: Callable[..., None]) -> None:
    """Give mteb five German tasks, one of which cannot be loaded, and an English one."""
    both = {"de": {"test": split_of(0)}, "en": {"test": split_of(1)}}
    register("Subsets", both, eval_langs={"de": ["deu-Latn"], "en": ["eng-Latn"]})
    register("Rerank", {"default": {"test": {**split_of(2), "top_ranked": candidates(2)}}}, "Reranking")
    asked = split_of(3, instruction=["Antworte knapp."] * 12)
    register("Instruct", {"default": {"test": asked}}, "InstructionRetrieval")
    splits = {"default": {"dev": split_of(4), "train": split_of(5)}}
    register("Splits", splits, eval_splits=["dev", "train"])
    register("Broken", {})
    register("English", {"default": {"test": split_of(6)}}, eval_langs=["eng-Latn"])


SPECS = [
    f"mteb:{name}"
    for name in ("Broken", "Instruct", "Rerank", "Splits:default:dev", "Splits:default:train", "Subsets:de")
]


def test_tasks_subsets_and_splits_in_a_language(german: None) -> None:
    assert tasks_in_language(["mteb"], "deu") == SPECS
    assert tasks_in_language(["pydocs", "mteb:Subsets"], "deu") == ["pydocs", "mteb:Subsets:de"]
    assert tasks_in_language(["mteb:Subsets"], "eng") == ["mteb:Subsets:en"]
    assert tasks_in_language(["mteb:English", "mteb", "mteb:Subsets:de"], "eng") == [
        "mteb:English",
        "mteb:Subsets:en",
        "mteb:Subsets:de",
    ]
    for specs, language, message in (
        (["mteb:English"], "deu", "mteb's English has no subset in the language 'deu'"),
        (["mteb"], "fra", "no retrieval task in the language 'fra'"),
        (["mteb"], "de", "ISO 639-3"),
        (["mteb:Englsh"], "eng", "did you mean 'English'"),
        (["pydocs", "mteb:Subsets:de"], "deu", "--language is for tasks of mteb"),
    ):
        with pytest.raises(VecsmithError, match=message):
            tasks_in_language(specs, language)
    with pytest.raises(VecsmithError, match="give --language CODE"):
        load_task("mteb")


# ---------------------------------------------------------------- reranking


@pytest.mark.parametrize(
    ("codec", "scoring"), [("float32", "asymmetric"), ("binary", "symmetric"), ("pca8", "rescored")]
)
def test_reranking_agrees_with_mteb(german: None, codec: str, scoring: Any) -> None:
    task = load_mteb("Rerank")
    assert task.candidates == candidates(2)
    compared = vecsmith.compare([task], ["static"], [codec], [scoring], metrics=["AP@1000", "R@5"])[-1]
    model = CodecModel("static", codec, scoring)
    for local in (mteb.get_task("Rerank"), mteb_task(task)):
        [scores] = mteb.evaluate(model, local, cache=None, show_progress_bar=False).task_results[0].scores["test"]
        for name, value in (
            ("ndcg_at_10", compared.ndcg_at_10),
            *zip(("map_at_1000", "recall_at_5"), compared.metrics.values(), strict=True),
        ):
            assert scores[name] == pytest.approx(value, abs=6e-6), name
    assert np.isnan(compared.neighbors_kept_at_10)
    assert compared.n_queries == 12
    everything = vecsmith.compare([replace(task, candidates=None)], ["static"], [codec], [scoring])[-1]
    assert everything.ndcg_at_10 != compared.ndcg_at_10


def test_only_candidates_are_ranked(german: None) -> None:
    task = load_mteb("Rerank")
    judged = JudgedQueries(task, "test", task.queries.ids)
    corpus, queries = vecsmith.embed_task(task, "static")
    codec = vecsmith.codec("float32").fit(corpus.vectors)
    index = vecsmith.Index(codec, corpus.vectors, ids=corpus.ids)
    Q = queries.unit[judged.rows]
    scores, rows = judged.retrieve(lambda some, k, allowed: index.search(Q[some], k, allowed))
    for query, found, values in zip(judged.ids, rows, scores, strict=True):
        retrieved = [corpus.ids[row] for row in found if row >= 0]
        assert sorted(retrieved) == sorted(candidates(2)[query])
        assert np.isneginf(values[len(retrieved) :]).all()
    expected = judged.evaluate(scores, rows).ndcg_at_10
    assert judged.search(index, Q).ndcg_at_10.tolist() == expected.tolist()
    assert judged.rank(Q @ corpus.unit[:].T).ndcg_at_10.tolist() == pytest.approx(expected.tolist())
    with pytest.raises(VecsmithError, match="not a reranking task"):
        judged.search_exactly(Q, corpus.unit[:])


def test_candidates_are_part_of_the_fingerprint(german: None) -> None:
    task = load_mteb("Rerank")
    plain = Task(task.name, task.corpus, task.queries, task.qrels)
    other = replace(task, candidates={**candidates(2), "q0": ["d1"]})
    assert len({each.fingerprint for each in (task, plain, other)}) == 3
    assert Texts is type(task.corpus)


def test_splits_with_other_candidates_must_be_named(register: Callable[..., None]) -> None:
    first, second = ({**split_of(2), "top_ranked": candidates(seed)} for seed in (2, 3))
    register("Local", {"default": {"dev": first, "test": second}}, "Reranking", eval_splits=["dev", "test"])
    with pytest.raises(VecsmithError, match="differ in their corpora, queries or candidates"):
        load_mteb("Local")
    assert load_task("mteb:Local:default:test").candidates == candidates(3)


# ---------------------------------------------------------------- the command line


def compare(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["compare", "--encoder", "static", "--codec", "binary", *arguments])


def test_all_tasks_of_a_language_end_in_a_grid(german: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    done = compare("--task", "mteb", "--language", "deu", "--metric", "nDCG@10", "--retention", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "mteb:Broken is left out: mteb cannot load Broken (ConnectionError: no network)" in done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    tasks = ["Instruct", "Rerank", "Splits:default:dev", "Splits:default:train", "Subsets:de", "mean of 5 tasks"]
    assert [row[0].removeprefix("| ") for row in rows] == ["task", *tasks]
    results = read_results(out / "results.jsonl")
    assert [result.split for result in results[::2]] == ["test", "test", "dev", "train", "test"]
    assert rows[2][1] == f"{results[2].ndcg_at_10:.4f}"
    single = vecsmith.compare(["mteb:Subsets:de"], ["static"], ["binary"])
    assert [replace(line, command="") for line in results[-2:]] == single
    # with everything measured, nothing is measured again
    monkeypatch.setattr(sys.modules["vecsmith.evaluation.runner"], "encode_corpus", None)
    assert compare("--task", "mteb", "--language", "deu", "--retention").stdout == done.stdout


def test_a_killed_run_leaves_its_results_and_continues(
    german: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = sys.modules["vecsmith.evaluation.runner"]
    encode, encoded = runner.encode_corpus, []

    def killed(spec: str, *arguments: Any) -> Any:
        encoded.append(spec)
        if len(encoded) == 6:
            raise KeyboardInterrupt
        return encode(spec, *arguments)

    monkeypatch.setattr(runner, "encode_corpus", killed)
    out = tmp_path / "out"
    command = ("--task", "mteb", "--language", "deu", "--out", str(out))
    assert compare(*command).exit_code != 0
    left = read_results(out / "results.jsonl")
    assert [result.task for result in left[::2]] == ["Instruct", "Rerank"]
    encoded[:] = [""] * 10
    done = compare(*command)
    assert done.exit_code == 0
    # the third task's float32 was measured before the kill
    assert encoded[10:] == ["binary", *(["float32", "binary"] * 2)]
    assert read_results(out / "results.jsonl")[:4] == left


def test_result_files_predictions_and_model_card(german: None, tmp_path: Path) -> None:
    out = tmp_path / "mteb"
    command = ("--task", "mteb:Subsets", "--task", "mteb:Rerank", "--language", "deu", "--mteb-out", str(out), "--json")
    done = compare(*command, "--predictions")
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)
    files = sorted(out.glob("results/**/Rerank.json")) + sorted(out.glob("results/**/Subsets.json"))
    assert len(files) == 4
    scores = [json.loads(path.read_text())["scores"]["test"][0] for path in files]
    assert {each["hf_subset"] for each in scores} == {"default", "de"}
    assert sorted(each["ndcg_at_10"] for each in scores) == pytest.approx(
        sorted(result["ndcg_at_10"] for result in results), abs=6e-6
    )
    assert len(list(out.glob("predictions/**/*_predictions.json"))) == 4
    card = (out / "model-card.md").read_text().splitlines()
    assert card[0].startswith("| model | task | split |")
    assert len(card) == 2 + 4
    binary = next(result for result in results if (result["task"], result["codec"]) == ("Subsets:de", "binary"))
    costs = "binary | asymmetric | nothing | 32 | 32.0×"
    assert f"| vecsmith/static | Subsets | test | de | {costs} | {binary['ndcg_at_10']:.4f} |" in card
    # results in the folder are not measured again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CodecModel, "index", None)
        assert compare(*command).exit_code == 0


@pytest.fixture
def own_task(tmp_path: Path) -> Path:
    """Write a BEIR folder with train and test judgements."""
    folder = tmp_path / "task"
    (folder / "qrels").mkdir(parents=True)
    data = split_of(0)
    for name in ("corpus", "queries"):
        lines = [json.dumps({"_id": row["id"], "text": row["text"]}) for row in data[name]]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    for split, queries in (("train", ["q0", "q1", "q2"]), ("test", [f"q{number}" for number in range(3, 12)])):
        judged = [f"{q}\t{d}\t{gain}" for q in queries for d, gain in data["relevant_docs"][q].items()]
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(judged) + "\n")
    return folder


def test_files_of_a_task_of_ones_own(own_task: Path, tmp_path: Path) -> None:
    done = compare("--task", str(own_task), "--mteb-out", str(tmp_path / "mteb"), "--scoring", "symmetric")
    assert done.exit_code == 0, done.output
    card = (tmp_path / "mteb" / "model-card.md").read_text()
    assert card.count("| vecsmith/static | task-") == 2
    assert len(list((tmp_path / "mteb").glob("results/**/task-*.json"))) == 2


def test_files_of_hybrids_and_rerankers(own_task: Path, tmp_path: Path, cross_encoder: str) -> None:
    pytest.importorskip("bm25s")
    out = tmp_path / "mteb"
    stages = ("--hybrid", "bm25", "--fusion", "rrf", "--fusion", "convex", "--fusion", "convex:0.2")
    stages += ("--rerank", f"ce:{cross_encoder}", "--rerank", "static", "--rerank-depth", "15")
    files = ("--mteb-out", str(out), "--predictions", "--json")
    done = compare("--task", str(own_task), "--codec", "pca4", *stages, *files)
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)
    assert len(results) == 3 * 6
    found = [json.loads(path.read_text())["scores"]["test"][0] for path in out.glob("results/**/task-*.json")]
    ndcg = sorted(result["ndcg_at_10"] for result in results)
    assert sorted(each["ndcg_at_10"] for each in found) == pytest.approx(ndcg, abs=6e-6)
    rows = (out / "model-card.md").read_text().splitlines()[2:]
    for result, row in zip(results, rows, strict=True):
        scoring = result["scoring"].replace("exact", "asymmetric")
        assert f"| {result['codec']} | {scoring} |" in row
        assert float(row.split("|")[-2]) == pytest.approx(result["ndcg_at_10"], abs=6e-5)
    # the rankings themselves have the figures of compare
    rankings = [json.loads(path.read_text()) for path in out.glob("predictions/**/*_predictions.json")]
    task = load_task(str(own_task))
    runs = [ranking["default"]["test"] for ranking in rankings]
    assert sorted(ndcg_of(run, task) for run in runs) == pytest.approx(ndcg, abs=1e-6)


def ndcg_of(run: dict[str, dict[str, float]], task: Task) -> float:
    """Return the nDCG@10 of rankings in mteb's format, by pytrec_eval."""
    pytrec_eval = pytest.importorskip("pytrec_eval")
    judged = {query: dict(gains) for query, gains in task.judgements("test").items()}
    measured = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10"}).evaluate(run)
    return float(np.mean([each["ndcg_cut_10"] for each in measured.values()]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task", "mteb"], "give --language CODE"),
        (["--task", "pydocs", "--language", "deu"], "--language is for tasks of mteb"),
        (["--predictions"], "give --mteb-out DIR too"),
        (["--mteb-out", "x", "--recenter"], "leave out --recenter or --mteb-out"),
        (["--mteb-out", "x", "--baseline", "static"], "leave out --baseline or --mteb-out"),
        (["--mteb-out", "x", "--baseline", "bm25"], "leave out --baseline or --mteb-out"),
        (["--mteb-out", "x", "--fit-on", "elsewhere"], "Unknown protocol 'elsewhere'"),
        (["--task", "mteb", "--language", "eng", "--codec", "nonsense"], "Unknown codec 'nonsense'"),
    ],
)
def test_bad_options_are_one_sentence(options: list[str], message: str, german: None, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        done = compare(*options)
        assert isinstance(done.exception, VecsmithError)
        assert message in str(done.exception)
        assert not any(tmp_path.iterdir())


def test_no_task_that_can_be_loaded_is_an_error(register: Callable[..., None]) -> None:
    register("Broken", {})
    done = compare("--task", "mteb", "--language", "deu")
    assert "None of the 1 tasks could be loaded" in str(done.exception)
