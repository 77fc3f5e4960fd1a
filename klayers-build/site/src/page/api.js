// Reads the lists of API v2 with plain GET, and validates the rows before they are shown.

/** How long an answer is used without a new request, in milliseconds. */
const FRESH = 5 * 60 * 1000;
/** How long to wait for an answer, in milliseconds. */
const PATIENCE = 20 * 1000;

const ARN = /^arn:[a-z-]{1,30}:lambda:([a-z0-9-]{1,40}):\d{12}:layer:[A-Za-z0-9._-]{1,140}:(\d{1,18})$/;
const TARGET = /^p\d{1,2}\.\d{1,3}(-arm64)?$/;
const REGION = /^[a-z]{2,}(-[a-z]+)+-\d{1,3}$/;
const ARCHITECTURES = ["x86_64", "arm64"];

/** Answers and pending requests, by path. */
const kept = new Map();
const asked = new Map();

/** There is no list; the message, for people, says why. */
export class Unanswered extends Error {}

/** All targets. */
export function targets() {
  return list("/api/v2/targets", (row) =>
    matching(row.target, TARGET) && matching(row.pythonVersion, /^\d+\.\d+$/) &&
    ARCHITECTURES.includes(row.architecture));
}

/** All regions. */
export function regions() {
  return list("/api/v2/regions", (row) => matching(row.region, REGION));
}

/** The latest version of every layer of a target in a region. */
export function latest(target, region, again = false) {
  return list(latestPath(target, region), (row) =>
    text(row.package) && text(row.packageVersion) && regionOf(row.arn) === region, again);
}

/** The path of the list of latest versions. */
export function latestPath(target, region) {
  return `/api/v2/${encodeURIComponent(target)}/layers/latest/${encodeURIComponent(region)}`;
}

/** All versions of one layer in a region: the latest first, then from the newest to the oldest. */
export async function versions(target, region, name, again = false) {
  const path = `/api/v2/${encodeURIComponent(target)}/layers/${encodeURIComponent(region)}/`;
  return newestFirst(await list(path + encodeURIComponent(name), (row) =>
    isVersion(row) && regionOf(row.arn) === region, again));
}

/** All versions of a package in all targets and regions; within each, the newest first. */
export async function everywhere(name, again = false) {
  return newestFirst(await list(`/api/v2/packages/${encodeURIComponent(name)}`, (row) =>
    isVersion(row) && text(row.package) && matching(row.target, TARGET), again));
}

/** Reverses the versions of each layer: the API lists the oldest first, the pages the newest. */
function newestFirst(found) {
  const layers = new Map();
  for (const row of found.rows) {
    const layer = `${row.target} ${regionOf(row.arn)}`;
    if (!layers.has(layer)) layers.set(layer, []);
    layers.get(layer).unshift(row);
  }
  return { ...found, rows: [...layers.values()].flat() };
}

/** The region of a well-formed ARN of a layer version. */
export function regionOf(arn) {
  return text(arn) ? ARN.exec(arn)?.[1] : undefined;
}

/** The number of the layer version. */
export function numberOf(arn) {
  return Number(ARN.exec(arn)[2]);
}

/** The key of a target: `p3.13-arm64`. */
export function targetOf(python, arch) {
  return arch === "x86_64" ? `p${python}` : `p${python}-${arch}`;
}

function isVersion(row) {
  return text(row.packageVersion) && Array.isArray(row.dependencies) &&
    row.dependencies.every(text) && regionOf(row.arn) !== undefined &&
    ["latest", "deprecated"].includes(row.deployStatus);
}

function text(value) {
  return typeof value === "string";
}

function matching(value, pattern) {
  return text(value) && pattern.test(value);
}

/**
 * The valid rows of a list, the number of invalid ones, and the time of the answer. If the server does
 * not answer, returns the last answer with the reason in `stale`.
 */
async function list(path, isRight, again = false) {
  const known = kept.get(path);
  if (known && !again && Date.now() - known.at < FRESH) return known;
  if (!asked.has(path)) {
    asked.set(path, ask(path, isRight).finally(() => asked.delete(path)));
  }
  try {
    return await asked.get(path);
  } catch (error) {
    if (!known || !(error instanceof Unanswered)) throw error;
    return { ...known, stale: error.message };
  }
}

async function ask(path, isRight) {
  const body = await answer(path);
  if (!Array.isArray(body)) {
    throw new Unanswered("The answer does not come from this API; a proxy may have replaced it.");
  }
  const rows = body.filter((row) => row !== null && typeof row === "object" && isRight(row));
  const found = { rows, unread: body.length - rows.length, at: Date.now() };
  kept.set(path, found);
  return found;
}

async function answer(path) {
  let response;
  try {
    response = await fetch(path, {
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch (error) {
    throw new Unanswered(
      error.name === "TimeoutError"
        ? `There was no answer within ${PATIENCE / 1000} seconds.`
        : navigator.onLine
          ? "The server cannot be reached."
          : "This device is offline.",
      { cause: error },
    );
  }
  if (!response.ok) {
    throw new Unanswered(`The server answered with the status ${response.status}.`);
  }
  try {
    return await response.json();
  } catch (error) {
    throw new Unanswered("The answer is incomplete or not JSON.", { cause: error });
  }
}
