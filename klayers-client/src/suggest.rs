use std::collections::BTreeSet;

use klayers_core::PackageName;
use strsim::damerau_levenshtein;

/// How many names are suggested at most.
const MOST: usize = 3;

/// Names over this length are not compared, for the time it takes grows with its square.
const LONGEST: usize = 100;

/// The names of `known` that `asked` may have been meant as, the nearest first.
pub(crate) fn near<'a>(
    asked: &PackageName,
    known: impl IntoIterator<Item = &'a PackageName>,
) -> Vec<PackageName> {
    let ranked: BTreeSet<(usize, &PackageName)> = known
        .into_iter()
        .filter_map(|name| Some((rank(asked.normalized(), name.normalized())?, name)))
        .collect();
    ranked.into_iter().take(MOST).map(|(_, name)| name.clone()).collect()
}

/// How far apart two names are; none if one can hardly be meant by the other.
fn rank(asked: &str, name: &str) -> Option<usize> {
    if asked.len() > LONGEST || name.len() > LONGEST {
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
    fn names_that_may_be_meant_are_suggested() {
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
            let suggested = near(&asked, &known);
            let suggested: Vec<&str> = suggested.iter().map(PackageName::spelling).collect();
            assert_eq!(suggested, expected, "{asked}");
        }
    }

    #[test]
    fn a_name_without_end_is_not_compared() {
        let asked: PackageName = "a".repeat(100_000).parse().expect("a name");
        let known: PackageName = "a".parse().expect("a name");
        assert_eq!(near(&asked, [&known]), []);
    }
}
