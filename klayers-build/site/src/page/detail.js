// The chosen package: its ARN, contents and usage.

import { Unanswered, numberOf, targetOf, versions } from "./api.js";
import { copyButton } from "./copy.js";
import {
  announce, bytes, clamped, counted, day, element, foreign, instant, notice, retry,
} from "./dom.js";
import { normalised } from "./names.js";
import { SNIPPETS } from "./snippets.js";

/** Lambda's limit on the unpacked size of a function with all its layers, in bytes. */
const UNPACKED_LIMIT = 262144000;

/** Counts the views, so that a late answer does not overwrite a newer view. */
let turn = 0;

/** Shows only how to begin. */
export function showNothing(box) {
  turn += 1;
  box.replaceChildren(element("div", { class: "quiet-page" },
    element("p", { class: "lead" }, "Choose a package."),
    element("p", {}, "Its ARN, size, contents and usage appear here."),
    element("p", { class: "keys" },
      element("kbd", {}, "/"), " to search, ", element("kbd", {}, "Enter"), " for the best match, ",
      element("kbd", {}, "↑"), " ", element("kbd", {}, "↓"), " through the list, ",
      element("kbd", {}, "Esc"), " to go back")));
}

/**
 * Shows a package. `row` is its row in the list of latest versions, if any. `suggested` holds links to
 * similar names, if no package has this name.
 */
export async function showPackage(box, { choice, row, suggested, close, chooseSnippet }) {
  turn += 1;
  const mine = turn;
  const name = row?.package ?? choice.package;
  const heading = element("h2", { id: "detail-title", tabindex: "-1" }, foreign(name));
  const byline = element("p", { class: "byline" });
  const layer = element("div", { class: "layer" });
  const facts = element("div", { class: "facts", "aria-busy": "true" });
  const use = element("div");
  const rest = element("div");
  box.replaceChildren(
    element("div", { class: "detail-bar" },
      element("button", { type: "button", class: "quiet close", click: close }, "All packages"),
      copyButton("Copy link", "Link", () => location.href, { class: "quiet" })),
    heading, byline, layer, facts, use, rest);
  const parts = { choice, name, byline, layer, facts, use, rest, chooseSnippet };
  if (row) showLayer(parts, row);
  else facts.append(element("p", { class: "waiting" }, "Loading …"));
  await showFacts({ ...parts, row, suggested }, () => mine === turn);
}

function showLayer({ choice, byline, layer, use, chooseSnippet }, row) {
  byline.replaceChildren("version ", element("strong", {}, foreign(row.packageVersion)),
    ` · layer version ${numberOf(row.arn)}`, ...published(row));
  layer.replaceChildren(
    element("div", { class: "arn" },
      element("code", { id: "arn" }, row.arn),
      copyButton("Copy ARN", "ARN", () => row.arn, { class: "button first" })));
  use.replaceChildren(usage({ ...choice, arn: row.arn }, chooseSnippet));
}

function published(row) {
  const at = instant(row.createdDateTime);
  return at ? [" · published ", day(at)] : [];
}

async function showFacts(parts, isCurrent, again = false) {
  const { choice, name, row, suggested, byline, layer, facts, use, rest } = parts;
  const target = targetOf(choice.python, choice.arch);
  let found;
  try {
    found = await versions(target, choice.region, normalised(name), again);
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    if (!isCurrent()) return;
    facts.removeAttribute("aria-busy");
    facts.replaceChildren(notice("failed", ["Could not read the contents. ", error.message],
      retry(() => showFacts(parts, isCurrent, true))));
    return;
  }
  if (!isCurrent()) return;
  facts.removeAttribute("aria-busy");
  const latest = found.rows.find((version) => version.deployStatus === "latest");
  const older = found.rows.filter((version) => version !== latest);
  // The list may be a few minutes older than this answer.
  if (latest && latest.arn !== row?.arn) showLayer(parts, latest);
  if (!latest) {
    byline.replaceChildren();
    layer.replaceChildren(absence(choice, name, older.length > 0, suggested));
    use.replaceChildren();
  }
  facts.replaceChildren(...[
    found.stale && notice("stale", `${found.stale} This is its last answer.`,
      retry(() => showFacts(parts, isCurrent, true))),
    latest?.yanked && notice("failed", ["Withdrawn: ", clamped(latest.yanked)]),
    latest && figures(latest),
  ].filter(Boolean));
  rest.replaceChildren(...[
    latest && contents(latest.dependencies),
    older.length > 0 && earlier(older),
    found.rows.length > 0 && element("p", { class: "onward" },
      element("a", { href: `/packages/${encodeURIComponent(name)}` },
        "All versions in all regions over time")),
  ].filter(Boolean));
  if (!row) announce(latest ? `${name} ${latest.packageVersion}` : `${name} has no layer here`);
}

function absence(choice, name, hasOlder, suggested) {
  return notice("empty", [
    foreign(name), ` has no ${hasOlder ? "latest " : ""}layer for Python ${choice.python} on `,
    `${choice.arch} in ${choice.region}. `,
    ...(suggested.length > 0 ? ["Did you mean ", ...suggested, "?"] : [
      element("a", { href: `/packages/${encodeURIComponent(name)}` }, "See where it exists"), "."]),
  ]);
}

