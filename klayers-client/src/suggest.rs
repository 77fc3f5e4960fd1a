use std::collections::BTreeSet;

use klayers_core::PackageName;
use strsim::damerau_levenshtein;

/// The limit of suggestions.
const MAX_SUGGESTIONS: usize = 3;

/// Longer names are not compared, since the time of a comparison grows with the square of the length.
const MAX_LENGTH: usize = 100;

/// The names in `known` that are similar to `asked`, the most similar first.
pub(crate) fn similar_names<'a>(
    asked: &PackageName,
    known: impl IntoIterator<Item = &'a PackageName>,
) -> Vec<PackageName> {
    let ranked: BTreeSet<(usize, &PackageName)> = known
        .into_iter()
        .filter_map(|name| Some((rank(asked.normalized(), name.normalized())?, name)))
        .collect();
    ranked.into_iter().take(MAX_SUGGESTIONS).map(|(_, name)| name.clone()).collect()
}

/// The edit distance of two names; none if they are not similar.
fn rank(asked: &str, name: &str) -> Option<usize> {
    if asked.len() > MAX_LENGTH || name.len() > MAX_LENGTH {
        return None;
    }
    let distance = damerau_levenshtein(asked, name);
    // One letter in three may be wrong.
    let misspelt = distance <= (asked.len() / 3).max(1);
    (misspelt || extends(asked, name) || extends(name, asked)).then_some(distance)
}

/// Whether `long` is `short` with words before or after it, as `psycopg2-binary` is.
fn extends(long: &str, short: &str) -> bool {
    let before = long.strip_suffix(short);
    let after = long.strip_prefix(short);
    before.is_some_and(|word| word.ends_with('-'))
        || after.is_some_and(|word| word.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested() {
        let known: Vec<PackageName> = [
            "boto3",
            "opencv-python-headless",
            "pandas",
            "Pillow",
            "psycopg2-binary",
            "pytz",
            "python-dateutil",
            "requests",
            "requests-oauthlib",
            "six",
        ]
        .map(|name| name.parse().expect("a name"))
        .to_vec();
        for (asked, expected) in [
            ("reqeusts", &["requests"][..]),
            ("request", &["requests"]),
            ("pnadas", &["pandas"]),
            ("pilow", &["Pillow"]),
            ("psycopg2", &["psycopg2-binary"]),
            ("dateutil", &["python-dateutil"]),
            ("opencv-python", &["opencv-python-headless"]),
            ("requests-oauth", &["requests-oauthlib", "requests"]),
            ("boto", &["boto3"]),
            ("tensorflow", &[]),
            ("xyz", &[]),
        ] {
            let asked: PackageName = asked.parse().expect("a name");
            let suggested = similar_names(&asked, &known);
            let suggested: Vec<&str> = suggested.iter().map(PackageName::spelling).collect();
            assert_eq!(suggested, expected, "{asked}");
        }
    }

    #[test]
    fn very_long_names_are_not_compared() {
        let asked: PackageName = "a".repeat(100_000).parse().expect("a name");
        let known: PackageName = "a".parse().expect("a name");
        assert_eq!(similar_names(&asked, [&known]), []);
    }
}
