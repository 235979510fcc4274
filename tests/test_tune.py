"""Tuning on judgements: losses, candidates, folds by documents, adapters, and the command."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from test_translate_cli import run

torch = pytest.importorskip("torch")

from vecsmith.embeddings import EmbeddingSet, Provenance, fuse, normalize  # noqa: E402
from vecsmith.encoders import embed_task  # noqa: E402
from vecsmith.errors import VecsmithError  # noqa: E402
from vecsmith.tasks import load_task  # noqa: E402
from vecsmith.training import RANKING_LOSSES, Candidates, JudgedPairs  # noqa: E402
from vecsmith.translators import load_translator, query_encoder, translate_queries, translator  # noqa: E402
from vecsmith.translators.adapter import Adapter, AdapterTraining  # noqa: E402
from vecsmith.tune import Verdict, tune_adapter  # noqa: E402
from vecsmith.tune.data import TuningData  # noqa: E402
from vecsmith.tune.held_out import Validation, document_folds, nearest  # noqa: E402
from vecsmith.tune.popularity import Popularity  # noqa: E402

DIMENSIONS, DOCUMENTS, TRAIN, TEST = 16, 400, 150, 60


def write_task(folder: Path, learnable: bool = True, dev: bool = False) -> Path:
    """Write a task of ready vectors, in which half of the dimensions of queries are noise if it is learnable.

    Query i is judged with document i. Documents of test queries are unseen, but for the first five.
    """
    rng = np.random.default_rng(0)
    D = normalize(rng.standard_normal((DOCUMENTS, DIMENSIONS)).astype(np.float32))
    queries = np.r_[0 : TRAIN + TEST]
    Q = D[queries] + 0.05 * rng.standard_normal((len(queries), DIMENSIONS))
    if learnable:
        Q[:, DIMENSIONS // 2 :] = rng.standard_normal((len(queries), DIMENSIONS // 2)) / 2
    (folder / "qrels").mkdir(parents=True)
    ready = folder / "vectors" / "toy"
    ready.mkdir(parents=True)
    np.save(ready / "corpus.npy", D)
    np.save(ready / "queries.npy", Q.astype(np.float32))
    for name, prefix, count in (("corpus", "d", DOCUMENTS), ("queries", "q", len(queries))):
        lines = [json.dumps({"_id": f"{prefix}{row}", "title": "", "text": f"{prefix} {row}"}) for row in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    splits = {"train": queries[: TRAIN - 30 * dev], "test": queries[TRAIN:]}
    splits |= {"dev": queries[TRAIN - 30 : TRAIN]} if dev else {}
    for split, rows in splits.items():
        pairs = [f"q{row}\td{row}\t1" for row in rows]
        pairs += [f"q{TRAIN + row}\td{row}\t1" for row in range(5)] if split == "test" else []
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *pairs]))
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for fewer steps, with a single strength."""
    monkeypatch.setattr("vecsmith.tune.adapter.STRENGTHS", (0.1,))
    monkeypatch.setattr("vecsmith.tune.adapter.AdapterTraining", partial(AdapterTraining, steps=100))


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task")


def tune(monkeypatch: pytest.MonkeyPatch, task: Path, *more: object) -> int:
    given = ["--task", task, "--encoder", "vectors:toy", "--out", task.parent / "adapter"]
    return run(monkeypatch, "tune", "adapter", *given, *more)


def brute_force(name: str, cosines: np.ndarray, relevant: np.ndarray, teacher: np.ndarray) -> float:
    """Return a loss with loops over the documents of each query, as the papers write it."""
    losses = []
    for s, r, t in zip(cosines, relevant, teacher, strict=True):
        positives, negatives = np.flatnonzero(r), np.flatnonzero(~r)
        terms = []
        for p in positives:
            others = {"infonce": [p, *negatives], "listwise": range(len(s))}.get(name, [])
            if others:
                terms.append(-s[p] / 0.05 + np.log(np.exp(s[list(others)] / 0.05).sum()))
            elif name == "margin-mse":
                terms += [((s[p] - s[n]) - (t[p] - t[n])) ** 2 for n in negatives]
        if name == "distillation":
            taught, own = (np.exp(each / 0.05) / np.exp(each / 0.05).sum() for each in (t, s))
            terms = [-(taught * np.log(own)).sum()]
        if name == "ranked-list":
            d = np.sqrt(2 - 2 * s)
            far = [d[p] - 0.8 for p in positives if d[p] > 0.8]
            near = {n: 1.2 - d[n] for n in negatives if d[n] < 1.2}
            weight = {n: np.exp(10 * each) for n, each in near.items()}
            terms = [np.mean(far or [0]) + sum(weight[n] * near[n] for n in near) / (sum(weight.values()) or 1)]
        losses.append(np.mean(terms))
    return float(np.mean(losses))


