"""Diagrams of codecs, autoencoders, translators and protocols, drawn from their specs."""

from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise

from vecsmith.codecs import Codec
from vecsmith.codecs.reducers.autoencoder import PRESETS
from vecsmith.codecs.reducers.fuse import Fuse
from vecsmith.codecs.stages import Quantizer, Reducer, Stage
from vecsmith.report.diagrams import Box, Diagram
from vecsmith.translators import translator
from vecsmith.translators.local import Local
from vecsmith.translators.mlp import MLP

LOSSES = {
    "listwise": "pseudo-queries rank documents by z as by x",
    "mse": "squared error of x̂",
    "cosine": "cosine of x and x̂",
}
"""Losses of autoencoders by the name in their settings."""
Models = Mapping[str, int]
"""Dimensions of models by name; 0 where they are not known yet."""


def codec_diagram(spec: str, models: Models, name: str = "codec") -> Diagram:
    """Return the way of documents to codes and of queries to scores.

    Parameters
    ----------
    spec : str
        Spec of the codec.
    models : mapping of str to int
        The model, or the models that the codec fuses, in the order of its spec.
    name : str
        Name of the diagram's file.
    """
    codec = Codec(spec)
    d = 0 if 0 in models.values() else sum(models.values())
    boxes = []
    for stage in codec.stages:
        boxes.append(_stage_box(stage, d))
        d = getattr(stage, "output_dimensions", d) if isinstance(stage, Reducer) and not isinstance(stage, Fuse) else d
    encoders = [Box(model, _dimensions(size), "model") for model, size in models.items()]
    through = " and ".join(["the same model" + "s" * (len(models) > 1), *["reducers"] * bool(codec.reducers)])
    queries = Box("queries", f"by {through}, float32")
    score = Box("score", "inner product of the float query and the decoded code")
    quality = Box("ranking", "nDCG@10, beside that of the float32 vectors", "measure")
    lanes = [[Box("documents")], encoders, *([box] for box in boxes[:-1]), [boxes[-1], queries], [score], [quality]]
    chain = [box.name for box in (*boxes, score, quality)]
    arrows = [("documents", box.name) for box in encoders] + [(box.name, chain[0]) for box in encoders]
    arrows += [*pairwise(chain), ("queries", "score")]
    return Diagram(name, f"{spec}: from texts to a ranking", lanes, arrows)


def _stage_box(stage: Stage, d: int) -> Box:
    """Return the box of a stage whose input has d dimensions, 0 if unknown."""
    if isinstance(stage, Fuse):
        weights = "fitted weights" if stage.requires_fit else "fixed weights"
        return Box(stage.spec, ", ".join(filter(None, ["side by side, " + weights, _dimensions(d)])), "fitted")
    if isinstance(stage, Reducer):
        size = getattr(stage, "output_dimensions", 0)
        return Box(stage.spec, f"{d or 'd'} → {size} dimensions", "fitted")
    assert isinstance(stage, Quantizer)
    return Box(stage.spec, f"code of {_code_size(stage, d)}", "stored")


def _code_size(quantizer: Quantizer, d: int) -> str:
    """Return the size of a code as text; of a quantizer that tells it only when it is fitted, nothing exact."""
    if d:
        quantizer.input_dimensions_ = d
    with suppress(AttributeError):
        return f"{quantizer.bytes_per_vector:,} bytes"
    return "few bytes"


def _dimensions(d: int) -> str:
    return f"{d:,} dimensions" if d else ""


def autoencoder_diagram(spec: str, d: int, name: str = "autoencoder") -> Diagram:
    """Return the layers of an autoencoder such as ``autoencoder96:mlp1``, and its losses.

    Parameters
    ----------
    spec : str
        Spec of the autoencoder, with a preset or without.
    d : int
        Dimensions of its input.
    name : str
        Name of the diagram's file.
    """
    stage = Codec(spec).stages[0]
    k = getattr(stage, "output_dimensions", 0)
    preset = PRESETS.get(getattr(stage, "preset", ""))
    hidden = [factor * k for factor in preset.hidden] if preset else []
    loss = dict(preset.training).get("loss", "listwise") if preset else None
    linear = Box("linear map", f"{d or 'd'} → {k}" + ("" if preset else ", in closed form"), "fitted")
    layers = [Box(f"hidden layer {number}", f"{width} units, GELU", "fitted") for number, width in enumerate(hidden, 1)]
    tied = preset is None or preset.tied
    decoder = Box("decoder", "transposed linear map" if tied else "linear map of its own", "fitted")
    lost: list[Box | None] = [Box("loss", LOSSES[loss], "measure")] if loss else []
    columns: list[list[Box | None]] = [
        [Box("x", _dimensions(d))],
        [linear, *layers[:1]],
        *([None, layer] for layer in layers[1:]),
        [Box("z", f"{k} dimensions, normalized", "stored")],
        [decoder, *(lost if loss == "listwise" else [])],
        [Box("x̂", _dimensions(d))],
        *([lost] if lost and loss != "listwise" else []),
    ]
    arrows = [("x", "linear map"), ("linear map", "z"), ("z", "decoder"), ("decoder", "x̂")]
    compared = [("z" if loss == "listwise" else "x̂", "loss")] if loss else []
    if layers:
        path = ["x", *(layer.name for layer in layers), "z"]
        arrows += pairwise(path)
    return Diagram(name, f"{spec}: encoder and decoder", columns, arrows, compared)


