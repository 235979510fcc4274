"""Result files of mteb, predictions and a model card for several encoders and codecs."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from vecsmith.codecs import is_codec
from vecsmith.encoders import EncoderOptions, embed_task, load_encoder, options_by_encoder
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.runner import BASELINE
from vecsmith.files import write_text
from vecsmith.index import Scoring
from vecsmith.integrations.mteb import CodecModel, evaluate, model_card, mteb_task
from vecsmith.tasks import Task
from vecsmith.tasks.mteb import get_mteb_task

MODEL_CARD = "model-card.md"


class MtebFiles:
    """A folder of mteb's result files for several encoders and codecs, with a model card.

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
    ) -> None:
        if folder.exists() and not folder.is_dir():
            raise VecsmithError(f"{folder} is a file; name a folder for mteb's results.")
        self.folder = folder
        self._options = options_by_encoder(options, encoders)
        self._codecs = [BASELINE, *(codec for codec in dict.fromkeys(codecs) if codec != BASELINE)]
        self._scorings, self._fit_on, self._seed, self._predictions = scorings, fit_on, seed, predictions
        self._rows: list[str] = []
        for encoder in encoders:
            if not _is_ready(encoder):
                list(self._models(load_encoder(encoder, self._options[encoder])))

    def add(self, task: Task, split: str) -> None:
        """Evaluate all encoders and codecs on a task, and write the result files and the model card.

        Parameters
        ----------
        task : Task
            The task.
        split : str
            The split of a task that is not of mteb; mteb's tasks have their own evaluation splits.
        """
        local = _mteb_task(task, split)
        for encoder, options in self._options.items():
            source = embed_task(task, encoder, options) if _is_ready(encoder) else load_encoder(encoder, options)
            for model in self._models(source):
                header, rule, *rows = model_card(
                    model, evaluate(model, [local], self.folder, self._predictions)
                ).splitlines()
                name = model.mteb_model_meta.name
                self._rows += [f"| {name} {row}" for row in rows]
        write_text(self.folder / MODEL_CARD, "\n".join([f"| model {header}", f"|---{rule}", *self._rows, ""]))

    def _models(self, source: Any) -> Iterator[CodecModel]:
        for number, (codec, scoring) in enumerate(product(self._codecs, self._scorings)):
            if codec == BASELINE and number:
                continue  # all scorings of float32 are the same
            spec = Path(codec) if is_codec(codec) else codec
            yield CodecModel(source, spec, scoring, self._fit_on, self._seed)


def _is_ready(encoder: str) -> bool:
    """Return whether vectors are read from files, and looked up by text."""
    return any(part.startswith("vectors:") for part in encoder.split("+"))


def _mteb_task(task: Task, split: str) -> Any:
    """Return mteb's own task for a task that was loaded from mteb, otherwise a converted one."""
    if "mteb" not in task.provenance:
        return mteb_task(task, split)
    found, _ = get_mteb_task(*task.name.split(":"))
    return found
