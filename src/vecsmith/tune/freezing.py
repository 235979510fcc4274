"""Freezing the lower layers of a transformer, and its dropout."""

from typing import TYPE_CHECKING, Any

from torch.nn import Dropout, ModuleList

if TYPE_CHECKING:
    from torch.nn import Module


def freeze_layers(model: Any, count: int) -> None:
    """Freeze the token embeddings and the first layers of a model, and train the rest.

    The backward pass then ends at the first trained layer, which saves time and memory. The last layer is always
    trained. A model without a stack of layers, such as a static one, is trained as a whole.

    Parameters
    ----------
    model : SentenceTransformer
        The model.
    count : int
        Number of frozen layers; with 0, the token embeddings are trained too.
    """
    model.requires_grad_(True)
    stacks = [module for module in model.modules() if isinstance(module, ModuleList)]
    layers: list[Module] = list(max(stacks, key=len, default=[]))
    if not layers or not count:
        return
    trained = {id(parameter) for layer in layers[min(count, len(layers) - 1) :] for parameter in layer.parameters()}
    for parameter in model.parameters():
        # parameters are registered from the embeddings upwards
        if id(parameter) in trained:
            return
        parameter.requires_grad_(False)


def disable_dropout(model: Any) -> None:
    """Train without dropout; in a training of some hundred steps its noise costs more than it regularizes."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = 0.0
