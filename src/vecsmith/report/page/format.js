const ENGLISH = new Intl.NumberFormat("en");
const PLAIN = ["asymmetric", "exact", "lexical"];

// Cuts between characters, not inside one.
function clip(text, length) {
  if (text.length <= length) return text;
  return `${Array.from(text.slice(0, 2 * length)).slice(0, length - 1).join("")}…`;
}

function bytes(count) {
  if (count === null) return "";
  if (count < 100000) return `${ENGLISH.format(Math.round(count))} B`;
  return count < 1e6 ? `${Math.round(count / 1e3)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

// At most four characters, such as 850, 12k or 3.1M.
function short(number) {
  if (number === null) return "";
  let unit = 0;
  while (Math.round(number) >= 1000 && unit < 4) {
    number /= 1000;
    unit += 1;
  }
  return (unit && number < 9.95 ? number.toFixed(1) : number.toFixed(0)) + " kMGT"[unit].trim();
}

function small(number, digits = 2) {
  if (number === null) return "";
  return number >= 100 ? ENGLISH.format(Math.round(number)) : number.toFixed(digits);
}

function percent(share, digits = 1) {
  return share === null ? "" : `${(100 * share).toFixed(digits)}%`;
}

function quality(metric, value) {
  if (value === null) return "";
  if (metric === "retention") return percent(value);
  return value.toFixed(METRICS.get(metric)?.startsWith("nDCG") ? 4 : 3);
}

function withError(metric, value, error) {
  const text = quality(metric, value);
  if (error === null || !text) return text;
  return `${text} ± ${metric === "retention" ? (100 * error).toFixed(1) : quality(metric, error)}`;
}

function pValue(line) {
  if (line.p_value === null || line.kind === "baseline") return "";
  return line.p_value < 0.001 ? "<0.001" : line.p_value.toFixed(3);
}

// The codec, and the scoring where it is not the usual one.
function codecName(line) {
  const scoring = firstScoring(line);
  return [line.family === "BM25" ? line.family : line.codec, ...(PLAIN.includes(scoring) ? [] : [scoring]),
    ...(line.stage ? [`+ ${line.stage}`] : [])].join(" ");
}

function firstScoring(line) {
  return line.scoring.split("+")[0];
}

function plural(count, noun) {
  const many = noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${ENGLISH.format(count)} ${count === 1 ? noun : many}`;
}
