"""The trainings of `tuned_models.py`."""

from dataclasses import dataclass, field
from typing import Any

GUIDE = "vectors:mpnet"
PYDOCS = "pydocs"
"""The built-in task, which has no ready vectors."""
ADAPTER = "adapter"
"""Name of the runs that tune a query adapter instead of the model."""
FEWER_JUDGED = [("hotpotqa-2k", 100), ("hotpotqa-2k", 400), (PYDOCS, 100), (PYDOCS, 400), (PYDOCS, 1600)]
"""Tasks and numbers of training queries that show how many judgements a method needs; all are 1,600 and 3,909."""
CODES = ("float32", "trellis48B", "trellis24B", "trellis12B", "binary")
"""Codecs with which a model is measured that was trained for the documents too."""
FUSED = ("fuse(a@384,b@256):fit", "fuse(a@384,b@256):fit,trellis48B")
"""Codecs of the model with WordLlama beside it."""
ELSEWHERE = ("scifact", "cranfield")
"""Tasks on which a model is measured that was trained for another one."""
SHORTER = {"steps": 100, "learning_rate": 5e-5}
"""Settings of a second training of documents and queries, whose negatives are mined by the model of the first."""
FEW_EXAMPLES = {"steps": 48, "learning_rate": 3e-5}
"""Three epochs of SciFact's judgements; chosen on its validation queries, as was the learning rate."""


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes
    ----------
    task : str
        Name of the task.
    recipe : str
        Recipe of the model, or `ADAPTER`.
    options : dict
        Options of the tuning.
    generator : str or None
        Generator of the training queries, if there are no judgements.
    judged : int or None
        Number of training queries; None for all.
    start : Run or None
        The run whose model is trained further; None for the untuned model.
    is_fused : bool
        Whether the adapter is of the model's vectors fused with WordLlama's.
    """

    task: str
    recipe: str = "contrastive"
    options: dict[str, Any] = field(default_factory=dict)
    generator: str | None = None
    judged: int | None = None
    start: "Run | None" = None
    is_fused: bool = False

    @property
    def name(self) -> str:
        """Task, recipe and options in words, after those of the run that it continues."""
        options = {**self.options, **self.options.get("changes", {})}
        changes = [name if value is True else f"{name}={value}" for name, value in options.items() if name != "changes"]
        judged = [f"judged={self.judged}"] if self.judged else []
        fused = ["fused with WordLlama"] if self.is_fused else []
        words = [self.recipe, *changes, *([self.generator] if self.generator else []), *judged, *fused]
        return " ".join([f"{self.start.name}, then" if self.start else self.task, *words])


FIRST_ROUNDS = [
    Run("hotpotqa-2k", "ranked-list"),
    Run("hotpotqa-2k", options={"codec": "trellis24B"}),
    Run(PYDOCS, "ranked-list"),
    Run(PYDOCS),
]
"""Runs whose models are trained further."""
SCIFACT = [
    Run("scifact", "gist", {"guide": GUIDE, "changes": FEW_EXAMPLES}),
    *(Run("scifact", recipe, {"changes": FEW_EXAMPLES}) for recipe in ("ranked-list", "n-pair")),
]
"""Runs whose models are fused with WordLlama and get an adapter."""
RUNS = [
    *(Run(task, options={"queries_only": True}) for task in ("hotpotqa-2k", "scifact")),
    *(Run(task, options={"queries_only": True, "distill": True}) for task in ("hotpotqa-2k", "scifact")),
    *(Run(task) for task in ("hotpotqa-2k", "scifact")),
    Run("scifact", options={"changes": FEW_EXAMPLES}),
    *(Run("hotpotqa-2k", options={"codec": codec}) for codec in ("trellis24B", "trellis48B", "trellis12B", "binary")),
    Run("hotpotqa-2k", options={"codec": "trellis24B", "runs": 3}),
    Run("scifact", options={"changes": FEW_EXAMPLES, "runs": 3}),
    *(Run(task, generator="extract") for task in ("cranfield", "scifact", "hotpotqa-2k")),
    *SCIFACT,
    Run("hotpotqa-2k", "gist", {"guide": GUIDE}),
    *(Run("hotpotqa-2k", recipe) for recipe in ("ranked-list", "n-pair")),
    *(Run("hotpotqa-2k", "ranked-list", {"codec": codec}) for codec in ("trellis24B", "trellis12B")),
    *(Run(first.task, options={"codec": "trellis24B", "changes": SHORTER}, start=first) for first in FIRST_ROUNDS),
    *(
        Run(first.task, options={"codec": "trellis12B", "changes": {**SHORTER, "code_start": 0.0}}, start=first)
        for first in FIRST_ROUNDS
        if first.recipe == "ranked-list"
    ),
    Run("hotpotqa-2k", options={"codec": "trellis24B", "runs": 3, "changes": SHORTER}, start=FIRST_ROUNDS[0]),
    *(Run(task, "tension") for task in ("cranfield", "scifact", "hotpotqa-2k")),
    Run("scifact", "tension,contrastive"),
    *(Run("scifact", recipe, {"changes": FEW_EXAMPLES}) for recipe in ("augmented-sbert", "gpl")),
    *(Run(PYDOCS, recipe) for recipe in ("contrastive", "ranked-list", "n-pair")),
    # their cross-encoder would be trained for hours on all judgements
    *(Run(PYDOCS, recipe, judged=400) for recipe in ("augmented-sbert", "gpl")),
    Run(PYDOCS, options={"queries_only": True}),
    *(Run(task, ADAPTER) for task in (PYDOCS, "hotpotqa-2k", "scifact")),
    *(Run("scifact", ADAPTER, start=start, is_fused=True) for start in (None, *SCIFACT)),
    *(Run(task, ADAPTER, judged=judged) for task, judged in FEWER_JUDGED),
    *(Run(task, options={"queries_only": True}, judged=judged) for task, judged in FEWER_JUDGED),
    *(Run(task, judged=judged) for task, judged in FEWER_JUDGED if task == PYDOCS),
]
