"""Make the training examples of a kind from judgements, imported files or generated queries."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from filelock import FileLock

from vecsmith.encoders import EncoderOptions, load_encoder
from vecsmith.encoders.model_files import ModelFiles
from vecsmith.errors import VecsmithError, unknown
from vecsmith.evaluation.judged_pairs import TEST
from vecsmith.evaluation.versions import package_versions
from vecsmith.files import cache_folder, fingerprint
from vecsmith.retrievers import CrossEncoderModel
from vecsmith.retrievers.specs import CROSS_ENCODER
from vecsmith.retrievers.vector_sources import EncoderVectors
from vecsmith.tasks import Task, Texts
from vecsmith.tune.cross_encoder import (
    BASE_ORGANIZATION,
    CrossEncoderTraining,
    TrainedCrossEncoder,
    open_cross_encoder,
    train_cross_encoder,
)
from vecsmith.tune.examples import COLUMNS, Kind, TrainingExamples
from vecsmith.tune.generation import generate_pairs, normal
from vecsmith.tune.generators import load_generator
from vecsmith.tune.generators.extract import split_sentences
from vecsmith.tune.labels import cosines, label_margins, logits, score_pairs
from vecsmith.tune.negatives import check_retriever, mine_negatives, retriever_of
from vecsmith.tune.sampling import sample_pairs

MARGIN = 0.05
"""Relative margin of negatives that count as not relevant, as in NV-Retriever."""
CROSS_ENCODER_NEGATIVES = 3
"""Mined negatives per pair for the training of a cross-encoder."""
BASE = "st:"
"""Prefix of a model from which a cross-encoder is trained on the judgements."""
DEFAULT_CROSS_ENCODER = "st:all-MiniLM-L6-v2"


@dataclass(frozen=True)
class DataOptions:
    """How training examples are made.

    Attributes
    ----------
    split, test : str
        Split of the judgements, and the split whose queries are left out.
    generator : str or None
        Spec of a generator of queries, which replace the judged ones (see `load_generator`). Margins have ``extract``
        by default, if no examples are imported.
    queries : int
        Generated queries per passage.
    passages : int or None
        Number of passages for which queries are generated, drawn at random; None for all.
    miner : str
        Spec of the encoder, or of BM25, that mines negatives.
    negatives : int
        Negatives per pair.
    margin : float or None
        Relative margin of the negatives (see `mine_negatives`); by default `MARGIN` for triplets. Margins have none,
        because the cross-encoder recognizes negatives that are relevant.
    cross_encoder : str
        ``ce:MODEL``, used as it is; or ``st:MODEL``, from which one is trained on the judged or imported pairs.
    teacher : str or None
        Spec of an encoder whose cosines give the margins, instead of a cross-encoder.
    sampling : tuple of str
        Samples of scored pairs (see `sample_pairs`).
    sampled : int
        Sampled documents per query and strategy.
    seed : int
        Random seed.
    encoder_options : EncoderOptions
        Options of the encoders.
    """

    split: str = "train"
    test: str = TEST
    generator: str | None = None
    queries: int = 3
    passages: int | None = None
    miner: str = "static"
    negatives: int = 1
    margin: float | None = None
    cross_encoder: str = DEFAULT_CROSS_ENCODER
    teacher: str | None = None
    sampling: tuple[str, ...] = ("bm25",)
    sampled: int = 5
    seed: int = 0
    encoder_options: EncoderOptions = EncoderOptions()  # noqa: RUF009 - immutable


def make_examples(
    kind: Kind, task: Task | None, imported: TrainingExamples | None = None, options: DataOptions | None = None
) -> TrainingExamples:
    """Make the training examples of a kind.

    - pairs: judged, imported or generated pairs.
    - triplets: the same with mined negatives (see `mine_negatives`).
    - margins: GPL. Generated or imported pairs, with mined negatives and the margins of a cross-encoder
      or of a teacher.
    - scored pairs: Augmented SBERT. Judged or imported pairs have the score 1, and sampled pairs the probability of a
      cross-encoder.
    - sentences: the sentences of the corpus.

    Queries that the test split judges are left out.

    Parameters
    ----------
    kind : {"pairs", "triplets", "margins", "scored pairs", "sentences"}
        Kind of the examples.
    task : Task or None
        The task. Imported pairs and triplets need none; their positives are then the corpus.
    imported : TrainingExamples, optional
        Pairs, which replace the judged ones; or examples of `kind`, which need nothing more.
    options : DataOptions, optional
        The other options.

    Raises
    ------
    VecsmithError
        If a name is unknown, the task, its judgements or its split are missing, the imported examples have an
        unsuitable kind, or no example is left.

    References
    ----------
    Wang, Thakur, Reimers and Gurevych 2022, GPL, https://arxiv.org/abs/2112.07577. Thakur, Reimers, Daxenberger and
    Gurevych 2021, Augmented SBERT, https://arxiv.org/abs/2010.08240
    """
    if kind not in COLUMNS:
        raise unknown("kind of training examples", kind, COLUMNS)
    maker = _Maker(task, imported, options or DataOptions())
    return maker.make(kind)


@dataclass(frozen=True)
class _Maker:
    """The sources of the examples."""

    task: Task | None
    imported: TrainingExamples | None
    options: DataOptions

    def make(self, kind: Kind) -> TrainingExamples:
        if kind in ("triplets", "margins"):
            check_retriever(self.options.miner, self.options.encoder_options)
        if self.imported is not None and self.imported.kind == kind:
            examples = self._untested(self.imported)
        elif self.imported is not None and self.imported.kind != "pairs":
            raise VecsmithError(f"The imported examples are {self.imported.kind}; give {kind}, or pairs.")
        else:
            examples = {
                "pairs": self.pairs,
                "triplets": self.triplets,
                "margins": self.margins,
                "scored pairs": self.scored_pairs,
                "sentences": self.sentences,
            }[kind]()
        task = {} if self.task is None else {"task": self.task.name, "test": self.options.test}
        versions = package_versions(("vecsmith", "numpy"))
        return examples.with_provenance(**task, seed=self.options.seed, versions=versions)

    def pairs(self) -> TrainingExamples:
        if self.imported is not None:
            return self._untested(self.imported)
        return self.generated(self.options.generator) if self.options.generator else self.judged()

    def judged(self) -> TrainingExamples:
        return TrainingExamples.from_task(self._task("Judgements"), self.options.split, self.options.test)

    def generated(self, spec: str) -> TrainingExamples:
        corpus, options = self._task("Generation").corpus, self.options
        generator = load_generator(spec)
        pairs, left_out = generate_pairs(generator, corpus, options.queries, options.seed, options.passages)
        for pair in pairs:
            self.relevant.setdefault(normal(pair.query), set()).add(normal(pair.passage))
        provenance = {"generator": dict(generator.settings), "queries_per_passage": options.queries}
        columns = {"query": [pair.query for pair in pairs], "positive": [pair.positive for pair in pairs]}
        return self._untested(TrainingExamples.from_columns(columns, provenance, left_out))

    def triplets(self) -> TrainingExamples:
        options = self.options
        return self._mine(self.pairs(), options.negatives, MARGIN if options.margin is None else options.margin)

    def margins(self) -> TrainingExamples:
        options = self.options
        if options.teacher is None:
            model, provenance = self.cross_encoder(self.judged if self.imported is None or self.task else self.pairs)
            score = logits(model)
        else:
            score = cosines(EncoderVectors(load_encoder(options.teacher, options.encoder_options)))
            provenance = {"teacher": options.teacher}
        pairs = self.generated(options.generator or "extract") if self.imported is None else self.pairs()
        triplets = self._mine(pairs, options.negatives, options.margin)
        return label_margins(triplets, score).with_provenance(**provenance)

    def scored_pairs(self) -> TrainingExamples:
        task, options, gold = self._task("Augmented SBERT"), self.options, self.pairs()
        sampled = sample_pairs(gold, task, options.sampling, options.sampled, options.seed, options.encoder_options)
        model, provenance = self.cross_encoder(lambda: gold)
        scores = score_pairs(model, sampled, "probability")
        pairs = [*zip(gold.column("query"), gold.column("positive"), strict=True), *sampled]
        columns = {
            "sentence1": [query for query, _ in pairs],
            "sentence2": [text for _, text in pairs],
            "score": [1.0] * len(gold) + scores,
        }
        sampling = {"sampling": list(options.sampling), "sampled": options.sampled, "judged_pairs": len(gold)}
        return TrainingExamples.from_columns(columns, {**gold.provenance, **sampling, **provenance}, gold.counts)

    def sentences(self) -> TrainingExamples:
        corpus = self._task("The corpus").corpus
        found = Counter(sentence for text in corpus.texts for sentence in split_sentences(text))
        repeated = {"repeated": sum(found.values()) - len(found)}
        return TrainingExamples.from_columns({"text": list(found)}, {}, +Counter(repeated))

    def cross_encoder(self, gold: Callable[[], TrainingExamples]) -> tuple[CrossEncoderModel, Mapping[str, Any]]:
        """Return the cross-encoder, which is trained on gold pairs and cached if need be, and its provenance."""
        spec = self.options.cross_encoder
        if spec.startswith(CROSS_ENCODER) and spec != CROSS_ENCODER:
            model = CrossEncoderModel(spec.removeprefix(CROSS_ENCODER))
            model.score_pairs([("query", "text")])  # a wrong model is refused before long work
            return model, {"cross_encoder": model.spec, "cross_encoder_revision": model.files.revision}
        if not spec.startswith(BASE) or spec == BASE:
            raise unknown("cross-encoder", spec, ["ce:MODEL", "st:MODEL"])
        trained = self.trained_cross_encoder(spec.removeprefix(BASE), gold())
        check = {"accuracy": trained.accuracy, "held_out_triplets": trained.triplets}
        return CrossEncoderModel(str(trained.path)), {"cross_encoder": f"trained from {spec}", **check}

    def trained_cross_encoder(self, base: str, gold: TrainingExamples) -> TrainedCrossEncoder:
        triplets = self._mine(gold, CROSS_ENCODER_NEGATIVES, MARGIN)
        seed, settings = self.options.seed, CrossEncoderTraining()
        revision = ModelFiles(base, BASE_ORGANIZATION).revision
        versions = package_versions(("sentence-transformers", "transformers", "torch"))
        key = fingerprint([triplets.fingerprint, revision, seed, asdict(settings), versions])
        path = cache_folder() / "cross-encoders" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{key}.lock")):
            with suppress(VecsmithError):
                return open_cross_encoder(path)
            return train_cross_encoder(triplets, base, path, seed, settings, force=True)

    @cached_property
    def relevant(self) -> dict[str, set[str]]:
        """Texts that are relevant to a query by the judgements, and the query's own document, in normal form."""
        relevant: dict[str, set[str]] = {}
        if self.task is None:
            return relevant
        queries, documents = dict(self.task.queries.rows()), dict(self.task.corpus.rows())
        for split in self.options.split.split("+"):
            for query, gains in self.task.qrels.get(split, {}).items():
                ids = [document for document, gain in gains.items() if gain > 0]
                ids += [query] * self.task.ignore_identical_ids
                texts = {normal(documents[id_]) for id_ in ids if id_ in documents}
                relevant.setdefault(normal(queries.get(query, "")), set()).update(texts)
        return relevant

    def _mine(self, pairs: TrainingExamples, count: int, margin: float | None) -> TrainingExamples:
        options, corpus = self.options, self._documents()
        retriever = retriever_of(options.miner, corpus, self.task, options.encoder_options)
        mined = mine_negatives(pairs, corpus.texts, retriever, count, margin, self.relevant)
        return mined.with_provenance(miner=options.miner, negatives=count, margin=margin)

    def _documents(self) -> Texts:
        """Return the documents of the task, and the imported positives that are not among them."""
        imported = [] if self.imported is None else self.imported.column("positive")
        if self.task is None:
            source, ids, texts = "the imported positives", list[str](), list[str]()
        else:
            source, ids, texts = self.task.corpus.source, self.task.corpus.ids, self.task.corpus.texts
        known = set(texts)
        others = [text for text in dict.fromkeys(imported) if text not in known]
        if not others:
            return self._task("Mining").corpus
        return Texts([*ids, *(f"imported {number}" for number in range(len(others)))], [*texts, *others], source)

    def _task(self, subject: str) -> Task:
        if self.task is None:
            raise VecsmithError(f"{subject} needs the texts of a task; give --task.")
        return self.task

    def _untested(self, examples: TrainingExamples) -> TrainingExamples:
        """Leave out queries that the test split judges."""
        column = next((name for name in ("query", "sentence1") if name in examples.dataset.column_names), None)
        if self.task is None or column is None:
            return examples
        test = self.options.test
        queries = dict(self.task.queries.rows())
        tested = {normal(queries[query]) for query in self.task.qrels.get(test, {}) if query in queries}
        return examples.where(
            [normal(query) not in tested for query in examples.column(column)], f"query judged in {test}"
        )
