"""A sentence-transformers module that applies a fitted codec after the model."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from vecsmith.codecs import Codec, load_codec
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError, require, unknown

Output = Literal["decoded", "codes"]
OUTPUTS = ("decoded", "codes")

torch = require("torch", "models")
require("sentence_transformers", "models")
# newer versions of sentence-transformers moved the module
_modules = "base.modules" if find_spec("sentence_transformers.base") else "models"
Module: Any = require(f"sentence_transformers.{_modules}", "models").Module


class CodecModule(Module):  # type: ignore[misc]  # sentence-transformers is not typed here
    """Replaces sentence embeddings by codes, or by vectors decoded from codes.

    ``model.encode`` and ``model.encode_document`` return decoded vectors or codes. ``model.encode_query`` returns float
    embeddings for asymmetric scoring: their inner products with decoded vectors are the scores of an `Index`, and an
    `Index` of the codes takes them as queries.

    ``model.save_pretrained`` also saves the codec. Loading such a model needs vecsmith and ``trust_remote_code=True``,
    because sentence-transformers otherwise refuses modules of other packages.

    Parameters
    ----------
    codec : Codec
        A fitted codec for the model's number of dimensions. Its input is normalized to unit length.
    output : {"decoded", "codes"}
        ``"decoded"`` for float vectors (n, d), ``"codes"`` for codes (n, bytes_per_vector), uint8.

    Raises
    ------
    VecsmithError
        If `output` is unknown, or the codec is not fitted.

    Examples
    --------
    >>> from sentence_transformers import SentenceTransformer
    >>> model = SentenceTransformer("all-MiniLM-L6-v2")  # doctest: +SKIP
    >>> codec = vecsmith.codec("hybrid48B").fit(model.encode(texts))  # doctest: +SKIP
    >>> model.append(CodecModule(codec))  # doctest: +SKIP
    >>> model.similarity(model.encode_query(questions), model.encode_document(texts))  # doctest: +SKIP
    """

    config_keys: ClassVar[list[str]] = ["output"]
    forward_kwargs: ClassVar[set[str]] = {"task"}

    def __init__(self, codec: Codec, output: Output = "decoded") -> None:
        super().__init__()
        if output not in OUTPUTS:
            raise unknown("output", output, OUTPUTS)
        self.dimensions = codec.input_dimensions if output == "decoded" else codec.bytes_per_vector
        self.codec = codec
        self.output = output

    def forward(self, features: dict[str, Any], task: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Replace ``sentence_embedding`` (n, d), unless the task is ``query``."""
        if task != "query":
            embeddings = features["sentence_embedding"]
            codes = self.codec.encode(normalize(embeddings.detach().float().cpu().numpy()))
            if self.output == "codes":
                features["sentence_embedding"] = torch.from_numpy(codes).to(embeddings.device)
            else:
                features["sentence_embedding"] = torch.from_numpy(self.codec.decode(codes)).to(embeddings)
        return features

    def get_embedding_dimension(self) -> int:
        """Return d, or the number of bytes of a code."""
        return self.dimensions

    get_sentence_embedding_dimension = get_embedding_dimension

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write the codec into the module's folder, next to ``config.json``."""
        self.save_config(output_path)
        self.codec.save(Path(output_path) / "codec")

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **kwargs: Any) -> Self:
        """Load a saved module from a folder or the hub.

        Raises
        ------
        VecsmithError
            If the folder has no codec.
        """
        names = ("token", "cache_folder", "revision", "local_files_only")
        where = {name: kwargs[name] for name in names if name in kwargs}
        config = cls.load_config(model_name_or_path, subfolder=subfolder, **where)
        folder = cls.load_dir_path(model_name_or_path, subfolder=(Path(subfolder) / "codec").as_posix(), **where)
        if folder is None:
            raise VecsmithError(f"{model_name_or_path} has no codec in {subfolder}; save the model again.")
        return cls(load_codec(folder), config["output"])
