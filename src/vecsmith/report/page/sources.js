const PROTOCOLS = {
  cross: "cross: each half of the documents is encoded by the codec that was fitted on the other half",
  corpus: "corpus: fitted on the documents that it encodes",
  nothing: "nothing: the codec has no fitted parameters",
  "saved codec": "saved codec: fitted before and used unchanged",
};

function facts(rows) {
  return el("dl", {}, rows.filter(([, value]) => value && value.length !== 0).flatMap(([name, value]) => [
    el("dt", {}, name), el("dd", {}, [value].flat().map((each) => (typeof each === "string" ? el("p", { dir: "auto" }, clip(each, 600)) : each)))]));
}

function commandBlock(command) {
  return el("div", { class: "command" }, el("code", { dir: "auto" }, clip(command, 2000)),
    el("button", { type: "button", class: "copy", click: async () => {
      await copy(command);
      toast(el("b", {}, "Copied: "), el("code", {}, clip(command, 160)));
    } }, "copy"));
}

function drawSources() {
  const of = (field) => unique(DATA.lines.map((line) => line[field]));
  const tasks = [...Map.groupBy(DATA.lines, (line) => JSON.stringify([line.task, line.split])).values()].map(([line]) =>
    `${clip(line.task, 120)} (${clip(line.split, 60)}): ${plural(line.n_docs, "document")}, ${plural(line.n_queries, "judged query")}`);
  const measured = DATA.circumstances.map(({ versions, machine }, number) => {
    const lines = DATA.lines.filter((line) => line.circumstances === number).length;
    return facts([
      [DATA.circumstances.length > 1 && lines ? `Lines: ${lines}` : "Machine", machine || "unknown"],
      ["Versions", Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")],
    ]);
  });
  const runs = DATA.runs.map((run) => facts([
    ["Run", run.name], ["Command", run.command ? commandBlock(run.command) : "unknown"], ["Notes on the data", run.notes]]));
  within("sources", ".facts").replaceChildren(...runs, ...measured);
  if (!DATA.lines.length) return;
  within("sources", ".facts").append(facts([
    ["Tasks", tasks],
    ["Encoders", of("encoder").map((encoder) => clip(encoder, 200))],
    ["Codecs are fitted on", of("fit_on").map((name) => PROTOCOLS[name] ?? name)],
    ["Seeds", of("seed").join(", ")],
    ["Baseline", of("baseline").filter(Boolean).map((encoder) => `float32 vectors of ${clip(encoder, 200)}`)],
    ["nDCG@10, R@100", "means over the judged queries, computed by pytrec_eval; ties break by document id"],
    ["Retention", "nDCG@10 relative to the float32 vectors in the same run"],
    ["p", "two-sided paired t-test over queries against float32; one line in twenty has p < 0.05 without any difference"],
    ["Intervals", "95% confidence intervals (Student's t) of the difference to float32, paired over queries. The mean over "
      + "tasks treats the tasks as fixed"],
    ["Vectors", "compared by cosine"],
  ]));
}
