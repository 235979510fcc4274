"""Integration with mteb: an encoder with a codec as a model for ``mteb.evaluate``, and a vecsmith task as an mteb task.

mteb stores a score under the model's name, revision and ``experiment_kwargs`` and the task's name, and reuses stored
scores. Therefore the ``experiment_kwargs`` of a model contain everything that its codes depend on, and the name of a
local task contains a hash of its content.

References
----------
Muennighoff et al. 2022, MTEB, https://arxiv.org/abs/2210.07316
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import Codec, load_codec
from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import Encoder, load_encoder
from vecsmith.errors import VecsmithError, require, unknown
from vecsmith.evaluation.folds import FIT_ON, encode_corpus
from vecsmith.index import SCORINGS, CodePartition, Index, Scoring, subset
from vecsmith.integrations.mteb_task import mteb_task, slug
from vecsmith.retrievers import FusionStage, IndexRetriever, Retriever, Stage
from vecsmith.retrievers.vector_sources import EncoderVectors, PrecomputedVectors, VectorSource
from vecsmith.tasks import Texts
from vecsmith.tasks.mteb import read_rows

mteb = require("mteb", "mteb")

__all__ = ["CodecModel", "evaluate", "model_card", "mteb_task"]

FRAMEWORKS = {"static": "NumPy", "st": "Sentence Transformers", "api": "API"}
"""Name in mteb of the library behind each kind of encoder."""


class CodecModel:
    """An encoder with a codec, as a model for ``mteb.evaluate``.

    It implements mteb's ``SearchProtocol``. A corpus is stored as codes and searched with an `Index`, and so are the
    candidates per query of a reranking task.

    Parameters
    ----------
    encoder : str, Encoder, pair of EmbeddingSet, or VectorSource
        An encoder or its spec, whose vectors are cached; or the precomputed vectors of a task's corpus and queries, as
        `embed_task` returns them; or a source of vectors.
    codec : str, Path or Codec
        A spec, which is fitted on each corpus as `fit_on` says; or a fitted codec or its folder.
    scoring : {"symmetric", "asymmetric", "rescored"}
        Scoring of queries against codes.
    fit_on : {"cross", "corpus"}
        Training set of a spec (see `encode_corpus`).
    seed : int
        Random seed of a spec's codec and of the two halves; a fitted codec has its own seed.
    stage : Stage, optional
        A fusion with BM25 or a reranker after the search of codes.

    Raises
    ------
    VecsmithError
        If `scoring` or `fit_on` is unknown, a codec is not fitted, or the weight of a fusion is not a number.
    """

    def __init__(
        self,
        encoder: str | Encoder | tuple[EmbeddingSet, EmbeddingSet] | VectorSource,
        codec: str | Path | Codec,
        scoring: Scoring = "asymmetric",
        fit_on: str = "cross",
        seed: int = 0,
        stage: Stage | None = None,
    ) -> None:
        for kind, name, known in (("scoring", scoring, SCORINGS), ("protocol", fit_on, FIT_ON)):
            if name not in known:
                raise unknown(kind, name, known)
        if isinstance(stage, FusionStage) and stage.weight == "chosen":
            raise VecsmithError("mteb has no validation queries to choose a weight on; give a number from 0 to 1.")
        self.scoring, self.stage = scoring, stage
        self._source: VectorSource
        if isinstance(encoder, VectorSource):
            self._source = encoder
        elif isinstance(encoder, tuple):
            self._source = PrecomputedVectors(*encoder)
        else:
            self._source = EncoderVectors(load_encoder(encoder) if isinstance(encoder, str) else encoder)
        self._is_fitted = not isinstance(codec, str)
        if isinstance(codec, Codec):
            self.codec = codec
        else:
            self.codec = load_codec(codec) if isinstance(codec, Path) else Codec(codec, seed)
        self.fit_on = f"fitted-{_weights_hash(self.codec)}" if self._is_fitted else fit_on
        if not self.codec.requires_fit:
            self.fit_on = "nothing"
        self._index: Index | None = None
        self._corpus: Texts | None = None
        self._row_of: dict[str, int] = {}

    @cached_property
    def mteb_model_meta(self) -> Any:
        """Mteb's ``ModelMeta``: the encoder, and all other settings that scores depend on as ``experiment_kwargs``.

        A model of the Hugging Face hub keeps its name and mteb's metadata, because mteb's results repository accepts
        only such models. Any other encoder is named ``vecsmith/…``.
        """
        query, passage = self._source.provenance("query"), self._source.provenance("passage")
        settings: dict[str, Any] = {
            "codec": self.codec.spec,
            "scoring": self.scoring,
            "fit_on": self.fit_on,
            "seed": self.codec.seed,
            "vecsmith": version("vecsmith"),
            # quoted, because mteb replaces characters that are not allowed in file names by _
            "query_prompt": quote(query.prompt, safe=" "),
            "passage_prompt": quote(passage.prompt, safe=" "),
            "max_length": passage.max_length,
            **({} if self.stage is None else self.stage.settings),
        }
        if "reranker" in settings:
            settings["reranker"] = quote(settings["reranker"], safe=" ")
        kind, _, name = passage.encoder.partition(":")
        if kind != "st":
            name = f"vecsmith/{slug(name or kind)}"
        elif Path(name).is_dir():
            name = f"vecsmith/{slug(Path(name).resolve().name)}"
        known = mteb.models.model_implementations.MODEL_REGISTRY.get(name)
        framework = [FRAMEWORKS[kind]] if kind in FRAMEWORKS else []
        return (known or mteb.models.ModelMeta.create_empty({"framework": framework})).model_copy(
            update={
                "loader": None,
                "name": name,
                "revision": slug(passage.revision),
                "experiment_kwargs": {key: value for key, value in settings.items() if value not in ("", None)},
                "embed_dim": self._source.dimensions,
                "similarity_fn_name": mteb.models.model_meta.ScoringFunction.DOT_PRODUCT,
            }
        )

    def index(self, corpus: Any, *, task_metadata: Any, **kwargs: Any) -> None:
        """Embed and encode a corpus; called by mteb."""
        texts = read_rows(corpus, task_metadata, "document", f"the corpus of {task_metadata.name}")
        vectors = self._source.embed(texts, "passage")
        if self._is_fitted:
            parts = [CodePartition(self.codec, self.codec.encode(vectors), np.arange(len(vectors)))]
        else:
            parts = encode_corpus(self.codec.spec, vectors, self.fit_on, self.codec.seed).parts
        self._corpus, self._row_of = texts, {id_: row for row, id_ in enumerate(texts.ids)}
        originals = vectors if self.scoring == "rescored" else None
        zero_rows = np.flatnonzero(~vectors.any(axis=1))
        self._index = Index.from_partitions(parts, self.scoring, originals, texts.ids, zero_rows)

    def search(
        self,
        queries: Any,
        *,
        task_metadata: Any,
        top_k: int,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> dict[str, dict[str, float]]:
        """Return the scores of the best documents per query; called by mteb.

        Raises
        ------
        VecsmithError
            If `index` was not called.
        """
        if self._index is None or self._corpus is None:
            raise VecsmithError("No corpus is indexed; call index first.")
        texts = read_rows(queries, task_metadata, "query", f"the queries of {task_metadata.name}")
        vectors = self._source.embed(texts, "query")
        if self.stage is not None:
            row_of = {text: row for row, text in enumerate(texts.texts)}
            first = IndexRetriever(self._index, lambda queries: vectors[[row_of[query] for query in queries]])
            return _search_texts(self.stage.over(first, self._corpus), texts, self._row_of, top_k, top_ranked)
        if top_ranked is None:
            return _run(texts.ids, *self._index.search(vectors, top_k), list(self._row_of))
        run: dict[str, dict[str, float]] = {id_: {} for id_ in texts.ids}
        for row, id_ in enumerate(texts.ids):
            if candidates := sorted(set(top_ranked.get(id_, ())), key=self._row_of.__getitem__):
                index = subset(self._index, np.array([self._row_of[each] for each in candidates]), candidates)
                run |= _run([id_], *index.search(vectors[row : row + 1], top_k), candidates)
        return run

    @property
    def bytes_per_vector(self) -> int:
        """Bytes of a document's code, without the float vector that ``rescored`` also needs."""
        if self._index is not None:
            return self._index.partitions[0].codec.bytes_per_vector
        if self._is_fitted:
            return self.codec.bytes_per_vector
        # no corpus was indexed because all results were stored; the size does not depend on the vectors
        d = self.mteb_model_meta.embed_dim
        noise = np.random.default_rng(0).standard_normal((max(2048, d), d), np.float32)
        return Codec(self.codec.spec).fit(noise).bytes_per_vector


