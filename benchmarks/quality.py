"""Run experiments on retrieval quality, and write their tables.

    python benchmarks/quality.py DATA NAME … [--task COLLECTION …] [--seed N …] [--out FOLDER]

writes FOLDER/NAME.md, by default benchmarks/results/NAME.md. DATA contains the BEIR folders hotpotqa-2k, scifact and
cranfield, with ready vectors of minilm, mpnet, potion and wordllama. Measurements are cached, so an interrupted run
resumes.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import quality_codecs as codecs
import quality_fusion as fusion
import quality_translators as translators
from quality_data import COLLECTIONS, Data

from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings

EXPERIMENTS: dict[str, Callable[[Data], Findings]] = {
    "quantizers": codecs.quantizers,
    "relaxations": codecs.relaxations,
    "trellis": codecs.trellis,
    "transfer": codecs.transfer,
    "hamming": codecs.hamming,
    "reducers": codecs.reducers,
    "pca": codecs.pca,
    "component-weights": codecs.component_weights,
    "inspection": codecs.inspection,
    "fusion-pairs": fusion.fusion_pairs,
    "fusion-codes": fusion.fusion_codes,
    "fusion-weights": fusion.fusion_weights,
    "held-out": fusion.held_out,
    "fusion": fusion.fusion,
    "autoencoder-dimensions": fusion.autoencoder_dimensions,
    "matryoshka": fusion.matryoshka,
    "small-to-large": fusion.small_to_large,
    "small-to-large-static": fusion.small_to_large_static,
    "upper-case": fusion.upper_case,
    "migration": fusion.migration,
    "translators": translators.translators,
    "translators-beside": translators.translators_beside,
    "translators-study": translators.translators_study,
    "translator-trials": translators.translator_trials,
    "translation-ceiling": translators.translation_ceiling,
    "mixed-index": translators.mixed_index,
}


def main() -> None:
    """Run the named experiments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    parser.add_argument("names", nargs="+", choices=EXPERIMENTS, metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--task", action="append", choices=COLLECTIONS, help="use only these collections")
    parser.add_argument("--seed", type=int, action="append", help="0 by default")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    data = Data(options.data.resolve(), options.task or COLLECTIONS, options.seed or [0])
    for name in options.names:
        experiment = EXPERIMENTS[name]
        tables = findings_markdown(experiment(data)).partition("\n")[2].strip().replace(f"{data.folder}/", "")
        seeds = ", ".join(map(str, data.seeds))
        said = f"# {name}\n\nMade by `benchmarks/quality.py DATA {name}`, seed {seeds}.\n\n{tables}\n"
        (options.out / f"{name}.md").write_text(said, encoding="utf-8")
        print(said, flush=True)


if __name__ == "__main__":
    main()
