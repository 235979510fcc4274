"""The command line of a running command, with some of its options changed."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from vecsmith.evaluation.results import Result


def command_line(context: typer.Context, **changes: Any) -> str:
    """Return the command of a context as a user would type it; options at their defaults are left out.

    Parameters
    ----------
    context : typer.Context
        The context of the command.
    **changes : object
        Other values of parameters by name; None leaves an option out.
    """
    names: list[str] = []
    part: Any = context
    # without the name of the program, which may be a path
    while part.parent is not None:
        names.insert(0, part.info_name)
        part = part.parent
    words = ["vecsmith", *names]
    for parameter in context.command.params:
        value = changes.get(parameter.name or "", context.params.get(parameter.name or ""))
        if value != parameter.get_default(context):
            words += _words(parameter, value)
    return shlex.join(words)


def _words(parameter: Any, value: Any) -> Iterator[str]:
    """Yield the words of a parameter with a value."""
    if value is None or value is False:
        return
    for each in value if isinstance(value, list | tuple) else [value]:
        if parameter.param_type_name == "option":
            yield parameter.opts[0]
        if each is not True:
            yield str(each)


def line_command(context: typer.Context, task: str, result: "Result") -> str:
    """Return the ``compare`` command that measures one result of a running ``compare`` again.

    Parameters
    ----------
    context : typer.Context
        The context of the running command.
    task : str
        Spec of the task.
    result : Result
        The result.
    """
    scoring = result.scoring.partition("+")[0]
    changes: dict[str, Any] = {"task": [task], "language": None, "encoder": [result.encoder], "split": result.split}
    changes |= {"codec": ["float32" if scoring == "lexical" else result.codec]}
    changes |= {"scoring": None if scoring in ("exact", "lexical") else [scoring]}
    if not result.second_stage:
        changes |= {"hybrid": None, "fusion": None, "rerank": None, "rerank_depth": None}
    printing = (
        "table",
        "retention",
        "latex",
        "out",
        "map_method",
        "mteb_out",
        "predictions",
        "force",
        "remeasure",
        "as_json",
    )
    return command_line(context, **changes, **dict.fromkeys(printing))
