"""Result files of mteb, predictions and a model card for several encoders, codecs, hybrids and rerankers."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from vecsmith.codecs import Codec, is_codec
from vecsmith.encoders import EncoderOptions, load_encoder, options_by_encoder
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.results import Result
from vecsmith.evaluation.runner import BASELINE
from vecsmith.files import write_text
from vecsmith.index import Scoring
from vecsmith.integrations.mteb import CodecModel, evaluate, model_card, mteb_task
from vecsmith.retrievers import FusionStage, Stage
from vecsmith.retrievers.specs import RetrieverSpecs
from vecsmith.retrievers.vector_sources import EncoderVectors, VectorSource, is_precomputed, vector_source
from vecsmith.tasks import Task
from vecsmith.tasks.mteb import get_mteb_task

MODEL_CARD = "model-card.md"


class MtebFiles:
    """A folder of mteb's result files for several encoders, codecs, hybrids and rerankers, with a model card.

    Parameters
    ----------
    folder : Path
        The folder. Existing results in it are not measured again.
    encoders, codecs : sequence of str
        Specs; float32 is added.
    scorings : sequence of {"symmetric", "asymmetric", "rescored"}
        Scorings of queries against codes.
    fit_on : {"cross", "corpus"}
        Training set of the codecs.
    seed : int
        Seed of the codecs.
    options : EncoderOptions, optional
        Prompts, maximum length and batch size.
    predictions : bool
        Whether to write the rankings too. Existing results are then measured again.
    retrievers : RetrieverSpecs, optional
        Fusions with BM25 and rerankers to evaluate after every codec.

    Raises
    ------
    VecsmithError
        If a name is unknown, or mteb is not installed.
    """

    def __init__(
        self,
        folder: Path,
        encoders: Sequence[str],
        codecs: Sequence[str],
        scorings: Sequence[Scoring] = ("asymmetric",),
        fit_on: str = "cross",
        seed: int = 0,
        options: EncoderOptions | None = None,
        predictions: bool = False,
        retrievers: RetrieverSpecs | None = None,
    ) -> None:
        if folder.exists() and not folder.is_dir():
            raise VecsmithError(f"{folder} is a file; name a folder for mteb's results.")
        self.folder = folder
        self._retrievers = retrievers or RetrieverSpecs()
        self._encoders = list(dict.fromkeys(encoders))
        self._options = options_by_encoder(options, [*encoders, *self._retrievers.encoders])
        self._codecs = [BASELINE, *(codec for codec in dict.fromkeys(codecs) if codec != BASELINE)]
        self._scorings, self._fit_on, self._seed, self._predictions = scorings, fit_on, seed, predictions
        self._rows: list[str] = []
        for encoder in encoders:
            if not is_precomputed(encoder):
                list(self._models(encoder, EncoderVectors(load_encoder(encoder, self._options[encoder]))))

    def add(self, task: Task, split: str, results: Sequence[Result] = ()) -> None:
        """Evaluate everything on a task, and write the result files and the model card.

        Parameters
        ----------
        task : Task
            The task.
        split : str
            The split of a task that is not of mteb; mteb's tasks have their own evaluation splits.
        results : sequence of Result
            Results of `compare` on the task, whose chosen weights the convex combinations take.
        """
        local = _mteb_task(task, split)
        sources = {spec: vector_source(spec, task, self._options[spec]) for spec in self._retrievers.encoders}
        stages = [*self._retrievers.fusion_stages, *self._retrievers.reranking_stages(sources)]
        own = [result for result in results if result.task == task.name]
        for encoder in self._encoders:
            for model in self._models(encoder, vector_source(encoder, task, self._options[encoder]), stages, own):
                header, rule, *rows = model_card(
                    model, evaluate(model, [local], self.folder, self._predictions)
                ).splitlines()
                name = model.mteb_model_meta.name
                self._rows += [f"| {name} {row}" for row in rows]
        write_text(self.folder / MODEL_CARD, "\n".join([f"| model {header}", f"|---{rule}", *self._rows, ""]))

    def _models(
        self, encoder: str, source: VectorSource, stages: Sequence[Stage] = (), results: Sequence[Result] = ()
    ) -> Iterator[CodecModel]:
        for number, (codec, scoring) in enumerate(product(self._codecs, self._scorings)):
            if codec == BASELINE and number:
                continue  # all scorings of float32 are the same
            spec = Path(codec) if is_codec(codec) else codec
            yield CodecModel(source, spec, scoring, self._fit_on, self._seed)
            name = codec if is_codec(codec) else Codec(codec).spec
            line = encoder, name, "exact" if codec == BASELINE else scoring
            for stage in stages:
                yield CodecModel(source, spec, scoring, self._fit_on, self._seed, _weighted(stage, line, results))


def _weighted(stage: Stage, line: tuple[str, str, str], results: Sequence[Result]) -> Stage:
    """Return a stage with the weight that `compare` chose for an encoder, a codec and a scoring."""
    if not isinstance(stage, FusionStage) or stage.weight != "chosen":
        return stage
    encoder, codec, scoring = line
    own = next(
        each
        for each in results
        if (each.encoder, each.codec, each.scoring) == (encoder, codec, f"{scoring}+{stage.label}")
    )
    return stage.with_weight(own.second_stage["weight"], own.second_stage["chosen_on"])


def _mteb_task(task: Task, split: str) -> Any:
    """Return mteb's own task for a task that was loaded from mteb, otherwise a converted one."""
    if "mteb" not in task.provenance:
        return mteb_task(task, split)
    found, _ = get_mteb_task(*task.name.split(":"))
    return found