def evaluate(model: CodecModel, tasks: Any, out: str | Path, predictions: bool = False) -> Any:
    """Evaluate a model with mteb and write the results in the layout of its results repository.

    Parameters
    ----------
    model : CodecModel
        The model.
    tasks : mteb task, or sequence of them
        Tasks, as ``mteb.get_task`` and `mteb_task` return them.
    out : str or Path
        Output folder. Results are written to ``results/MODEL/REVISION/experiments/…/TASK.json``, with a
        ``model_meta.json`` in the same folder. Existing results are not measured again.
    predictions : bool
        Also write the rankings to ``predictions/MODEL/REVISION/…/TASK_predictions.json``. Existing results are then
        measured again.

    Returns
    -------
    mteb.results.ModelResult
        The results of these tasks.
    """
    cache = mteb.ResultCache(out)
    # mteb names the files of predictions by the task only, so each model needs its own folder
    place = cache.get_task_result_path("_", model.mteb_model_meta).parent.relative_to(cache.cache_path / "results")
    return mteb.evaluate(
        model,
        tasks,
        cache=cache,
        overwrite_strategy="always" if predictions else "only-missing",
        prediction_folder=cache.cache_path / "predictions" / place if predictions else None,
        show_progress_bar=sys.stderr.isatty(),
    )


