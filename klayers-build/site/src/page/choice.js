// The choice: stored in the address, so that a link shows the same view, and remembered for the next
// visit.

import { SNIPPETS } from "./snippets.js";

const MEMORY = "klayers.choice";
const FORMS = {
  region: /^[a-z]{2,}(-[a-z]+)+-\d{1,3}$/,
  python: /^\d{1,2}\.\d{1,3}$/,
  arch: /^(x86_64|arm64)$/,
  package: /^[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?$/,
  snippet: new RegExp(`^(${SNIPPETS.map((snippet) => snippet.id).join("|")})$`),
  q: /^[^]{1,200}$/,
};
/** The parts of a choice that are remembered. */
const REMEMBERED = ["region", "python", "arch", "snippet"];

/** The choice in an address. Malformed values count as missing. */
export function fromAddress(search) {
  const values = new URLSearchParams(search);
  return wellFormed(Object.fromEntries(values));
}

/** The address of a choice. */
export function address(choice) {
  const values = new URLSearchParams();
  for (const key of ["region", "python", "arch", "q", "package", "snippet"]) {
    if (choice[key]) values.set(key, choice[key]);
  }
  return `/?${values}`;
}

/** The choice of the last visit. */
export function remembered() {
  try {
    return wellFormed(JSON.parse(localStorage.getItem(MEMORY)) ?? {});
  } catch {
    // There is no storage, or its content is invalid.
    return {};
  }
}

/** Remembers a choice for the next visit. */
export function remember(choice) {
  try {
    const kept = REMEMBERED.map((key) => [key, choice[key]]);
    localStorage.setItem(MEMORY, JSON.stringify(Object.fromEntries(kept)));
  } catch {
    // Without storage, only the address holds the choice.
  }
}

/** Completes a choice from the last visit, or with common defaults. */
export function completed(choice, targets, regions) {
  const before = remembered();
  const pythons = pythonsOf(targets);
  const codes = regions.map((row) => row.region);
  const fallback = {
    python: offered(before.python, pythons) ?? pythons[0] ?? "3.13",
    region: offered(before.region, codes) ?? offered("us-east-1", codes) ?? codes[0] ?? "us-east-1",
    arch: before.arch ?? "x86_64",
    snippet: before.snippet ?? SNIPPETS[0].id,
  };
  return { ...fallback, ...choice };
}

/** The Python versions with layers, the newest first. */
export function pythonsOf(targets) {
  const minor = (version) => version.split(".").map(Number);
  return [...new Set(targets.map((row) => row.pythonVersion))].sort((one, other) => {
    const [a, b] = [minor(one), minor(other)];
    return b[0] - a[0] || b[1] - a[1];
  });
}

function offered(value, offers) {
  return offers.includes(value) ? value : undefined;
}

function wellFormed(values) {
  const right = Object.entries(FORMS).filter(([key, form]) =>
    typeof values[key] === "string" && form.test(values[key]));
  return Object.fromEntries(right.map(([key]) => [key, values[key]]));
}
