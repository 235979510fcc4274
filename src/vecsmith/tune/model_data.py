"""Training examples and validation queries of a model, and the vectors of its guide."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import Codec
from vecsmith.encoders import EncoderOptions, Side
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.retrievers.vector_sources import vector_source
from vecsmith.tasks import Task, Texts
from vecsmith.tune.data import TuningData
from vecsmith.tune.examples import COLUMNS, Kind, TrainingExamples
from vecsmith.tune.generation import normal
from vecsmith.tune.held_out import nearest
from vecsmith.tune.negatives import mine_negatives, retriever_of
from vecsmith.tune.recipes import Preset, Recipe, columns_with

MIN_EXAMPLES = 2
"""Minimum number of examples; a single one has no in-batch negatives."""
ENCODING_BATCH = 64


class Source(NamedTuple):
    """Spec of an encoder, or of precomputed vectors, and its options."""

    spec: str
    options: EncoderOptions | None = None


Embed = Callable[[Sequence[str], Side], Floats]
"""Embeds texts of queries or documents as unit vectors (n, d)."""


def embed_with(model: Any, prompts: Mapping[Side, str]) -> Embed:
    """Return a function that embeds texts with a SentenceTransformer and the prompt of each side."""

    def embed(texts: Sequence[str], side: Side) -> Floats:
        vectors: Floats = model.encode(
            list(texts),
            prompt=prompts[side],
            batch_size=ENCODING_BATCH,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return vectors

    return embed


@dataclass(frozen=True)
class ModelValidation:
    """Validation queries with unseen documents, and a sample of documents that every check embeds.

    The sample has the nearest documents of all validation queries before training, and their relevant ones. All of it
    is ranked for each query.

    Attributes
    ----------
    judged : JudgedQueries
        The judgements.
    queries : list of str
        Texts of the judged queries.
    documents : list of str or ndarray of shape (n, d)
        Texts of the sample; or vectors of the whole corpus, if documents are frozen.
    ids : frozenset of str
        Ids of the queries, which must not be trained on.
    name : str
        Description of the queries.
    """

    judged: JudgedQueries
    queries: list[str]
    documents: list[str] | Floats
    ids: frozenset[str]
    name: str

    @classmethod
    def of(cls, data: TuningData, preset: Preset, frozen: Floats | None = None) -> "ModelValidation":
        """Return the validation queries of a task, by the judgements and the vectors before tuning."""
        split, ids = data.held_out(preset.validation_queries)
        row_of = {id_: row for row, id_ in enumerate(data.queries.ids)}
        text_of = dict(data.task.queries.rows())
        name = f"{len(ids)} {split} queries with unseen documents"
        if frozen is not None:
            rows: RowNumbers = np.arange(len(data.corpus))
        else:
            Q = data.queries.unit[np.array([row_of[id_] for id_ in ids], np.int64)]
            near = data.rows[nearest(Q, data.pairs.documents)[:, : preset.validation_documents]]
            corpus_row = {id_: row for row, id_ in enumerate(data.corpus.ids)}
            judgements = data.task.judgements(split)
            known = [corpus_row[each] for id_ in ids for each in judgements[id_] if each in corpus_row]
            rows = np.unique(np.concatenate([near.ravel(), np.array(known, np.int64)]))
        judged = JudgedQueries(data.task, split, ids, [data.corpus.ids[row] for row in rows])
        documents = [data.task.corpus.texts[row] for row in rows] if frozen is None else frozen
        return cls(judged, [text_of[id_] for id_ in judged.ids], documents, frozenset(ids), name)

    def ndcg(self, embed: Embed, codec: Codec | None = None) -> float:
        """Return the mean nDCG@10 of a model, on documents that a codec has encoded and decoded if there is one."""
        documents = self.documents
        D = documents if isinstance(documents, np.ndarray) else embed(documents, "passage")
        if codec is not None:
            D = codec.decode(codec.encode(D))
        return self.judged.search_exactly(embed(self.queries, "query"), D).mean_ndcg_at_10


def suiting(recipe: Recipe, given: Sequence[TrainingExamples]) -> TrainingExamples | None:
    """Return the first examples that a recipe can be trained on; None without any."""
    return next((each for each in given if _suits(each.kind, recipe.examples)), None)


def check_given(chain: Mapping[str, Recipe], given: Sequence[TrainingExamples], task: Task, split: str) -> None:
    """Check that each recipe has examples or can make them, and that all given examples are of use.

    Raises
    ------
    VecsmithError
        If examples or judgements are missing, or examples are of no use.
    """
    used = [suiting(recipe, given) for recipe in chain.values()]
    for examples in given:
        if all(examples is not each for each in used):
            raise VecsmithError(
                f"No recipe of {', '.join(chain)} trains on the {examples.kind} that are given, beside the others; "
                "leave them out, or choose another recipe."
            )
    for (name, recipe), examples_or_none in zip(chain.items(), used, strict=True):
        if examples_or_none is None and recipe.examples in ("margins", "scored pairs"):
            raise VecsmithError(
                f"The recipe {name} needs {recipe.examples}; make them with vecsmith tune data --recipe {name}, and "
                "give --data DIR."
            )
        if examples_or_none is None and recipe.examples != "sentences":
            task.judgements(split)  # refuses a split without judgements


def examples_of(
    recipe: Recipe,
    name: str,
    preset: Preset,
    data: TuningData,
    given: Sequence[TrainingExamples],
    held_out: frozenset[str],
    source: Source,
) -> TrainingExamples:
    """Return the training examples of a recipe: the given ones, or pairs of the judgements, or the documents.

    Queries that validate or test are left out. Negatives are mined by the vectors of `source`.

    Raises
    ------
    VecsmithError
        If too few examples are left.
    """
    examples = suiting(recipe, given) or _made(recipe, data)
    if examples.kind != "sentences":
        examples = _without(examples, _texts(data.task, held_out | set(data.task.judgements(data.test))))
    if recipe.examples == "triplets" and examples.kind == "pairs" and preset.negatives:
        retriever = retriever_of(source.spec, data.task.corpus, data.task, source.options)
        examples = mine_negatives(
            examples,
            data.task.corpus.texts,
            retriever,
            preset.negatives,
            preset.margin,
            depth=preset.negative_depth,
            seed=data.seed,
        )
    if len(examples) < MIN_EXAMPLES:
        raise VecsmithError(
            f"There is {len(examples)} training example, which is too few for the recipe {name}; give {MIN_EXAMPLES} "
            "or more."
        )
    if examples.negatives < recipe.min_negatives:
        raise VecsmithError(
            f"The recipe {name} needs negatives; give triplets, or mine {recipe.min_negatives} or more per example."
        )
    most = 0 if recipe.examples == "pairs" else recipe.max_negatives
    kept = examples.dataset.select_columns(columns_with(examples.dataset.column_names, most))
    return TrainingExamples(kept, examples.provenance, examples.counts)


def _suits(given: Kind, needed: Kind) -> bool:
    return given == needed or {given, needed} == {"pairs", "triplets"}


def _made(recipe: Recipe, data: TuningData) -> TrainingExamples:
    """Return the examples that need no model to make."""
    if recipe.examples != "sentences":
        return TrainingExamples.from_task(data.task, data.split, data.test)
    texts = list(dict.fromkeys(text for text in data.task.corpus.texts if text.strip()))
    return TrainingExamples.from_columns({"text": texts}, {"task": data.task.name})


def _texts(task: Task, ids: set[str] | frozenset[str]) -> set[str]:
    return {normal(text) for id_, text in task.queries.rows() if id_ in ids}


def _without(examples: TrainingExamples, queries: set[str]) -> TrainingExamples:
    """Return the examples whose query is not among these texts."""
    first = COLUMNS[examples.kind][0]
    kept = [row for row, text in enumerate(examples.column(first)) if normal(text) not in queries]
    if not kept:
        raise VecsmithError("All training examples are of queries that validate or test; give examples of others.")
    counts = {**examples.counts, "query that validates or tests": len(examples) - len(kept)}
    return TrainingExamples(examples.dataset.select(kept), examples.provenance, counts)


def sides(examples: TrainingExamples) -> dict[str, Side]:
    """Return the side, query or passage, of each column of texts."""
    first = COLUMNS[examples.kind][0]
    names = [name for name in examples.dataset.column_names if name not in ("margin", "score")]
    return {name: "query" if name == first and examples.kind != "sentences" else "passage" for name in names}


def relevant_rows(examples: TrainingExamples, task: Task) -> dict[str, RowNumbers]:
    """Return the rows in the corpus of the positives of each query.

    Raises
    ------
    VecsmithError
        If no positive is a document of the task.
    """
    row_of = {text: row for row, text in enumerate(task.corpus.texts)}
    rows: dict[str, list[int]] = {}
    for query, positive in zip(examples.column("query"), examples.column("positive"), strict=True):
        if positive in row_of:
            rows.setdefault(query, []).append(row_of[positive])
    if not rows:
        raise VecsmithError(
            f"No positive text of the training examples is a document of {task.name}, which --queries-only needs; give "
            "examples of this task."
        )
    return {query: np.array(each, np.int64) for query, each in rows.items()}


def guide_vectors(
    guide: Source, examples: TrainingExamples, task: Task, prompts: Mapping[Side, str]
) -> tuple[list[str], Floats]:
    """Return all texts of the examples, with the prompts of the trained model, and their vectors by a guide.

    Raises
    ------
    VecsmithError
        If the encoder is unknown, or ready vectors do not have a text.
    """
    source = vector_source(guide.spec, task, guide.options)
    texts: list[str] = []
    vectors: list[Floats] = []
    order: tuple[Side, ...] = ("passage", "query")
    for side in order:
        columns = [name for name, of in sides(examples).items() if of == side]
        distinct = list(dict.fromkeys(text for name in columns for text in examples.column(name)))
        ids = [str(row) for row in range(len(distinct))]
        vectors.append(source.embed(Texts(ids, distinct, "the training examples"), side))
        texts += [prompts[side] + text for text in distinct]
    return texts, np.concatenate(vectors)


def note_of_cut_texts(model: Any, examples: TrainingExamples, columns: Iterable[str]) -> list[str]:
    """Return a sentence on texts of some columns that are longer than the maximum input length, if there are any."""
    texts = list(dict.fromkeys(text for name in columns for text in examples.column(name)))
    limit = model.max_seq_length
    if limit is None:
        return []
    lengths = [len(ids) for ids in model.tokenizer(texts, truncation=False, verbose=False)["input_ids"]]
    count = sum(length > limit for length in lengths)
    if not count:
        return []
    return [f"{count:,} of {len(texts):,} training texts are longer than {limit} tokens and are cut."]
