// The catalogue: choose a runtime and a region, find a package, see its layer.

import { Unanswered, latest, latestPath, regions, targetOf, targets } from "./api.js";
import {
  address, completed, fromAddress, pythonsOf, remember,
} from "./choice.js";
import { showNothing, showPackage } from "./detail.js";
import { counted, element, foreign, notice, retry } from "./dom.js";
import { closest, indexed, matches, normalised } from "./names.js";

const [page, query, list, count, state, notices, formats, detail, ...selects] = [
  "catalogue", "query", "packages", "count", "state", "notices", "formats", "detail",
  "python", "arch", "region",
].map((id) => document.getElementById(id));
const [pythonSelect, archSelect, regionSelect] = selects;
/** The number of rows laid out at once. The others follow when the user pauses typing. */
const AT_ONCE = 120;
const narrow = matchMedia("(max-width: 56rem)");

/** The available targets and regions, the current choice, and the entries of its list. */
const offers = { targets: [], regions: [] };
let choice = {};
let entries = [];
/** The elements of the rows by entry, and the links of the visible rows. */
let items = new Map();
let links = [];
/** The target and region of the list that is shown or loading, and whether it is loaded. */
let listed = "";
let isListed = false;

begin();

async function begin() {
  page.hidden = false;
  waiting(true);
  try {
    const [ofTargets, ofRegions] = await Promise.all([targets(), regions()]);
    offers.targets = ofTargets.rows;
    offers.regions = ofRegions.rows;
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    waiting(false);
    state.replaceChildren(notice("failed", ["Could not read the catalogue. ", error.message],
      retry(begin)));
    return;
  }
  // The user may have started typing meanwhile.
  const typed = query.value.trim() ? { q: query.value.trim() } : {};
  choice = completed({ ...fromAddress(location.search), ...typed }, offers.targets, offers.regions);
  history.replaceState(null, "", address(choice));
  document.documentElement.dataset.ready = "yes";
  await follow();
}

/** Shows the current choice after a change or a step through the history. */
async function follow() {
  remember(choice);
  fillSelects();
  if (query.value !== (choice.q ?? "")) query.value = choice.q ?? "";
  const wanted = `${targetOf(choice.python, choice.arch)} ${choice.region}`;
  if (wanted === listed) {
    showMatches();
    await showDetail();
  } else {
    await loadList();
  }
}

async function loadList(again = false) {
  const target = targetOf(choice.python, choice.arch);
  const mine = `${target} ${choice.region}`;
  listed = mine;
  isListed = false;
  waiting(true);
  let found;
  try {
    found = await latest(target, choice.region, again);
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    if (listed !== mine) return;
    waiting(false);
    // Choosing the same list again sends a new request.
    listed = "";
    page.classList.remove("chosen");
    fillList([]);
    count.textContent = "";
    formats.replaceChildren();
    notices.replaceChildren();
    showNothing(detail);
    state.replaceChildren(notice("failed", ["Could not read the list. ", error.message],
      retry(() => loadList(true))));
    return;
  }
  if (listed !== mine) return;
  waiting(false);
  isListed = true;
  tellOf(found);
  fillList(found.rows);
  showFormats(target);
  showMatches();
  await showDetail();
}

function waiting(isWaiting) {
  if (isWaiting) list.setAttribute("aria-busy", "true");
  else list.removeAttribute("aria-busy");
  // The ARN that is still visible does not belong to the new choice.
  detail.inert = isWaiting;
  state.replaceChildren(...(isWaiting && links.length === 0
    ? [element("p", { class: "waiting" }, "Loading the packages …")] : []));
}

