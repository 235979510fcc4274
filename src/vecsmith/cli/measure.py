"""Commands that measure codecs and run experiments: compare and study."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from vecsmith.cli.app import (
    BatchSize,
    CodecOption,
    EncoderOption,
    FitOn,
    ForceFlag,
    JsonFlag,
    MaxLength,
    PassagePrompt,
    QueryPrompt,
    ScoringOption,
    Split,
    TaskOption,
    TrustRemoteCode,
    WritingCommand,
    app,
    console,
    print_json,
    say,
)
from vecsmith.cli.command_lines import command_line, line_command
from vecsmith.cli.encoders import encoder_options
from vecsmith.cli.engines import EngineOption, RayAddress
from vecsmith.cli.retrievers import (
    BaselineOption,
    FusionOption,
    HybridOption,
    RerankDepth,
    RerankOption,
    chosen_weights,
    retriever_specs,
)
from vecsmith.cli.tables import MetricOption, TableOption, check_table, print_results, tables_of


@app.command(cls=WritingCommand)
def compare(
    context: typer.Context,
    task: TaskOption = ["pydocs"],  # noqa: B006
    language: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="With --task mteb: measure all retrieval and reranking tasks in this language, such as deu, one after "
            "another; with --task mteb:NAME: its subsets in this language.",
        ),
    ] = None,
    encoder: EncoderOption = ["static"],  # noqa: B006
    codec: CodecOption = ["int8", "binary"],  # noqa: B006
    scoring: ScoringOption = ["asymmetric"],  # noqa: B006
    split: Split = "test",
    fit_on: FitOn = "cross",
    baseline: BaselineOption = [],  # noqa: B006
    hybrid: HybridOption = None,
    fusion: FusionOption = [],  # noqa: B006
    rerank: RerankOption = [],  # noqa: B006
    rerank_depth: RerankDepth = None,
    recenter: Annotated[
        bool, typer.Option("--recenter", help="Replace the means that the codecs store by the means of the corpus.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed of codecs and of the two halves.")] = 0,
    metric: MetricOption = [],  # noqa: B006
    table: TableOption = None,
    retention: Annotated[
        bool,
        typer.Option("--retention", help="With --table tasks: also the share of the baseline's value, in percent."),
    ] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print the tables in LaTeX (booktabs).")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Output folder for report.html, table.md, results.jsonl and the tables as CSV; earlier results are "
            "replaced.",
        ),
    ] = None,
    map_method: Annotated[
        str,
        typer.Option(
            "--map",
            metavar="METHOD",
            help="With --out: layout of the maps of documents in the report: pca, or umap, which is slower.",
        ),
    ] = "pca",
    mteb_out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Evaluate by mteb too, and write its result files and model-card.md to this folder; results in it are "
            "not measured again.",
        ),
    ] = None,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="With --mteb-out: also write the rankings, and measure again.")
    ] = False,
    force: ForceFlag = False,
    remeasure: Annotated[
        bool, typer.Option("--remeasure", help="Measure again instead of using cached results.")
    ] = False,
    query_prompt: QueryPrompt = [],  # noqa: B006
    passage_prompt: PassagePrompt = [],  # noqa: B006
    max_length: MaxLength = None,
    batch_size: BatchSize = None,
    trust_remote_code: TrustRemoteCode = False,
    engine: EngineOption = None,
    ray_address: RayAddress = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure the size, speed and retrieval quality of codecs, in one table.

    \b
    vecsmith compare --task pydocs --encoder static --codec int8 --codec binary
    vecsmith compare --task beir/scifact --encoder st:all-MiniLM-L6-v2 --codec pca192,int8 --scoring rescored
    vecsmith compare --task mteb:NFCorpus --encoder vectors:corpus.npy,queries.npy --codec faiss:PQ96x4
    vecsmith compare --task beir/scifact --task beir/nfcorpus --codec binary --metric RR@10 --metric AP --table tasks
    vecsmith compare --task beir/scifact --codec binary --baseline bm25 --hybrid bm25 --rerank ce:ms-marco-MiniLM-L6-v2
    vecsmith compare --task mteb --language deu --encoder st:intfloat/multilingual-e5-small --codec binary --out german
    vecsmith compare --baseline st:all-MiniLM-L6-v2 --encoder st:all-MiniLM-L6-v2+static --codec "fuse(a,b):fit,int8"
    vecsmith compare --task my-task --encoder "vectors:s3://bucket/corpus/*.parquet,queries.npy" --engine ray
    """
    from vecsmith.cli.comparison import Comparison
    from vecsmith.outputs import check_folder
    from vecsmith.report import KIND, Run, check_map_method, write_folder

    layout = table or ("codecs" if language is None else "tasks")
    check_table(layout, retention)
    reference, specs = retriever_specs(baseline, hybrid, fusion, rerank, rerank_depth, trust_remote_code)
    specs.check()
    check_map_method(map_method)
    if out is not None:
        check_folder(out, KIND, force)
    measured = [*encoder, *([reference] if reference else []), *specs.encoders]
    options = encoder_options(measured, query_prompt, passage_prompt, max_length, batch_size, trust_remote_code)
    comparison = Comparison(
        encoder,
        codec,
        scoring,
        split,
        fit_on,
        seed,
        options,
        remeasure,
        recenter,
        reference,
        metric,
        mteb_out,
        predictions,
        specs,
        lambda spec, result: line_command(context, spec, result),
        None if out is None else map_method,
        engine,
        ray_address,
    )
    for results in comparison.run(task, language):
        tables = tables_of(results, metric, layout, retention)
        if out is not None:
            run = Run(out.name, results, comparison.queries, comparison.notes, command_line(context), comparison.maps)
            written = write_folder(out, run, force, metric, tables, latex)
            force = False  # the folder is now vecsmith's
    say(*chosen_weights(results))
    print_results(results, tables, metric, latex, as_json)
    if out is not None:
        say("Wrote " + ", ".join(map(str, written)))