@pytest.mark.parametrize("name", RANKING_LOSSES)
def test_losses_equal_their_formulas(name: str) -> None:
    rng = np.random.default_rng(1)
    cosines, teacher = rng.uniform(-0.5, 0.95, (2, 6, 9))
    relevant = np.zeros((6, 9), bool)
    relevant[:, 2] = relevant[:3, 7] = True
    loss = RANKING_LOSSES[name].function(*map(torch.from_numpy, (cosines, relevant, teacher)))
    assert float(loss) == pytest.approx(brute_force(name, cosines, relevant, teacher), rel=1e-5)


def test_candidates_are_the_relevant_documents_and_the_nearest_others() -> None:
    rng = np.random.default_rng(2)
    Q, D = (normalize(rng.standard_normal((n, 8)).astype(np.float32)) for n in (5, 60))
    relevant = np.array([[0, 3], [0, 50], [2, 7], [4, 59], [4, 1]])
    mined = Candidates.mine(JudgedPairs(Q, D, relevant), 10)
    assert mined.queries.tolist() == [0, 2, 4]
    for query, documents, flags in zip(mined.queries, mined.documents, mined.relevant, strict=True):
        known = set(relevant[relevant[:, 0] == query, 1].tolist())
        assert set(documents[flags].tolist()) == known
        best = [row for row in np.argsort(-(D @ Q[query])) if row not in known][: 10 - len(known)]
        assert set(documents[~flags].tolist()) == set(best)


def test_no_document_is_relevant_to_queries_of_two_folds() -> None:
    rng = np.random.default_rng(3)
    pairs = np.unique(np.stack([rng.integers(0, 80, 130), rng.integers(0, 150, 130)], axis=1), axis=0)
    folds = document_folds(pairs, 4, seed=0)
    assert sorted(np.concatenate(folds).tolist()) == sorted(set(pairs[:, 0].tolist()))
    of = [set(pairs[np.isin(pairs[:, 0], fold), 1].tolist()) for fold in folds]
    assert sum(map(len, of)) == len(set.union(*of))
    chain = np.array([[0, 0], [1, 0], [1, 1], [2, 1]])
    assert [fold.tolist() for fold in document_folds(chain, 4, seed=0)] == [[0, 1, 2]]


def test_a_query_is_not_its_own_negative(task: Path) -> None:
    loaded = load_task(str(task))
    ids = [f"q{row - 300}" if row >= 300 else id_ for row, id_ in enumerate(loaded.corpus.ids)]
    corpus, queries = embed_task(loaded, "vectors:toy")
    corpus = EmbeddingSet(corpus.vectors[:], ids)
    own = []
    for ignored in (False, True):
        changed = replace(loaded, corpus=replace(loaded.corpus, ids=ids), ignore_identical_ids=ignored)
        data = TuningData(changed, "train", "test", corpus, queries, seed=0)
        pairs = zip(data.candidates.queries, data.candidates.documents, strict=True)
        own.append(sum(data.query_ids[query] in [ids[row] for row in rows] for query, rows in pairs))
    assert own[0] > 0
    assert own[1] == 0


@pytest.mark.parametrize("spec", ["adapter", "adapter:rank2", "adapter:mlp4"])
def test_untrained_adapters_are_the_identity(spec: str) -> None:
    X = normalize(np.random.default_rng(4).standard_normal((30, 8)).astype(np.float32))
    pairs = JudgedPairs(X, X, np.stack([np.arange(30)] * 2, axis=1))
    adapter = translator(spec)
    assert isinstance(adapter, Adapter)
    # no check is better than the start
    adapter.tune(Candidates.mine(pairs, 10), AdapterTraining(steps=40), lambda: 0.0)
    np.testing.assert_allclose(adapter.transform(X), X, atol=1e-6)
    losses = iter(range(100, 0, -1))
    adapter.tune(Candidates.mine(pairs, 10), AdapterTraining(steps=40), lambda: float(next(losses)))
    assert np.abs(adapter.transform(X) - X).max() > 1e-3
    if spec == "adapter:rank2":
        assert np.linalg.matrix_rank(adapter.weights_ - np.eye(8), tol=1e-5) == 2