/** Shows notices about a list that is stale or has invalid rows. */
function tellOf(found) {
  const told = [];
  if (found.stale) {
    const since = new Date(found.at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    told.push(notice("stale", `${found.stale} This is the list of ${since}.`,
      retry(() => loadList(true))));
  }
  if (found.unread > 0) {
    told.push(notice("failed", `${counted(found.unread, "row")} of the list could not be understood ` +
      "and were left out."));
  }
  notices.replaceChildren(...told);
}

function fillSelects() {
  const { python, arch, region } = choice;
  fill(pythonSelect, python, pythonsOf(offers.targets).map((version) => [version, version]));
  const architectures = [...new Set(offers.targets.map((row) => row.architecture))].sort().reverse();
  fill(archSelect, arch, architectures.map((name) => [name, name]));
  fill(regionSelect, region, offers.regions.map((row) =>
    [row.region, row.name ? `${row.region}, ${row.name}` : row.region]));
}

/** Fills a select. A value from a link that is not available is added; its list is empty. */
function fill(select, chosen, options) {
  const all = options.some(([value]) => value === chosen) ? options : [[chosen, chosen], ...options];
  const wanted = all.map(([value]) => value).join();
  if (select.dataset.options !== wanted) {
    select.dataset.options = wanted;
    select.replaceChildren(...all.map(([value, label]) => element("option", { value }, label)));
  }
  select.value = chosen;
}

function fillList(rows) {
  entries = indexed(rows);
  let initial = "";
  items = new Map(entries.map((entry) => {
    const { row } = entry;
    const href = address({ ...choice, q: "", snippet: "", package: row.package });
    const link = element("a", { href, tabindex: "-1" },
      foreign(row.package), element("span", { class: "leader" }), " ", foreign(row.packageVersion));
    const item = element("li", {}, link);
    if (entry.name[0] !== initial) {
      initial = entry.name[0];
      item.dataset.initial = initial.toUpperCase();
    }
    link.entry = entry;
    return [entry, item];
  }));
  links = [];
  list.replaceChildren();
}

function showFormats(target) {
  const path = latestPath(target, choice.region);
  formats.replaceChildren(...["csv", "json", "html"].flatMap((format, at) =>
    [at > 0 ? " " : "as ", element("a", { href: `${path}/${format}` }, format)]));
}

/** Shows the matching rows, the best match first. */
function showMatches() {
  if (!isListed) return;
  const text = choice.q ?? "";
  const found = matches(entries, text);
  const shown = found.map((entry) => items.get(entry));
  list.classList.toggle("lettered", found === entries && entries.length > 40);
  place(shown);
  links = shown.map((item) => item.firstChild);
  markCurrent();
  showCount(found.length, text);
}

/** Rows that are not laid out yet, and the timer for them. */
let later = [];
let placing;

function place(shown) {
  clearTimeout(placing);
  list.replaceChildren(...shown.slice(0, AT_ONCE));
  later = shown.slice(AT_ONCE);
  if (later.length > 0) placing = setTimeout(placeAll, 60);
}

function placeAll() {
  clearTimeout(placing);
  list.append(...later);
  later = [];
}

function showCount(found, text) {
  const { python, arch, region } = choice;
  if (entries.length === 0) {
    count.textContent = "No packages";
    state.replaceChildren(notice("empty",
      `There are no layers for Python ${python} on ${arch} in ${region}.`));
  } else if (found === 0) {
    count.textContent = `None of ${counted(entries.length, "package")}`;
    const near = suggestions(text);
    state.replaceChildren(notice("empty", ["No package is called ", foreign(text.slice(0, 60)), ". ",
      ...(near.length > 0 ? ["Did you mean ", ...near, "?"] : [])]));
  } else {
    count.textContent = found === entries.length
      ? counted(found, "package") : `${found.toLocaleString("en")} of ${counted(entries.length, "package")}`;
    state.replaceChildren();
  }
}

/** Links to the packages with similar names. */
function suggestions(text) {
  return closest(entries, text).flatMap((entry, at) => [at > 0 ? ", " : "",
    element("a", {
      href: items.get(entry).firstChild.href,
      click: (event) => follows(event, () => choose(entry.row.package, { q: entry.row.package })),
    }, foreign(entry.row.package))]).filter(Boolean);
}

/** Makes one link of the list reachable with Tab: the chosen one, or the first. */
function markCurrent() {
  const chosen = choice.package ? normalised(choice.package) : undefined;
  let reachable = links[0];
  for (const link of links) {
    const isChosen = link.entry.name === chosen;
    if (isChosen) reachable = link;
    if (isChosen) link.setAttribute("aria-current", "true");
    else if (link.hasAttribute("aria-current")) link.removeAttribute("aria-current");
    if (link.tabIndex !== -1) link.tabIndex = -1;
  }
  if (reachable) reachable.tabIndex = 0;
}

async function showDetail() {
  page.classList.toggle("chosen", Boolean(choice.package));
  document.title = choice.package
    ? `${choice.package} for Python ${choice.python} on ${choice.arch}, ${choice.region}: Klayers`
    : "Klayers: Python packages as Lambda layers";
  if (!choice.package) {
    showNothing(detail);
    return;
  }
  const name = normalised(choice.package);
  const row = entries.find((entry) => entry.name === name)?.row;
  const suggested = row ? [] : suggestions(choice.package);
  await showPackage(detail, { choice, row, suggested, close, chooseSnippet });
}

/** Changes the choice and adds it to the history, so that Back undoes it. */
function change(changes) {
  commitQuery();
  choice = { ...choice, ...changes };
  history.pushState(null, "", address(choice));
  return follow();
}

function choose(name, changes = {}) {
  const shown = change({ package: name, ...changes });
  document.getElementById("detail-title")?.focus({ preventScroll: !narrow.matches });
  if (narrow.matches) scrollTo(0, 0);
  return shown;
}

function close() {
  const name = choice.package;
  change({ package: "" });
  focusRow(name);
}

function focusRow(name) {
  placeAll();
  const link = links.find((link) => link.entry.name === normalised(name ?? ""));
  (link ?? query).focus();
}

function chooseSnippet(snippet) {
  choice = { ...choice, snippet };
  remember(choice);
  history.replaceState(null, "", address(choice));
}

/** The timer that writes the query into the address. Browsers limit the changes per second. */
let typed;

function commitQuery() {
  clearTimeout(typed);
  typed = undefined;
  if (choice.region) history.replaceState(null, "", address(choice));
}

query.addEventListener("input", () => {
  choice = { ...choice, q: query.value.trim() };
  // A narrow screen has room for either the list or the package; typing shows the list.
  if (narrow.matches && choice.package) {
    choice.package = "";
    showDetail();
  }
  showMatches();
  clearTimeout(typed);
  typed = setTimeout(commitQuery, 300);
});

query.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && links.length > 0) choose(links[0].entry.row.package);
  else if (event.key === "ArrowDown" && links.length > 0) links[0].focus();
  else return;
  event.preventDefault();
});