def translator_diagram(
    spec: str, source: tuple[str, int], target: tuple[str, int], name: str = "translator"
) -> Diagram:
    """Return the layers of a translator, and what is measured of its vectors.

    Parameters
    ----------
    spec : str
        Spec of the translator.
    source, target : (str, int)
        Names of the two models and their dimensions, 0 where they are not known.
    name : str
        Name of the diagram's file.
    """
    (old, a), (new, b) = source, target
    fitted = translator(spec)
    size = f"{a} → {b}" if a and b else "a → b"
    first, chains = Box("linear map" if isinstance(fitted, MLP | Local) else spec, size, "fitted"), []
    if isinstance(fitted, MLP):
        units = f"{fitted.width * min(a, b):,} units" if a and b else f"{fitted.width} × full rank"
        chains = [Box(f"hidden layer {number}", f"{units}, GELU", "fitted") for number in range(1, fitted.layers + 1)]
    elif isinstance(fitted, Local):
        chains = [Box(f"{fitted.clusters} local maps", "corrections by the nearest clusters", "fitted")]
    translated = Box("translated vector", _dimensions(b))
    free: list[Box | None] = [None] * bool(chains)  # the row of the network
    columns: list[list[Box | None]] = [
        [Box("text")],
        [Box(f"by {old}", _dimensions(a), "model"), *free, Box(f"by {new}", _dimensions(b), "model")],
        [first, *chains[:1], None],
        *([None, each, None] for each in chains[1:]),
        [translated, *free, Box("true vector", _dimensions(b))],
        [
            Box("geometry", "squared error, cosine, CKA of kernels, shared neighbors", "measure"),
            Box("retrieval", f"nDCG@10, beside {new}'s own index", "measure"),
        ],
    ]
    path = [f"by {old}", *(each.name for each in chains), translated.name]
    arrows = [("text", f"by {old}"), ("text", f"by {new}"), (f"by {old}", first.name), (first.name, translated.name)]
    arrows += pairwise(path) if chains else []
    arrows += [(f"by {new}", "true vector"), (translated.name, "geometry"), (translated.name, "retrieval")]
    compared = [("true vector", "geometry"), ("true vector", "retrieval")]
    return Diagram(name, f"{spec}: from {old} to {new}", columns, arrows, compared)


def protocol_diagram(folds: int, fitted: str, name: str = "protocol") -> Diagram:
    """Return the cross-fitting of a codec or translator: no text is encoded by a model that was fitted on it.

    Parameters
    ----------
    folds : int
        Number of parts of the documents.
    fitted : str
        Name of the fitted part, such as ``"codec"``.
    name : str
        Name of the diagram's file.
    """
    share = f"{1 - 1 / folds:.0%}"
    columns: list[list[Box | None]] = [
        [Box("all documents")],
        [Box(f"{share} of them", "training set"), Box(f"the other {1 / folds:.0%}", "not seen in fitting")],
        [Box(fitted, "fitted on documents only", "fitted"), None],
        [Box("unseen documents", f"encoded or translated; {folds} times, until all are", "stored")],
        [Box("one index", "of all documents, searched with the test queries")],
        [Box("quality", "on queries that nothing was fitted on", "measure")],
    ]
    chain = ["all documents", f"{share} of them", fitted, "unseen documents", "one index", "quality"]
    arrows = [*pairwise(chain), ("all documents", f"the other {1 / folds:.0%}")]
    return Diagram(
        name,
        f"Cross-fitting in {folds} parts",
        columns,
        [*arrows, (f"the other {1 / folds:.0%}", "unseen documents")],
    )