def test_popularity_leaves_out_the_judgement_of_the_query_itself() -> None:
    rng = np.random.default_rng(5)
    Q, D = (normalize(rng.standard_normal((n, 8)).astype(np.float32)) for n in (40, 50))
    # one document per query: without its own judgement, no query has a popular relevant document
    pairs = JudgedPairs(Q, D, np.stack([np.arange(40)] * 2, axis=1))

    class Judged:
        def evaluate(self, scores: np.ndarray, rows: np.ndarray) -> object:
            first = rows[:, 0] == np.arange(40)
            return type("Quality", (), {"mean_ndcg_at_10": float(first.mean())})()

    validation = Validation(Judged(), Q, D, nearest(Q, D), False)  # type: ignore[arg-type]
    assert Popularity.fit(pairs, validation).weight == 0
    shared = JudgedPairs(Q, D, np.array([[row, 3] for row in range(40)]))
    fitted = Popularity.fit(shared, Validation(Judged(), Q, D, nearest(Q, D), False))  # type: ignore[arg-type]
    assert np.flatnonzero(fitted.prior).tolist() in ([], [3])


def test_the_verdict() -> None:
    before = np.linspace(0, 0.9, 50)
    assert Verdict.of("nDCG@10", before, before + np.linspace(0.01, 0.1, 50)).label == "WIN"
    noise = np.random.default_rng(0).standard_normal(50)
    assert Verdict.of("nDCG@10", before, before + noise - noise.mean() + 0.01).label == "MARGINAL"
    for worse in (before, before - 0.1):
        assert Verdict.of("nDCG@10", before, worse).label == "REGRESSION"


