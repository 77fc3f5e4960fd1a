// Package names as people type them.

/** The normalised name, as PEP 503 says: `Zope_Interface` and `zope.interface` are one. */
export function normalised(name) {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

/** What is searched for when this is typed: extras, versions and markers do not belong to a name. */
export function sought(text) {
  const name = text.trim().replace(/\s*[[(<>=!~;@,].*$/s, "");
  return normalised(name.replace(/\s+/g, "-")).replace(/^-/, "");
}

/** The rows of a list, ready to be searched; in the order of their names. */
export function indexed(rows) {
  const entries = rows.map((row) => {
    const name = normalised(row.package);
    return { row, name, joined: name.replaceAll("-", "") };
  });
  return entries.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
}

/** The entries that match, the best first, those that match alike in the order of their names. */
export function matches(entries, text) {
  const name = sought(text);
  if (!name) return entries;
  const joined = name.replaceAll("-", "");
  const ranks = [[], [], [], [], []];
  for (const entry of entries) {
    const rank = ranked(entry, name, joined);
    if (rank >= 0) ranks[rank].push(entry);
  }
  return ranks.flat();
}

function ranked(entry, name, joined) {
  if (entry.name === name || entry.joined === joined) return 0;
  if (entry.name.startsWith(name)) return 1;
  if (joined && entry.joined.startsWith(joined)) return 2;
  if (entry.name.includes(`-${name}`)) return 3;
  return entry.name.includes(name) || (joined && entry.joined.includes(joined)) ? 4 : -1;
}

/** The entries whose names are at most two slips of the keyboard away, the closest first. */
export function closest(entries, text, count = 3) {
  const name = sought(text).slice(0, 64);
  const allowed = name.length < 4 ? 1 : 2;
  return entries
    .filter((entry) => Math.abs(entry.name.length - name.length) <= allowed)
    .map((entry) => ({ entry, slips: slips(entry.name, name) }))
    .filter((found) => found.slips <= allowed)
    .sort((one, other) => one.slips - other.slips)
    .slice(0, count)
    .map((found) => found.entry);
}

/** How many characters have to be added, removed, replaced or swapped with their neighbour. */
function slips(from, to) {
  let before = [];
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      let least = Math.min(line[column - 1] + 1, above[column] + 1, above[column - 1] + (same ? 0 : 1));
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) least = Math.min(least, before[column - 2] + 1);
      line.push(least);
    }
    before = above;
    above = line;
  }
  return above[to.length];
}
