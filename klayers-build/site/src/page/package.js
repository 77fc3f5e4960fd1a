// The page of one package: all its versions over time, in all targets and regions.

import { Unanswered, everywhere, numberOf, regionOf } from "./api.js";
import { address, remembered } from "./choice.js";
import { copyButton } from "./copy.js";
import { announce, clamped, counted, day, element, foreign, instant, notice, retry } from "./dom.js";
import { normalised } from "./names.js";
import {
  firstOf, grouped, partsOf, releasesOf, sortedRegions, sortedTargets,
} from "./releases.js";
import { strataOf } from "./strata.js";

const page = document.getElementById("package");
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?$/;

begin();

async function begin(again = false) {
  page.hidden = false;
  const name = nameOf(location.pathname);
  const title = element("h1", {}, name ? foreign(name) : "No such package");
  document.title = `${name ?? "No such package"}: Klayers`;
  if (!name) {
    page.replaceChildren(title, notice("empty", "The address names no package. ", catalogueLink()));
    return;
  }
  page.replaceChildren(title, element("p", { class: "waiting" }, "Loading …"));
  let found;
  try {
    found = await everywhere(normalised(name), again);
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    page.replaceChildren(title, notice("failed",
      ["Could not read the versions. ", error.message], retry(() => begin(true))));
    return;
  }
  document.documentElement.dataset.ready = "yes";
  if (found.rows.length === 0) {
    page.replaceChildren(title,
      notice("empty", ["There is no layer of ", foreign(name), ". "], catalogueLink()));
    return;
  }
  const spelling = found.rows[0].package;
  document.title = `${spelling}: Klayers`;
  title.replaceChildren(foreign(spelling));
  show(title, found, spelling);
}

/** The name in `/packages/{package}`, if it is well-formed. */
function nameOf(path) {
  const [, , part] = path.split("/");
  try {
    const name = decodeURIComponent(part ?? "");
    return NAME.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

function catalogueLink() {
  return element("a", { href: "/" }, "To the catalogue");
}

function show(title, { rows, unread }, name) {
  const releases = releasesOf(rows);
  const first = firstOf(rows);
  const chart = strataOf(rows);
  const over = element("div", { class: "over-time" });
  page.replaceChildren(...[
    title,
    element("p", { class: "byline" },
      `${counted(releases.length, "version")} since `,
      first === undefined ? "an unknown day" : day(new Date(first)),
      ` · ${counted(rows.length, "layer version")} in `,
      counted(sortedRegions(rows).length, "region")),
    unread > 0 && notice("failed", `${counted(unread, "row")} could not be understood and were left out.`),
    element("h2", {}, "Now"),
    nowTable(rows, name),
    element("h2", {}, "Over time"),
    chart,
    filters(rows, (kept) => listReleases(over, kept)),
    over,
  ].filter(Boolean));
}

/** The latest version for each Python and architecture, as links to the layers. */
function nowTable(rows, name) {
  const latest = rows.filter((row) => row.deployStatus === "latest");
  if (latest.length === 0) {
    return notice("empty", "No version is the latest of a layer: all were withdrawn.");
  }
  const targets = sortedTargets(latest);
  const pythons = [...new Set(targets.map((target) => partsOf(target).python))];
  const arches = [...new Set(targets.map((target) => partsOf(target).arch))].sort().reverse();
  const byTarget = grouped(latest, (row) => row.target);
  const cell = (python, arch) => {
    const target = targets.find((one) => {
      const parts = partsOf(one);
      return parts.python === python && parts.arch === arch;
    });
    return element("td", {}, target ? nowCell(byTarget.get(target), name, python, arch) : "–");
  };
  return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Latest versions" },
    element("table", { class: "now" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Python"),
        ...arches.map((arch) => element("th", { scope: "col" }, arch)))),
      element("tbody", {}, ...pythons.map((python) => element("tr", {},
        element("th", { scope: "row" }, python), ...arches.map((arch) => cell(python, arch)))))));
}

/** Regions may differ for a while: the next run catches up regions that failed. */
function nowCell(rows, name, python, arch) {
  const wanted = remembered().region;
  const [newest] = releasesOf(rows);
  const regions = sortedRegions(newest.rows);
  const region = regions.includes(wanted) ? wanted : regions[0];
  const href = address({ region, python, arch, package: name });
  const all = sortedRegions(rows).length;
  return element("span", {},
    element("a", { href, "aria-label": `${newest.version} for Python ${python} on ${arch}` },
      foreign(newest.version)),
    element("span", { class: "addition" }, regions.length === all
      ? ` ${counted(all, "region")}` : ` ${regions.length} of ${counted(all, "region")}`));
}

