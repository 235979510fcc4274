"""Loss and nDCG@10 of the checkpoints of a trained autoencoder."""

from typing import NamedTuple

from vecsmith.codecs import Codec
from vecsmith.codecs.reducers.autoencoder import Autoencoder
from vecsmith.evaluation.folds import training_set
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.index import Index
from vecsmith.studies.config import StudyConfig
from vecsmith.tasks import Task


class Checkpoint(NamedTuple):
    """A checkpoint of a training.

    Attributes
    ----------
    loss : float
        Validation loss: of the ranking, or of the reconstruction for presets that minimize a reconstruction error.
    ndcg_at_10 : float
        Mean nDCG@10 over the judged queries.
    """

    loss: float
    ndcg_at_10: float


def measure_checkpoints(task: Task, encoder: str, spec: str, config: StudyConfig) -> list[Checkpoint]:
    """Return all checkpoints of one training, the initial parameters first, with the first seed.

    Parameters
    ----------
    task : Task
        The task. The autoencoder is fitted on all of its documents, or on the training set of `config`.
    encoder : str
        Spec of the encoder.
    spec : str
        Spec of a trained autoencoder, such as ``autoencoder64:mse``.
    config : StudyConfig
        Split, training set and seeds.
    """
    corpus, queries = config.embed(task, encoder)
    judged = JudgedQueries(task, task.present(config.split), queries.ids, corpus.ids)
    watched: list[tuple[Autoencoder, float]] = []
    codec = Codec(spec, config.seeds[0])
    stage = codec.stages[0]
    if isinstance(stage, Autoencoder):
        stage.watch = lambda checkpoint, loss: watched.append((checkpoint, loss))
    codec.fit((training_set(config.fit_on, corpus) or corpus).unit)
    checkpoints = []
    for reducer, loss in watched:
        reducer.input_dimensions_ = corpus.dimensions
        codec.reducers[0] = reducer
        index = Index(codec, codec.encode(corpus.unit), ids=corpus.ids)
        quality = judged.search(index, queries.unit[judged.rows])
        checkpoints.append(Checkpoint(loss, quality.mean_ndcg_at_10))
    return checkpoints
