"""Queries that a sequence-to-sequence model of the transformers library generates, such as docTTTTTquery."""

import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

from vecsmith.encoders.model_files import LOADING_ERRORS, ModelFiles, first_line
from vecsmith.errors import VecsmithError, require
from vecsmith.plugins import Loader
from vecsmith.tune.generators.base import GENERATORS, Generator, Passage

MAX_PASSAGE_TOKENS = 350
"""Maximum passage length, as in GPL."""
SAMPLING = {"do_sample": True, "top_k": 25, "top_p": 0.95, "max_new_tokens": 64}
"""Sampling of the queries, as in GPL."""


class T5Generator(Generator):
    """A T5 model from the Hugging Face hub or a folder.

    Parameters
    ----------
    name : str
        Name on the hub, such as ``BeIR/query-gen-msmarco-t5-base-v1``, or a folder.

    References
    ----------
    Nogueira and Lin 2019, From doc2query to docTTTTTquery. Wang, Thakur, Reimers and Gurevych 2022, GPL,
    https://arxiv.org/abs/2112.07577
    """

    block_passages = 16

    def __init__(self, name: str) -> None:
        self._files = ModelFiles(name, "BeIR")
        self.spec = f"t5:{self._files.name}"

    @property
    def settings(self) -> Mapping[str, Any]:
        libraries = {library: version(library) for library in ("transformers", "torch")}
        tokens = {"max_passage_tokens": MAX_PASSAGE_TOKENS}
        return {"spec": self.spec, "revision": self._files.revision, **SAMPLING, **tokens, **libraries}

    def generate(self, passages: Sequence[Passage], count: int, seed: int) -> list[list[str]]:
        torch = require("torch", "tune")
        tokenizer, model = self._model
        inputs = tokenizer(
            [passage.text for passage in passages],
            truncation=True,
            max_length=MAX_PASSAGE_TOKENS,
            padding=True,
            return_tensors="pt",
        ).to(model.device)
        torch.manual_seed(seed)
        try:
            with torch.no_grad():
                tokens = model.generate(**inputs, num_return_sequences=count, **SAMPLING)
        except (RuntimeError, IndexError, ValueError) as error:
            raise VecsmithError(f"{self.spec} failed ({first_line(error)}); use another generator.") from error
        queries = tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [queries[start : start + count] for start in range(0, len(queries), count)]

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        library, torch = require("transformers", "tune"), require("torch", "tune")
        if not sys.stderr.isatty():
            require("transformers.utils.logging", "tune").disable_progress_bar()
        place = {"revision": self._files.hub_revision} if self._files.hub_revision else {}
        try:
            tokenizer = library.AutoTokenizer.from_pretrained(self._files.name, **place)
            model = library.AutoModelForSeq2SeqLM.from_pretrained(self._files.name, **place)
        except LOADING_ERRORS as error:
            raise VecsmithError(
                f"The generator {self._files.name} cannot be loaded ({first_line(error)}); it must be a T5 model or "
                "another sequence-to-sequence model, with its tokenizer."
            ) from error
        return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


GENERATORS["t5"] = Loader(
    "t5:MODEL", "a T5 model that writes queries, by its name on the Hugging Face hub or its folder", T5Generator
)
