// Sorting and grouping of the rows of a package: pure functions without elements.

import { regionOf } from "./api.js";
import { instant } from "./dom.js";

/** The parts of a target's key. */
export function partsOf(target) {
  const [python, ...arch] = target.slice(1).split("-");
  return { python, arch: arch.join("-") || "x86_64" };
}

/** Targets with the newest Python first, x86_64 before others. */
export function sortedTargets(rows) {
  const order = (target) => {
    const { python, arch } = partsOf(target);
    const [major, minor] = python.split(".").map(Number);
    return -(major * 10000 + minor * 10) + (arch === "x86_64" ? 0 : 1);
  };
  return [...new Set(rows.map((row) => row.target))].sort((one, other) => order(one) - order(other));
}

/** The regions of rows, sorted. */
export function sortedRegions(rows) {
  return [...new Set(rows.map((row) => regionOf(row.arn)))].sort();
}

/** Groups the rows by a key, in the order of its first occurrence. */
export function grouped(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return groups;
}

/** The earliest time of the rows, in milliseconds, if any row has one. */
export function firstOf(rows) {
  let first;
  for (const row of rows) {
    const at = instant(row.createdDateTime)?.getTime();
    if (at !== undefined && (first === undefined || at < first)) first = at;
  }
  return first;
}

/** The versions of the package with their rows, the newest first. */
export function releasesOf(rows) {
  return [...grouped(rows, (row) => row.packageVersion)]
    .map(([version, of]) => ({ version, rows: of, first: firstOf(of) }))
    .sort((one, other) => (other.first ?? 0) - (one.first ?? 0));
}

/**
 * For each target the versions that were its latest one after the other, each from when it was
 * published until the next was, or until now.
 */
export function spansOf(rows, now) {
  return sortedTargets(rows).map((target) => {
    const known = releasesOf(rows.filter((row) => row.target === target))
      .filter((release) => release.first !== undefined)
      .reverse();
    const spans = known.map((release, at) => ({
      version: release.version,
      from: release.first,
      to: known[at + 1]?.first ?? Math.max(now, release.first),
      isLatest: release.rows.some((row) => row.deployStatus === "latest"),
    }));
    return { target, spans };
  });
}
