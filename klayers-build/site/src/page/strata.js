// A chart of the versions of a package over time, one strip for each target. The list below the chart
// holds the same information as text.

import { element, foreign } from "./dom.js";
import { partsOf, spansOf } from "./releases.js";

const MONTH = new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: "UTC" });
const LONG = 2 * 365 * 24 * 3600 * 1000;

/** The chart, if any time is known. */
export function strataOf(rows, now = Date.now()) {
  const strips = spansOf(rows, now).filter((strip) => strip.spans.length > 0);
  if (strips.length === 0) return undefined;
  const from = Math.min(...strips.map((strip) => strip.spans[0].from));
  const length = Math.max(now - from, 24 * 3600 * 1000);
  const share = (time) => `${((100 * (time - from)) / length).toFixed(3)}%`;
  const versions = [...new Set(strips.flatMap((strip) => strip.spans.map((span) => span.version)))];
  return element("div", { class: "strata", "aria-hidden": "true" },
    ...strips.map((strip) => stripOf(strip, versions, share, from)),
    axisOf(from, from + length, share));
}

function stripOf({ target, spans }, versions, share, from) {
  const { python, arch } = partsOf(target);
  const bars = spans.map((span) => {
    const bar = element("span", {
      class: `bar hue-${versions.indexOf(span.version) % 5}${span.isLatest ? " is-latest" : ""}`,
      title: span.version,
    }, foreign(span.version));
    bar.style.left = share(span.from);
    bar.style.width = share(span.to - span.from + from);
    return bar;
  });
  return element("div", { class: "strip" },
    element("span", { class: "of" }, `${python} ${arch}`),
    element("span", { class: "bars" }, ...bars));
}

/** The labels of the time axis: months, or years for a long period. */
function axisOf(from, to, share) {
  const long = to - from > LONG;
  const marks = [];
  const start = new Date(from);
  const step = long ? 12 : Math.max(1, Math.ceil((to - from) / (6 * 30 * 24 * 3600 * 1000)));
  let month = long ? 12 : start.getUTCMonth() + 1;
  for (; marks.length < 40; month += step) {
    const at = Date.UTC(start.getUTCFullYear(), month, 1);
    if (at > to) break;
    const date = new Date(at);
    const isYear = long || date.getUTCMonth() === 0;
    const mark = element("span", {}, isYear ? `${date.getUTCFullYear()}` : MONTH.format(date));
    mark.style.left = share(at);
    marks.push(mark);
  }
  return element("div", { class: "strip axis" },
    element("span", { class: "of" }), element("span", { class: "bars" }, ...marks));
}
