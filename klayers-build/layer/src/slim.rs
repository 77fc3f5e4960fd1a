//! Slimming: what is left out of layers to make them smaller. Off, unless the operator asks for it.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};
use klayers_core::PackageName;
use serde::{Deserialize, Serialize};

/// What is left out of a layer. It stands in the layer's lock, since it decides about the layer's
/// bytes as the wheels do.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slimming {
    /// Files whose path below `python/` matches one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Exclusion>,
    /// The debug sections of native libraries.
    #[serde(skip_serializing_if = "is_false")]
    pub strip: bool,
    /// The folders `test` and `tests` of packages.
    #[serde(skip_serializing_if = "is_false")]
    pub drop_tests: bool,
    /// Packages that the runtime has, with what only they need. A layer that asks for one of them by
    /// name is left whole.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub leave_out: BTreeSet<PackageName>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Slimming {
    /// Whether nothing is left out.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a file is left out, by its path below `python/`.
    ///
    /// ```
    /// use klayers_layer::slim::Slimming;
    ///
    /// let slimming = Slimming {
    ///     exclude: vec!["**/*.pyi".parse()?],
    ///     drop_tests: true,
    ///     ..Slimming::default()
    /// };
    /// assert!(slimming.leaves_out("sample/__init__.pyi"));
    /// assert!(slimming.leaves_out("sample/tests/data/x.csv"));
    /// assert!(!slimming.leaves_out("sample/testing.py"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn leaves_out(&self, path: &str) -> bool {
        self.exclude.iter().any(|exclusion| exclusion.matches(path))
            || (self.drop_tests && is_test(path))
    }
}

/// Whether a file stands in a folder of tests that is a package's own. A folder of that name at the
/// root is a distribution's only content, perhaps, and is left alone.
pub(crate) fn is_test(path: &str) -> bool {
    let mut folders = path.split('/').rev().skip(1).collect::<Vec<_>>();
    let root = folders.pop();
    root.is_some_and(|root| !root.ends_with(".dist-info"))
        && folders.into_iter().any(|folder| matches!(folder, "test" | "tests"))
}

/// A pattern for paths, as `.gitignore` has them: `*` stays in a folder, `**` goes on below. It is
/// of the whole path, so a name anywhere is `**/name`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Exclusion(GlobMatcher);

impl Exclusion {
    /// Whether a path below `python/` matches.
    pub fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }

    /// The pattern.
    pub fn pattern(&self) -> &str {
        self.0.glob().glob()
    }
}

impl std::str::FromStr for Exclusion {
    type Err = ExclusionError;

    fn from_str(pattern: &str) -> Result<Self, ExclusionError> {
        let refuse = |reason: String| ExclusionError { pattern: pattern.to_owned(), reason };
        if pattern.is_empty() || pattern.starts_with('/') || pattern.starts_with("python/") {
            return Err(refuse("paths are relative to python/, as in sample/docs/**".to_owned()));
        }
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob = glob.map_err(|error| refuse(error.kind().to_string()))?;
        Ok(Self(glob.compile_matcher()))
    }
}

impl TryFrom<String> for Exclusion {
    type Error = ExclusionError;

    fn try_from(pattern: String) -> Result<Self, ExclusionError> {
        pattern.parse()
    }
}

impl From<Exclusion> for String {
    fn from(exclusion: Exclusion) -> Self {
        exclusion.pattern().to_owned()
    }
}

impl PartialEq for Exclusion {
    fn eq(&self, other: &Self) -> bool {
        self.pattern() == other.pattern()
    }
}

impl Eq for Exclusion {}

/// A text that is not a pattern for paths.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{pattern:?} is not a pattern of files to exclude: {reason}")]
pub struct ExclusionError {
    pattern: String,
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(pattern: &str, path: &str) -> bool {
        pattern.parse::<Exclusion>().expect(pattern).matches(path)
    }

    #[test]
    fn patterns_are_of_the_whole_path() {
        for (pattern, path, expected) in [
            ("**/*.pyi", "a/b/c.pyi", true),
            ("**/*.pyi", "c.pyi", true),
            ("*.pyi", "a/c.pyi", false),
            ("a/docs/**", "a/docs/x/y.txt", true),
            ("a/docs/**", "b/a/docs/x", false),
            ("a/*/x.so", "a/b/c/x.so", false),
            ("**/{docs,examples}/**", "a/examples/x", true),
        ] {
            assert_eq!(excludes(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_that_would_never_match_is_refused() {
        for pattern in ["", "/a", "python/a", "a[", "{a"] {
            let error = pattern.parse::<Exclusion>().expect_err(pattern).to_string();
            assert!(error.contains("is not a pattern of files to exclude"), "{error}");
        }
    }

    #[test]
    fn tests_of_packages_are_told_from_packages_of_tests() {
        let slimming = Slimming { drop_tests: true, ..Slimming::default() };
        for (path, expected) in [
            ("numpy/tests/__init__.py", true),
            ("numpy/core/test/x/y.py", true),
            ("tests/__init__.py", false),
            ("numpy/tests.py", false),
            ("numpy/testing/x.py", false),
            ("a-1.dist-info/licenses/tests/LICENSE", false),
        ] {
            assert_eq!(slimming.leaves_out(path), expected, "{path}");
            assert!(!Slimming::default().leaves_out(path));
        }
    }

    #[test]
    fn it_is_off_unless_something_is_asked_for() {
        assert!(toml::from_str::<Slimming>("").expect("nothing").is_off());
        let text = "exclude = [\"**/*.pyi\"]\nstrip = true\nleave_out = [\"Boto3\"]\n";
        let slimming: Slimming = toml::from_str(text).expect("slimming");
        assert!(!slimming.is_off());
        assert_eq!(toml::to_string(&slimming).expect("TOML"), text);
        assert!(toml::from_str::<Slimming>("excludes = []").is_err());
    }
}