/** Two selects that filter the rows. The address holds their values. */
function filters(rows, list) {
  const select = (id, label, every, options) => element("span", { class: "phrase" },
    element("label", { for: id }, label), " ",
    element("select", { id }, element("option", { value: "" }, every),
      ...options.map(([value, shown]) => element("option", { value }, shown))));
  const box = element("div", { class: "filters", role: "group", "aria-label": "Which layer versions" },
    select("of-target", "Listed: ", "every runtime", sortedTargets(rows).map((target) => {
      const { python, arch } = partsOf(target);
      return [target, `Python ${python} on ${arch}`];
    })),
    select("of-region", "in ", "every region", sortedRegions(rows).map((region) => [region, region])));
  const [target, region] = box.querySelectorAll("select");
  const listChosen = () => list(rows.filter((row) =>
    (!target.value || row.target === target.value) &&
    (!region.value || regionOf(row.arn) === region.value)));
  const fromAddress = () => {
    const values = new URLSearchParams(location.search);
    for (const [box, key] of [[target, "target"], [region, "region"]]) {
      box.value = values.get(key) ?? "";
      if (box.selectedIndex < 0) box.value = "";
    }
    listChosen();
  };
  box.addEventListener("change", () => {
    const values = new URLSearchParams();
    if (target.value) values.set("target", target.value);
    if (region.value) values.set("region", region.value);
    history.pushState(null, "", values.size > 0 ? `?${values}` : location.pathname);
    announce(counted(listChosen(), "layer version"));
  });
  addEventListener("popstate", fromAddress);
  fromAddress();
  return box;
}

/** Lists the rows by version, and announces their number. */
function listReleases(box, rows) {
  if (rows.length === 0) {
    box.replaceChildren(notice("empty", "There is no layer version for this runtime in this region."));
  } else {
    box.replaceChildren(element("ol", { class: "releases" }, ...releasesOf(rows).map(releaseOf)));
  }
  return rows.length;
}

function releaseOf({ version, rows, first }) {
  const yanked = rows.find((row) => row.yanked)?.yanked;
  const isLatest = rows.some((row) => row.deployStatus === "latest");
  const byTarget = grouped(rows, (row) => row.target);
  return element("li", { class: isLatest ? "is-latest" : "" },
    element("p", { class: "when" }, first === undefined ? "unknown" : day(new Date(first))),
    element("div", {},
      element("h3", {}, foreign(version), isLatest ? element("span", { class: "badge" }, "latest") : ""),
      yanked ? element("p", { class: "withdrawn" }, "Withdrawn: ", clamped(yanked)) : "",
      ...sortedTargets(rows).map((target) => ofTarget(target, byTarget.get(target)))));
}

function ofTarget(target, rows) {
  const { python, arch } = partsOf(target);
  const expiries = rows.map((row) => instant(row.expiryDate)).filter(Boolean);
  const last = expiries.length > 0 ? new Date(Math.max(...expiries)) : undefined;
  const fate = rows.some((row) => row.deployStatus === "latest")
    ? ["latest"] : last ? ["expires ", day(last)] : ["deprecated"];
  const summary = [element("strong", {}, `Python ${python}`), ` ${arch} · `, ...fate];
  if (rows.length === 1) {
    return element("div", { class: "single" }, element("p", {}, ...summary), arnLine(rows[0]));
  }
  const details = element("details", {},
    element("summary", {}, ...summary, ` · ${counted(sortedRegions(rows).length, "region")}`));
  // Rows are created only when the user opens a version; there may be thousands.
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) {
      details.append(element("ul", { class: "arns" }, ...rows.map((row) =>
        element("li", {}, arnLine(row)))));
    }
  });
  return details;
}

function arnLine(row) {
  const region = regionOf(row.arn);
  return element("div", { class: "arn-line" }, element("code", {}, row.arn),
    copyButton("Copy", `ARN in ${region}`, () => row.arn, {
      class: "quiet", "aria-label": `Copy the ARN in ${region}, layer version ${numberOf(row.arn)}`,
    }));
}