def model_card(model: CodecModel, results: Any) -> str:
    """Return a Markdown table for a model card, with the size and the nDCG@10 of a model.

    Parameters
    ----------
    model : CodecModel
        The model.
    results : mteb.results.ModelResult
        Return value of `evaluate` or ``mteb.evaluate`` for this model.
    """
    stored, float_bytes = model.bytes_per_vector, 4 * model.mteb_model_meta.embed_dim
    stage = model.stage
    rescore_bytes = float_bytes if model.scoring == "rescored" else 0
    rescore_bytes += stage.rescore_bytes_per_document if stage else 0
    size = f"{stored}+{rescore_bytes}" if rescore_bytes else f"{stored}"
    ratio = f"{float_bytes / (stored + rescore_bytes):.1f}×"
    if isinstance(stage, FusionStage):
        # the size of a lexical index depends on the corpus
        size, ratio = f"{size} and BM25", ""
    costs = f"{model.fit_on} | {size} | {ratio}"
    scoring = f"{model.scoring}+{stage.label}" if stage else model.scoring
    lines = [
        "| task | split | subset | codec | scoring | fit on | bytes per vector | compression | nDCG@10 |",
        "|---|---|---|---|---|---|---:|---:|---:|",
    ]
    for result in results.task_results:
        for split, subsets in result.scores.items():
            for scores in subsets:
                lines.append(
                    f"| {result.task_name} | {split} | {scores['hf_subset']} | {model.codec.spec} | {scoring} "
                    f"| {costs} | {scores['ndcg_at_10']:.4f} |"
                )
    return "\n".join(lines) + "\n"


def _run(query_ids: Sequence[str], scores: Floats, rows: RowNumbers, ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return rankings in mteb's format; rows −1 stand for missing results."""
    return {
        query: {ids[row]: score for score, row in zip(query_scores, query_rows, strict=True) if row >= 0}
        for query, query_scores, query_rows in zip(query_ids, scores.tolist(), rows.tolist(), strict=True)
    }


def _search_texts(
    retriever: Retriever,
    queries: Texts,
    row_of: Mapping[str, int],
    k: int,
    top_ranked: Mapping[str, Sequence[str]] | None,
) -> dict[str, dict[str, float]]:
    """Return the rankings of all documents, or of the candidates of each query, in mteb's format."""
    ids = list(row_of)
    if top_ranked is None:
        return _run(queries.ids, *retriever.search(queries.texts, k), ids)
    run: dict[str, dict[str, float]] = {id_: {} for id_ in queries.ids}
    for id_, text in queries.rows():
        if candidates := top_ranked.get(id_):
            allowed = np.zeros(len(ids), np.bool_)
            allowed[[row_of[candidate] for candidate in candidates]] = True
            run |= _run([id_], *retriever.search([text], k, allowed), ids)
    return run


def _weights_hash(codec: Codec) -> str:
    """Return the first 12 hexadecimal digits of a hash of the fitted arrays."""
    digest = hashlib.sha256(str(codec.input_dimensions).encode())
    for stage in codec.stages:
        for array in stage.arrays().values():
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:12]