list.addEventListener("keydown", (event) => {
  const at = links.indexOf(document.activeElement);
  if (at < 0) return;
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  placeAll();
  if (to < 0) query.focus();
  else links[Math.min(to, links.length - 1)].focus();
});

list.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (link) follows(event, () => choose(link.entry.row.package));
});

/** Handles a click on a link, unless the user opens it in another tab or window. */
function follows(event, action) {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  action();
}

document.addEventListener("keydown", (event) => {
  const writes = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    query.focus();
    query.select();
  } else if (event.key === "Escape" && !writes && choice.package) {
    close();
  }
});

pythonSelect.addEventListener("change", () => change({ python: pythonSelect.value }));
archSelect.addEventListener("change", () => change({ arch: archSelect.value }));
regionSelect.addEventListener("change", () => change({ region: regionSelect.value }));

addEventListener("popstate", async () => {
  const before = choice.package;
  clearTimeout(typed);
  choice = completed(fromAddress(location.search), offers.targets, offers.regions);
  const shown = follow();
  if (before && !choice.package) focusRow(before);
  await shown;
});

// Retries failed requests when the network is back.
addEventListener("online", () => {
  if (notices.querySelector(".stale") || state.querySelector(".failed")) {
    if (offers.targets.length > 0) loadList(true);
    else begin();
  }
});
