//! Names that are one where letters are not told apart by case or by how they are composed.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

/// Finds the names, or the folders that they are in, that are one with an earlier one: each with
/// that one, both cut where they become one. Of two folders it is said once in a row, and not of
/// each file.
///
/// The names should come sorted: then each is looked at only where it differs from the one before.
pub(crate) fn alike<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<(&'n str, &'n str)> {
    let mut found = Vec::new();
    // Folders, too, become one. Each part of a name is looked up below the part before it, by the
    // number that one got: there may be thousands of them.
    let mut known: BTreeMap<(usize, String), (usize, &str)> = BTreeMap::new();
    // Where the parts of the name before end, with their numbers: most names share some with it.
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
    fn names_and_folders_are_found_once_each() {
        let names =
            ["A/x", "A/y", "B.py", "a/x", "a/y", "b.PY", "b.py/c", "caf\u{e9}", "cafe\u{301}"];
        let expected =
            [("A", "a"), ("B.py", "b.PY"), ("B.py", "b.py"), ("cafe\u{301}", "caf\u{e9}")];
        let mut sorted = names;
        sorted.sort_unstable();
        assert_eq!(alike(sorted), expected);
    }

    #[test]
    fn what_differs_further_up_is_another_name() {
        assert_eq!(alike(["a/X", "b/x", "c/x/X", "c/x/y", "d"]), []);
        assert_eq!(alike([]), []);
    }
}