function figures(version) {
  const expires = instant(version.expiryDate);
  return element("dl", {},
    figure("Size", ...size(version)),
    figure("Gate", ...gate(version.gate)),
    figure("Expires", expires ? day(expires) : "Not while latest"),
    figure("Licence", version.license ? clamped(version.license, 60) : "Not stated"));
}

/** The size of the zip, its unpacked size, and the share of Lambda's limit. */
function size({ codeSize, unzippedSize }) {
  if (!Number.isFinite(unzippedSize)) return [Number.isFinite(codeSize) ? bytes(codeSize) : undefined];
  const share = (100 * unzippedSize) / UNPACKED_LIMIT;
  const bar = element("span", { class: "meter", "aria-hidden": "true" });
  bar.style.setProperty("--share", `${Math.min(100, share)}%`);
  const words = `${bytes(unzippedSize)} unpacked, ` +
    `${share < 1 ? "under 1" : Math.round(share)}\u00a0% of what Lambda takes`;
  return [Number.isFinite(codeSize) ? bytes(codeSize) : "Unknown", element("span", {}, bar, words)];
}

function figure(term, value, addition) {
  if (!value) return undefined;
  return element("div", {}, element("dt", {}, term),
    element("dd", {}, value, addition ? element("span", { class: "addition" }, addition) : ""));
}

/** The result of the gate. It is stated in words, since colours alone are not accessible. */
function gate(report) {
  if (report === null || typeof report !== "object") return ["Not recorded"];
  const said = { passed: "Imports passed", failed: "Imports failed", "not run": "Imports not tested" };
  const verdict = element("span", { class: `gate ${report.imports === "passed" ? "passed" :
    report.imports === "failed" ? "failed" : "open"}` }, said[report.imports] ?? "Not recorded");
  const warnings = Array.isArray(report.warnings)
    ? report.warnings.filter((warning) => typeof warning === "string")
    : [];
  if (warnings.length === 0) return [verdict];
  return [verdict, element("details", { class: "warnings" },
    element("summary", {}, counted(warnings.length, "warning")),
    element("ul", {}, ...warnings.slice(0, 100).map((warning) =>
      element("li", {}, clamped(warning)))))];
}

function contents(pins) {
  const rows = pins.map((pin) => {
    const [name, ...version] = pin.split("==");
    return element("li", {}, foreign(name), " ", element("span", {}, foreign(version.join("=="))));
  });
  return element("section", { class: "contents" },
    element("h3", {}, `Contents: ${counted(pins.length, "package")}`),
    element("ul", {}, ...rows));
}

function earlier(rows) {
  return element("section", { class: "earlier" },
    element("h3", {}, `Earlier in this region: ${counted(rows.length, "layer version")}`),
    element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Earlier versions" },
      element("table", {},
        element("thead", {}, element("tr", {}, ...["Version", "Layer", "Expires", "ARN"].map((title) =>
          element("th", { scope: "col" }, title)))),
        element("tbody", {}, ...rows.slice(0, 200).map(earlierRow)))));
}

function earlierRow(version) {
  const expires = instant(version.expiryDate);
  return element("tr", {},
    element("th", { scope: "row" }, foreign(version.packageVersion),
      version.yanked ? element("span", { class: "withdrawn" }, " withdrawn: ",
        clamped(version.yanked, 60)) : ""),
    element("td", {}, `${numberOf(version.arn)}`),
    element("td", {}, expires ? day(expires) : "unknown"),
    element("td", {}, copyButton("Copy", `ARN of layer version ${numberOf(version.arn)}`,
      () => version.arn,
      { class: "quiet", "aria-label": `Copy the ARN of layer version ${numberOf(version.arn)}` })));
}

/** The tabs of the tools, and the snippet for the chosen one. */
function usage(choice, chooseSnippet) {
  const code = element("code");
  const file = element("span", { class: "file" });
  const panel = element("div", { role: "tabpanel", id: "snippet" },
    element("div", { class: "snippet-bar" }, file,
      copyButton("Copy snippet", "Snippet", () => code.textContent, { class: "quiet" })),
    element("pre", { tabindex: "0", "aria-label": "Snippet", role: "group" }, code));
  const tabs = SNIPPETS.map((snippet) => element("button", {
    type: "button", role: "tab", id: `tab-${snippet.id}`, "aria-controls": "snippet",
    click: () => select(snippet),
  }, snippet.label));
  const show = (snippet) => {
    for (const tab of tabs) {
      const chosen = tab.id === `tab-${snippet.id}`;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", `tab-${snippet.id}`);
    file.textContent = snippet.file;
    code.textContent = snippet.text(choice);
  };
  const select = (snippet) => {
    show(snippet);
    chooseSnippet(snippet.id);
  };
  const strip = element("div", { role: "tablist", "aria-label": "Use it with",
    keydown: (event) => {
      const at = tabs.indexOf(document.activeElement);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      const next = (to + tabs.length) % tabs.length;
      select(SNIPPETS[next]);
      tabs[next].focus();
    } }, ...tabs);
  show(SNIPPETS.find((snippet) => snippet.id === choice.snippet) ?? SNIPPETS[0]);
  return element("section", { class: "usage" }, element("h3", {}, "Use it with"), strip, panel);
}
