//! Finds names that cannot exist side by side: a file, and a name below that file as if it were a
//! folder.

/// Finds a file and a name below it.
///
/// Names must be sorted by their bytes; the flag says whether a name is that of a file. The work is
/// linear in the total length of the names, whatever their number and depth.
pub fn find_path_below_file<'n>(
    sorted: impl IntoIterator<Item = (&'n str, bool)>,
) -> Option<(&'n str, &'n str)> {
    // The files whose names are prefixes of the current name, each a prefix of the next. In sorted
    // order, all names with one prefix are adjacent.
    let mut beginnings: Vec<&str> = Vec::new();
    for (name, is_file) in sorted {
        while beginnings.pop_if(|beginning| !name.starts_with(*beginning)).is_some() {}
        let is_above = |file: &&&str| name.as_bytes().get(file.len()) == Some(&b'/');
        if let Some(file) = beginnings.iter().find(is_above) {
            return Some((file, name));
        }
        if is_file {
            beginnings.push(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn found<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<(&'n str, &'n str)> {
        find_path_below_file(names.into_iter().map(|name| (name, true)))
    }

    #[test]
    fn name_below_a_file_is_found_across_names_between_them() {
        assert_eq!(found(["p", "p-x", "p.py", "p/q.py"]), Some(("p", "p/q.py")));
        assert_eq!(found(["a/p", "a/p!", "a/p!/x"]), Some(("a/p!", "a/p!/x")));
        assert_eq!(found(["p", "pp", "pp/q", "ppp/q"]), Some(("pp", "pp/q")));
        assert_eq!(found(["p-x", "p.py", "pp", "q/p"]), None);
        assert_eq!(find_path_below_file([("p", false), ("p/q", false), ("p/q/r", true)]), None);
        assert_eq!(find_path_below_file([("p", true), ("p/q", false)]), Some(("p", "p/q")));
    }

    #[test]
    fn many_deep_names_are_checked_in_linear_time() {
        let folder = "folder/".repeat(100);
        let mut names: Vec<String> = (0..60_000).map(|at| format!("{folder}{at:05}")).collect();
        assert_eq!(found(names.iter().map(String::as_str)), None);
        names.push(format!("{folder}59999/x"));
        let (file, below) = (names[59_999].as_str(), names[60_000].as_str());
        assert_eq!(found(names.iter().map(String::as_str)), Some((file, below)));
        // Each of these is a prefix of the next.
        let names: Vec<String> = (1..4_000).map(|length| "n".repeat(length)).collect();
        assert_eq!(found(names.iter().map(String::as_str)), None);
    }

    proptest! {
        #[test]
        fn result_equals_that_of_comparing_all_pairs(
            names in prop::collection::btree_map("[a!](/?[a!.]){0,5}", any::<bool>(), 0..12),
        ) {
            let names: BTreeMap<&str, bool> =
                names.iter().map(|(name, is_file)| (name.as_str(), *is_file)).collect();
            let is_below = |name: &str, file: &str| {
                name.strip_prefix(file).is_some_and(|rest| rest.starts_with('/'))
            };
            let files = || names.iter().filter(|(_, is_file)| **is_file);
            let any = names.keys().any(|name| files().any(|(file, _)| is_below(name, file)));
            let found = find_path_below_file(names.iter().map(|(name, is_file)| (*name, *is_file)));
            prop_assert_eq!(found.is_some(), any);
            if let Some((file, below)) = found {
                prop_assert!(names[file] && is_below(below, file));
            }
        }
    }
}
