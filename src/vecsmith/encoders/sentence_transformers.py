"""Encoder for sentence-transformers models, from the Hugging Face hub or a local folder."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vecsmith.array_types import Floats
from vecsmith.embeddings import Provenance, normalize
from vecsmith.encoders.base import ENCODERS, Encoder, EncoderOptions, Side
from vecsmith.encoders.model_files import LOADING_ERRORS, ModelFiles, first_line
from vecsmith.errors import VecsmithError, require
from vecsmith.plugins import Loader

BATCH_TEXTS = 32
"""Default number of texts per forward pass."""


@dataclass
class SentenceTransformerEncoder(Encoder):
    """A sentence-transformers model on the fastest available device, with normalized vectors.

    The revision is fixed: a model of the hub is loaded at the commit that `provenance` records, and the revision of a
    folder is a hash of its files. `provenance` reads only small files and does not load the model.

    Parameters
    ----------
    name : str
        A name on the hub (a name without an organization means ``sentence-transformers/NAME``), or a folder.
    options : EncoderOptions
        Prompts (default: the model's own), maximum input length, batch size, and whether the Python code in the
        model's repository may run.

    References
    ----------
    Reimers and Gurevych 2019, Sentence-BERT, https://arxiv.org/abs/1908.10084
    """

    name: str
    options: EncoderOptions

    def __post_init__(self) -> None:
        self._files = ModelFiles(self.name, "sentence-transformers")
        self.name = self._files.name
        self.spec = f"st:{self.name}"

    def provenance(self, side: Side) -> Provenance:
        return Provenance(
            encoder=self.spec,
            revision=self._files.revision + (" with its own code" if self._runs_own_code else ""),
            prompt=self._prompt(side),
            pooling=self._pooling,
            max_length=self.options.max_length,
            normalised=True,
        )

    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        encode = self.model.encode_query if side == "query" else self.model.encode_document
        try:
            vectors = encode(
                list(texts),
                prompt=self._prompt(side),
                batch_size=self.options.batch_size or BATCH_TEXTS,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        except (RuntimeError, IndexError) as error:
            raise VecsmithError(
                f"{self.spec} failed ({first_line(error)}); a smaller --batch-size or --max-length may help."
            ) from error
        # the norms of a model in half precision are 1 to three digits only
        return normalize(vectors)

    def _prompt(self, side: Side) -> str:
        prompt = self.options.prompt(side)
        if prompt is not None:
            return prompt
        # encode_document falls back to the prompts "passage" and "corpus" only if there is no prompt "document", but
        # sentence-transformers adds an empty prompt "document" to every model without one
        own = self._files.read("config_sentence_transformers.json").get("prompts") or {}
        return own.get("query" if side == "query" else "document") or ""

    @cached_property
    def _pooling(self) -> str:
        folders = [
            module["path"] for module in self._files.read("modules.json") or [] if module["type"].endswith("Pooling")
        ]
        config = self._files.read(f"{folders[0]}/config.json") if folders else {}
        modes = [key for key in config if key.startswith("pooling_mode_") and config[key]]
        return str(config.get("pooling_mode") or "+".join(mode.removeprefix("pooling_mode_") for mode in modes))

    @property
    def _runs_own_code(self) -> bool:
        return self.options.trust_remote_code and self._has_own_code

    @cached_property
    def _has_own_code(self) -> bool:
        """Whether the repository has Python code, as a sentence-transformers module or an auto_map of transformers."""
        modules = self._files.read("modules.json") or []
        configs = ["config.json", *(f"{module['path']}/config.json" for module in modules if module["path"])]
        has_own_class = any(not module["type"].startswith("sentence_transformers.") for module in modules)
        return has_own_class or any("auto_map" in self._files.read(name) for name in configs)

    @cached_property
    def model(self) -> Any:
        """The SentenceTransformer, which is loaded at first use."""
        library = require("sentence_transformers", "models")
        if not sys.stderr.isatty():
            require("transformers.utils.logging", "models").disable_progress_bar()
        try:
            model = library.SentenceTransformer(
                self.name,
                revision=self._files.hub_revision,
                trust_remote_code=self.options.trust_remote_code,
            )
        except LOADING_ERRORS as error:
            if self._has_own_code and not self.options.trust_remote_code:
                raise VecsmithError(
                    f"The model {self.name} needs the Python code in its repository; read that code, and give "
                    "--trust-remote-code if you trust it."
                ) from error
            raise VecsmithError(
                f"The model {self.name} cannot be loaded ({first_line(error)}); check that its files are complete."
            ) from error
        if self.options.max_length is not None:
            try:
                model.max_seq_length = self.options.max_length
            except AttributeError as error:
                raise VecsmithError(f"{self.name} reads texts of any length; leave --max-length out.") from error
        return model


ENCODERS["st"] = Loader(
    "st:NAME_OR_DIR",
    "a sentence-transformers model, by its name on the Hugging Face hub or its folder",
    SentenceTransformerEncoder,
)