@pytest.mark.parametrize("sides", ["queries", "both"])
def test_an_adapter_wins_and_searches(
    sides: str, task: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = task.parent
    assert tune(monkeypatch, task, "--sides", sides) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("VERDICT: WIN, nDCG@10 of 60 queries")
    assert "8% of the relevant test documents are relevant to training queries too" in said.err
    fitted = load_translator(folder / "adapter")
    assert fitted.spec == "adapter"
    corpus = EmbeddingSet(np.load(task / "vectors/toy/corpus.npy"), [f"d{row}" for row in range(DOCUMENTS)])
    corpus.save(folder / "corpus")
    if sides == "both":
        apply = ["translate", "apply", folder / "adapter", "--vectors", folder / "corpus", "--out", folder / "adapted"]
        assert run(monkeypatch, *apply) == 0
    indexed = folder / ("adapted" if sides == "both" else "corpus")
    assert run(monkeypatch, "fit", "trellis8B", "--vectors", indexed, "--out", folder / "codec") == 0
    assert run(monkeypatch, "encode", folder / "codec", "--vectors", indexed, "--out", folder / "codes") == 0
    np.save(folder / "test.npy", np.load(task / "vectors/toy/queries.npy")[TRAIN:])
    found = []
    for more in ((), ("--translator", folder / "adapter")):
        capsys.readouterr()
        assert run(monkeypatch, "search", folder / "codes", "--queries", folder / "test.npy", "--json", *more) == 0
        answers = json.loads(capsys.readouterr().out)
        found.append([f"d{TRAIN + row}" in [hit["id"] for hit in each["results"]] for row, each in enumerate(answers)])
    assert np.mean(found[1]) > np.mean(found[0])


def test_adapters_of_both_sides_do_not_search_documents_that_are_not_adapted(task: Path) -> None:
    tuned = tune_adapter(load_task(str(task)), "vectors:toy", both=True)
    tuned.adapter.source, tuned.adapter.target = "st:a", "st:a by adapter 0123"
    with pytest.raises(VecsmithError, match="use one that translates to their model"):
        query_encoder(tuned.adapter, Provenance(encoder="st:a"))
    assert query_encoder(tuned.adapter, Provenance(encoder="st:a by adapter 0123")) == "st:a"


def test_seen_and_unseen_queries_are_reported_apart(
    task: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune(monkeypatch, task, "--json", "--method", "adapter:mlp8", "--loss", "listwise") == 0
    report = json.loads(capsys.readouterr().out)
    groups = report["groups"]
    assert [groups[name]["n_queries"] for name in ("all", "seen", "unseen")] == [60, 5, 55]
    assert report["seen_share"] == pytest.approx(5 / 65)
    assert groups["unseen"]["popularity"] <= groups["unseen"]["baseline"]
    again = tune_adapter(load_task(str(task)), "vectors:toy", method="adapter:mlp8", loss="listwise")
    assert again.adapter.fingerprint == load_translator(task.parent / "adapter").fingerprint


def test_dev_chooses_where_there_is_one(tmp_path: Path) -> None:
    tuned = tune_adapter(load_task(str(write_task(tmp_path / "task", dev=True))), "vectors:toy")
    assert tuned.validated_on == "30 dev queries"
    assert tuned.verdict.label == "WIN"


@pytest.mark.parametrize("loss", ["margin-mse", "distillation"])
def test_losses_imitate_a_teacher(task: Path, loss: str) -> None:
    better = task / "vectors" / "better"
    better.mkdir()
    D = np.load(task / "vectors/toy/corpus.npy")
    np.save(better / "corpus.npy", D)
    np.save(better / "queries.npy", D[: TRAIN + TEST])
    tuned = tune_adapter(load_task(str(task)), "vectors:toy", loss=loss, teacher="vectors:better")
    assert tuned.verdict.label == "WIN"


def test_a_regression_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_task(tmp_path / "task", learnable=False)
    rows = np.random.default_rng(6).permutation(TRAIN)
    lines = [f"q{query}\td{document}\t1" for query, document in enumerate(rows)]
    (task / "qrels" / "train.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))
    assert tune(monkeypatch, task) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("VERDICT: REGRESSION")
    assert not (tmp_path / "adapter").exists()


def only_one_pair(task: Path) -> None:
    (task / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td0\t1\n")


def no_relevant_document(task: Path) -> None:
    (task / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td0\t0\n")


def one_document_for_all(task: Path) -> None:
    lines = [f"q{query}\td0\t1" for query in range(50)]
    (task / "qrels" / "train.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))


def unchanged(task: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (only_one_pair, [], "relevant documents for 1 queries"),
        (no_relevant_document, [], "judges no document relevant"),
        (one_document_for_all, [], "share relevant documents"),
        (unchanged, ["--split", "dev"], "Unknown split"),
        (unchanged, ["--split", "test"], "The judgements of the split test are for reported results"),
        (unchanged, ["--test", "train"], "relevant documents for 0 queries"),
        (unchanged, ["--loss", "infonc"], "did you mean 'infonce'"),
        (unchanged, ["--loss", "margin-mse"], "--teacher ENCODER"),
        (unchanged, ["--teacher", "static"], "takes no teacher"),
        (unchanged, ["--method", "linear"], "give an adapter"),
        (unchanged, ["--method", "adapter:rank17"], "choose from 1 to 16"),
        (unchanged, ["--sides", "documents"], "queries or both"),
    ],
)
def test_bad_input_is_one_sentence(
    change: Callable[[Path], None],
    options: list[str],
    sentence: str,
    task: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(task)
    assert tune(monkeypatch, task, *options) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not (task.parent / "adapter").exists()


class Killed(BaseException):
    """What ends a process."""


def test_a_killed_run_leaves_what_was_there(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(7).standard_normal((20, DIMENSIONS)).astype(np.float32)
    before = translator("procrustes").fit(X, X)
    before.save(task.parent / "adapter")

    def killed(*arguments: object) -> None:
        raise Killed

    monkeypatch.setattr(Adapter, "tune", killed)
    with pytest.raises(Killed):
        tune(monkeypatch, task)
    assert load_translator(task.parent / "adapter").fingerprint == before.fingerprint
    assert sorted(path.name for path in task.parent.iterdir()) == ["adapter", "task"]


def test_an_adapter_of_fused_vectors_transforms_all_models() -> None:
    rng = np.random.default_rng(8)
    a, b = (
        EmbeddingSet(rng.standard_normal((30, d)).astype(np.float32), provenance=Provenance(encoder=name))
        for d, name in ((6, "st:a"), (4, "static"))
    )
    fused = fuse([a, b])
    X = fused.unit[:]
    adapter = translator("adapter").fit(X, X[:, ::-1].copy())
    adapter.source = adapter.target = fused.provenance.encoder
    assert query_encoder(adapter, fused.provenance) == "st:a+static"
    np.testing.assert_allclose(
        translate_queries(adapter, fused.vectors[:], fused.provenance), adapter.transform(X), atol=1e-5
    )
