"""mteb: a codec on an encoder as a model for ``mteb.evaluate``, and a task of vecsmith as a task of mteb.

mteb files a score under the model's name, revision and ``experiment_kwargs`` and under the task's name, and reads back
what it finds there. So a model's ``experiment_kwargs`` hold all that its codes depend on, and a local task's name holds
a hash of its content.

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
from numpy.typing import NDArray

from vecsmith.codecs import Codec, load_codec
from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import Encoder, load_encoder
from vecsmith.errors import VecsmithError, require, unknown
from vecsmith.evaluation.folds import FIT_ON, encode_corpus
from vecsmith.index import SCORINGS, CodePartition, Index, Scoring
from vecsmith.integrations.mteb_task import mteb_task, slug
from vecsmith.integrations.mteb_vectors import Embedded, Ready
from vecsmith.tasks.mteb import read_rows

mteb = require("mteb", "mteb")

__all__ = ["CodecModel", "evaluate", "model_card", "mteb_task"]

FRAMEWORKS = {"static": "NumPy", "st": "Sentence Transformers", "api": "API"}
"""What mteb calls the library behind each kind of encoder."""


class CodecModel:
    """A codec on an encoder, as a model for ``mteb.evaluate``.

    It implements mteb's ``SearchProtocol``: a corpus is kept as codes and searched through `Index`, and so are the few
    documents per query that a reranking task hands over.

    Parameters
    ----------
    encoder : str, Encoder, or pair of EmbeddingSet
        A spec or an encoder, whose vectors are cached; or the ready vectors of one task's corpus and queries, as
        `embed_task` returns them.
    codec : str, Path or Codec
        A spec, which is fitted on every corpus under `fit_on`; or a fitted codec or its folder, applied as it is.
    scoring : {"symmetric", "asymmetric", "rescored"}
        How queries are scored against codes.
    fit_on : {"cross", "corpus"}
        What a spec is fitted on (see `encode_corpus`).
    seed : int
        Seeds a spec's codec and halves; a fitted codec has its own.

    Raises
    ------
    VecsmithError
        If a name is unknown, or a codec is not fitted.
    """

    def __init__(
        self,
        encoder: str | Encoder | tuple[EmbeddingSet, EmbeddingSet],
        codec: str | Path | Codec,
        scoring: Scoring = "asymmetric",
        fit_on: str = "cross",
        seed: int = 0,
    ) -> None:
        for kind, name, known in (("scoring", scoring, SCORINGS), ("protocol", fit_on, FIT_ON)):
            if name not in known:
                raise unknown(kind, name, known)
        self.scoring = scoring
        if isinstance(encoder, tuple):
            self._source: Embedded | Ready = Ready(*encoder)
        else:
            self._source = Embedded(load_encoder(encoder) if isinstance(encoder, str) else encoder)
        self._is_fitted = not isinstance(codec, str)
        if isinstance(codec, Codec):
            self.codec = codec
        else:
            self.codec = load_codec(codec) if isinstance(codec, Path) else Codec(codec, seed)
        self.fit_on = f"fitted-{_weights_hash(self.codec)}" if self._is_fitted else fit_on
        if not self.codec.requires_fit:
            self.fit_on = "nothing"
        self._index: Index | None = None
        self._row_of: dict[str, int] = {}

    @cached_property
    def mteb_model_meta(self) -> Any:
        """The ``ModelMeta`` of mteb: the encoder, and as an experiment on it all else that scores depend on.

        A model of the Hugging Face hub keeps its name, since mteb's results repository takes no other, and what mteb
        knows of it; any other encoder is named ``vecsmith/…``.
        """
        query, passage = self._source.provenance("query"), self._source.provenance("passage")
        settings = {
            "codec": self.codec.spec,
            "scoring": self.scoring,
            "fit_on": self.fit_on,
            "seed": self.codec.seed,
            "vecsmith": version("vecsmith"),
            # quoted, since mteb writes _ for every character that a file's name must not have
            "query_prompt": quote(query.prompt, safe=" "),
            "passage_prompt": quote(passage.prompt, safe=" "),
            "max_length": passage.max_length,
        }
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
        """Embed and encode a corpus; mteb calls it."""
        texts = read_rows(corpus, task_metadata, "document", f"the corpus of {task_metadata.name}")
        vectors = self._source.embed(texts, "passage")
        if self._is_fitted:
            parts = [CodePartition(self.codec, self.codec.encode(vectors), np.arange(len(vectors)))]
        else:
            parts = encode_corpus(self.codec.spec, vectors, self.fit_on, self.codec.seed).parts
        self._row_of = {id_: row for row, id_ in enumerate(texts.ids)}
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
        """Return the scores of the best documents by query id; mteb calls it.

        Raises
        ------
        VecsmithError
            If no corpus was indexed.
        """
        if self._index is None:
            raise VecsmithError("There is no corpus to search; call index first.")
        texts = read_rows(queries, task_metadata, "query", f"the queries of {task_metadata.name}")
        vectors = self._source.embed(texts, "query")
        if top_ranked is None:
            return _run(texts.ids, *self._index.search(vectors, top_k), list(self._row_of))
        run: dict[str, dict[str, float]] = {id_: {} for id_ in texts.ids}
        for row, id_ in enumerate(texts.ids):
            if candidates := sorted(set(top_ranked.get(id_, ())), key=self._row_of.__getitem__):
                index = _among(self._index, [self._row_of[candidate] for candidate in candidates], candidates)
                run |= _run([id_], *index.search(vectors[row : row + 1], top_k), candidates)
        return run

    @property
    def bytes_per_vector(self) -> int:
        """Bytes of a document's code, without the float vector that ``rescored`` reads besides."""
        if self._index is not None:
            return self._index.partitions[0].codec.bytes_per_vector
        if self._is_fitted:
            return self.codec.bytes_per_vector
        # nothing was indexed, since every result was there already: any vectors tell the size
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
        What ``mteb.get_task`` or `mteb_task` returns.
    out : str or Path
        The folder: results go to ``results/MODEL/REVISION/experiments/…/TASK.json`` with ``model_meta.json`` beside;
        what is there already is not measured again.
    predictions : bool
        Write the rankings too, to ``predictions/MODEL/REVISION/…/TASK_predictions.json``; that takes measuring again.

    Returns
    -------
    mteb.results.ModelResult
        The results of these tasks.
    """
    cache = mteb.ResultCache(out)
    # mteb names predictions by their task alone, so every model needs a folder of its own
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
    """Return a table in markdown, for a model card, of what a model costs and keeps.

    Parameters
    ----------
    model : CodecModel
        The model.
    results : mteb.results.ModelResult
        What `evaluate` or ``mteb.evaluate`` returned for it.
    """
    stored, float_bytes = model.bytes_per_vector, 4 * model.mteb_model_meta.embed_dim
    besides = float_bytes if model.scoring == "rescored" else 0
    size = f"{stored}+{besides}" if besides else f"{stored}"
    costs = f"{model.fit_on} | {size} | {float_bytes / (stored + besides):.1f}×"
    lines = [
        "| task | split | subset | codec | scoring | fit on | bytes per vector | smaller than float32 | nDCG@10 |",
        "|---|---|---|---|---|---|---:|---:|---:|",
    ]
    for result in results.task_results:
        for split, subsets in result.scores.items():
            for scores in subsets:
                lines.append(
                    f"| {result.task_name} | {split} | {scores['hf_subset']} | {model.codec.spec} | {model.scoring} "
                    f"| {costs} | {scores['ndcg_at_10']:.4f} |"
                )
    return "\n".join(lines) + "\n"


def _run(
    query_ids: Sequence[str], scores: NDArray[np.float32], rows: NDArray[np.int64], ids: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return rankings as mteb wants them; row −1 stands for no document."""
    return {
        query: {ids[row]: score for score, row in zip(query_scores, query_rows, strict=True) if row >= 0}
        for query, query_scores, query_rows in zip(query_ids, scores.tolist(), rows.tolist(), strict=True)
    }


def _among(index: Index, rows: Sequence[int], ids: Sequence[str]) -> Index:
    """Return an index of some of the documents alone, given by rising rows."""
    parts = []
    for part in index.partitions:
        inside = np.isin(part.rows, rows)
        if inside.any():
            parts.append(CodePartition(part.codec, part.codes[inside], np.searchsorted(rows, part.rows[inside])))
    originals = None if index.originals is None else index.originals[np.asarray(rows)]
    return Index.from_partitions(parts, index.scoring, originals, ids)


def _weights_hash(codec: Codec) -> str:
    """Return 12 digits that tell codecs fitted on different vectors apart."""
    digest = hashlib.sha256(str(codec.input_dimensions).encode())
    for stage in codec.stages:
        for array in stage.arrays().values():
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:12]
