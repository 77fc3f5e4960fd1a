//! Finds names that collide when case and Unicode composition are ignored.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

/// Finds paths that collide when case and Unicode composition are ignored. Returns (earlier,
/// later), each cut after the first colliding component. Two colliding folders are reported once in
/// a row, not once for each of their files.
///
/// Sorted names make this fast: only the part that differs from the name before is looked at.
pub fn name_collisions<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<(&'n str, &'n str)> {
    let mut found = Vec::new();
    // Folders collide as well. Each component is looked up below the number of its parent, since
    // there may be thousands of names.
    let mut known: BTreeMap<(usize, String), (usize, &str)> = BTreeMap::new();
    // Ends of the components of the previous name, with their numbers. Most names share some of
    // them.
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let mut before = "";
    for path in names {
        let shared = before.bytes().zip(path.bytes()).take_while(|(one, other)| one == other);
        let shared = shared.count();
        parts.retain(|&(end, _)| end <= shared && path.as_bytes().get(end) == Some(&b'/'));
        before = path;
        let (mut start, mut above) =
            parts.last().map_or((0, 0), |&(end, number)| (end + 1, number));
        let first = start;
        let slashes = path[first..].match_indices('/').map(|(at, _)| first + at);
        for end in slashes.chain([path.len()]) {
            let name = &path[..end];
            let part = name[start..].nfc().flat_map(char::to_lowercase).collect();
            let number = known.len() + 1;
            let (number, other) = *known.entry((above, part)).or_insert((number, name));
            if other[start..] != name[start..] {
                if found.last() != Some(&(other, name)) {
                    found.push((other, name));
                }
                break;
            }
            parts.push((end, number));
            (above, start) = (number, end + 1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colliding_names_and_folders_are_reported_once() {
        let names =
            ["A/x", "A/y", "B.py", "a/x", "a/y", "b.PY", "b.py/c", "caf\u{e9}", "cafe\u{301}"];
        let expected =
            [("A", "a"), ("B.py", "b.PY"), ("B.py", "b.py"), ("cafe\u{301}", "caf\u{e9}")];
        let mut sorted = names;
        sorted.sort_unstable();
        assert_eq!(name_collisions(sorted), expected);
    }

    #[test]
    fn names_in_different_folders_do_not_collide() {
        assert_eq!(name_collisions(["a/X", "b/x", "c/x/X", "c/x/y", "d"]), []);
        assert_eq!(name_collisions([]), []);
    }
}
