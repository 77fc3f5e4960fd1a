// Searching package names as people type them.

/** The normalised name by PEP 503: `Zope_Interface` and `zope.interface` are equal. */
export function normalised(name) {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

/** The search text in what the user typed, without extras, versions and markers. */
export function sought(text) {
  const name = text.trim().replace(/\s*[[(<>=!~;@,].*$/s, "");
  return normalised(name.replace(/\s+/g, "-")).replace(/^-/, "");
}

/** Prepares the rows of a list for searching, sorted by name. */
export function indexed(rows) {
  const entries = rows.map((row) => {
    const name = normalised(row.package);
    return { row, name, joined: name.replaceAll("-", "") };
  });
  return entries.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
}

/** The matching entries, the best first, equal matches by name. */
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

/** The entries at most two typing errors away, the closest first. */
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

/** The number of characters to add, remove, replace or swap with their neighbour. */
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