WIDTH_STUDIES = ("fusion", "matryoshka-versus-autoencoder", "autoencoder-dimensions")
"""Studies that reduce vectors to several widths."""


class _Study(WritingCommand):
    """Lists the studies at the end of the help; they are imported only then, because the import is slow."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from vecsmith.studies import STUDIES

        with formatter.section("Studies"):
            formatter.write_dl([(name, (run.__doc__ or "").split("\n")[0]) for name, run in STUDIES.items()])


@app.command(cls=_Study)
def study(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of the studies below.")],
    task: TaskOption = ["pydocs"],  # noqa: B006
    encoder: EncoderOption = ["static"],  # noqa: B006
    split: Split = "test",
    fit_on: FitOn = "cross",
    seed: Annotated[list[int], typer.Option(metavar="N", min=0, help="Random seed; repeatable.")] = [0, 1, 2],  # noqa: B006
    method: Annotated[
        list[str],
        typer.Option(
            metavar="SPEC",
            help="translators, binary-training: measure this translator or codec instead of all; repeatable.",
        ),
    ] = [],  # noqa: B006
    width: Annotated[
        list[int],
        typer.Option(
            metavar="N",
            min=1,
            help="fusion, matryoshka-versus-autoencoder, autoencoder-dimensions: width of the reduced vectors; "
            "repeatable. small-to-large: dimensions of the target space; default: half of the encoder's.",
        ),
    ] = [],  # noqa: B006
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="translators: number of processes; default: one per core.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="translators: keep translated documents and queries in ChromaDB, in a folder or on a server by URL.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Output folder for report.html, tables and results.jsonl; earlier results are replaced.",
        ),
    ] = None,
    map_method: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="METHOD",
            help="translators: layout of the maps of documents: pca (default), or umap, which is slower.",
        ),
    ] = None,
    article: Annotated[
        bool,
        typer.Option(
            "--article",
            help="With --out: also write article.md and article.html, with the structure of a paper. They are there "
            "from the start, and say what is still missing.",
        ),
    ] = False,
    query_prompt: QueryPrompt = [],  # noqa: B006
    passage_prompt: PassagePrompt = [],  # noqa: B006
    max_length: MaxLength = None,
    batch_size: BatchSize = None,
    trust_remote_code: TrustRemoteCode = False,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Run an experiment over several seeds, and report means and standard deviations.

    \b
    vecsmith study quantization --task beir/scifact --encoder vectors:minilm --out quantization --article
    vecsmith study fusion --encoder vectors:l1 --encoder vectors:l2 --width 2048 --width 1024 --width 768 --width 512
    vecsmith study translators --encoder vectors:minilm --encoder vectors:mpnet --task beir/scifact --store sets
    vecsmith study small-to-large --encoder vectors:s1 --encoder vectors:s2 --encoder vectors:l1+vectors:l2 --width 768
    """
    from vecsmith.errors import VecsmithError, unknown
    from vecsmith.outputs import check_folder
    from vecsmith.report import KIND, check_map_method, findings_terminal, write_study
    from vecsmith.studies import STUDIES, Draft, StudyConfig, study_article

    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    chosen: dict[str, Any] = {}
    for option, parameter, value, owners in (
        ("--method", "methods", method, ("translators", "binary-training")),
        ("--workers", "workers", workers, ("translators",)),
        ("--map", "map_method", map_method, ("translators",)),
        ("--store", "store", store, ("translators",)),
        ("--width", "widths", width, (*WIDTH_STUDIES, "small-to-large")),
    ):
        if value and name not in owners:
            of = f"the study {owners[0]}" if len(owners) == 1 else f"the studies {', '.join(owners)}"
            raise VecsmithError(f"{option} is for {of}, not for {name}; leave it out.")
        if value:
            chosen[parameter] = value
    if name == "small-to-large" and width:
        if len(width) > 1:
            raise VecsmithError("The study small-to-large has one target space; give --width once.")
        chosen = {"width": width[0]}
    if map_method is not None:
        check_map_method(map_method)
    if article and out is None:
        raise VecsmithError("--article is written to a folder; give --out DIR too.")
    if out is not None:
        check_folder(out, KIND, force)
    command = command_line(context)
    options = encoder_options(encoder, query_prompt, passage_prompt, max_length, batch_size, trust_remote_code)
    draft = Draft(out, name, command, force) if out is not None and article else None
    config = StudyConfig(task, encoder, split, fit_on, seed, options, draft)
    findings = STUDIES[name](config, **chosen)
    findings = replace(findings, results=[replace(each, command=command) for each in findings.results])
    if as_json:
        # maps and kernels are pictures
        print_json(asdict(replace(findings, maps=[], kernels=[])))
    else:
        console().print(findings_terminal(findings))
    if out is not None:
        page = study_article(name, config, findings, command) if draft else None
        force = draft.force if draft else force
        written = write_study(out, findings, force, page, name, command)
        say("Wrote " + ", ".join(map(str, written)))
