"""Tables of advice: the trade-off of codecs of ``fit auto``, plans of a switch of models, tuned adapters and models."""

from collections.abc import Sequence

from vecsmith.advise.corpus_size import Forecast
from vecsmith.advise.migration import Plan
from vecsmith.advise.prediction import Prediction
from vecsmith.report.findings import Findings, Table
from vecsmith.tune import DistilledAdapter, TunedAdapter, TunedModel
from vecsmith.tune.comparison import FLOAT, Comparison

EXAMPLE_LENGTH = 80
"""Maximum characters of a document's text in a table."""


def trade_off(predictions: Sequence[Prediction], documents: int, queries: int | None = None) -> Table:
    """Return a table from bytes to predicted retention, in descending order of bytes.

    Parameters
    ----------
    predictions : sequence of Prediction
        The predictions.
    documents : int
        Number of documents at hand.
    queries : int, optional
        Number of judged queries that the intervals refer to; by default, a very large number.
    """
    of = "on a very large set of queries" if queries is None else f"as measured on {queries:,} judged queries"
    title = f"Retention of float32's nDCG@10 by codecs, cross-fitted; 90 % intervals of the retention {of}"
    futures = {each.future.documents for each in predictions if each.future}
    columns = ["codec", "bytes", "in memory"]
    columns += [text for n in (documents, *futures) for text in (f"at {n:,} documents", "90 % interval")]
    columns += ["fit s", "enc/s", "index", "stores"]
    rows = [
        [
            each.codec,
            str(each.bytes_per_vector),
            str(each.memory_bytes_per_vector),
            *_retention(each),
            *(_retention(each.future) if each.future else []),
            f"{each.fit_seconds:.1f}",
            f"{each.encode_vectors_per_second:,.0f}",
            "scans codes" if each.scanned else "decodes codes",
            ", ".join(each.stores),
        ]
        for each in sorted(predictions, key=lambda prediction: (-prediction.bytes_per_vector, -prediction.retention))
    ]
    return Table("trade-off", title, columns, rows)


def _retention(known: Prediction | Forecast) -> list[str]:
    return [f"{known.retention:.1%}", f"{known.low:.1%} – {known.high:.1%}"]


def migration_plan(plan: Plan) -> Findings:
    """Return the tables of a plan: options, learning curve and clusters."""
    options = [
        [
            option.name,
            f"{option.re_embedded:.0%}",
            f"{option.retention:.1%}",
            f"{max(option.interval[0], 0):.1%} – {option.interval[1]:.1%}",
        ]
        for option in plan.options
    ]
    curve = [[str(pairs), f"{queries:.1%}", f"{documents:.1%}"] for pairs, queries, documents in plan.learning_curve]
    clusters = [
        [str(each.rows), f"{each.retention:.1%}", " ".join(each.example.split())[:EXAMPLE_LENGTH]]
        for each in plan.clusters
    ]
    title = (
        f"Predicted retention of the new model's own nDCG@10, from {plan.pairs:,} texts embedded by both models, of "
        f"{plan.documents:,}; translator {plan.method}"
    )
    fused = f", fused with {plan.auxiliary}" if plan.auxiliary else ""
    return Findings(
        [
            Table("ways", title, ["option", "embedded before", "retention", "90 % interval"], options),
            Table(
                "learning",
                f"Retention by the number of pairs that the translator is fitted on{fused}",
                ["pairs", "queries translated", "documents translated"],
                curve,
            ),
            Table(
                "clusters",
                f"Retention by cluster of documents, lowest first{fused}",
                ["documents in the sample", "retention", "example"],
                clusters,
            ),
        ]
    )


def adapter_report(tuned: TunedAdapter | DistilledAdapter) -> Table:
    """Return a table of the quality of an adapter for all test queries, and with and without seen documents."""
    title = f"nDCG@10 of {tuned.adapter.spec}; {tuned.summary}"
    columns = ["test queries", "number", "baseline", "adapter", "difference", "p", "popularity"]
    return Table("adapter", title, columns, [[each.name, *_measured(each)] for each in tuned.comparisons])


def model_report(tuned: TunedModel) -> Table:
    """Return a table of the quality of a tuned model by groups of test queries, with the codes of a codec and without.

    Parameters
    ----------
    tuned : TunedModel
        The measurement.
    """
    tuning = tuned.tuning
    title = (
        f"nDCG@10 of {tuning.recipe}, preset {tuning.preset}, seed {tuning.seed}; step {tuned.step} of "
        f"{list(tuning.chain.values())[-1][1].steps}, chosen on {tuned.validated_on} ({tuned.gain:+.4f}); popularity: "
        f"weight {tuned.popularity_weight:g}"
    )
    groups = {tuning.codec or FLOAT: tuned.comparisons, FLOAT: tuned.floats}
    rows = [[each.name, codes, *_measured(each)] for codes, group in groups.items() for each in group]
    columns = ["test queries", "documents", "number", "baseline", "model", "difference", "p", "popularity"]
    return Table("model", title, columns, rows)


def _measured(each: Comparison) -> list[str]:
    """Return the cells of a group of test queries."""
    return [
        str(each.queries),
        f"{each.verdict.baseline:.4f}",
        f"{each.verdict.value:.4f}",
        f"{each.verdict.difference:+.4f}",
        f"{each.verdict.p_value:.4f}",
        "" if each.popularity is None else f"{each.popularity:.4f}",
    ]
