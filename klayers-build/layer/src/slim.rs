//! Slimming: leaves files out of layers to make them smaller. Off by default.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};
use klayers_core::PackageName;
use serde::{Deserialize, Serialize};

/// What is left out of a layer. These settings are stored in the layer's lock, since they determine
/// the layer's bytes as the wheels do.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slimming {
    /// Leave out files whose path below `python/` matches one of these patterns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Exclusion>,
    /// Remove the debug sections of native libraries.
    #[serde(skip_serializing_if = "is_false")]
    pub strip: bool,
    /// Leave out the folders `test` and `tests` of packages.
    #[serde(skip_serializing_if = "is_false")]
    pub drop_tests: bool,
    /// Leave out these packages, which the runtime has, and dependencies that only they need. A
    /// layer that requests one of them by name is not changed.
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

    /// Whether a file is left out. `path` is relative to `python/`.
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

/// Whether a file is in a test folder inside a package. A top-level folder of that name does not
/// count, since it may be the only content of a distribution.
pub(crate) fn is_test(path: &str) -> bool {
    let mut folders = path.split('/').rev().skip(1).collect::<Vec<_>>();
    let root = folders.pop();
    root.is_some_and(|root| !root.ends_with(".dist-info"))
        && folders.into_iter().any(|folder| matches!(folder, "test" | "tests"))
}

/// A glob pattern for paths, as in `.gitignore`: `*` matches within a folder, `**` also matches
/// subfolders. The pattern must match the whole path; `**/name` matches a name in any folder.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Exclusion(GlobMatcher);

impl Exclusion {
    /// Whether the pattern matches a path, relative to `python/`.
    pub fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }

    /// Returns the text of the pattern.
    pub fn pattern(&self) -> &str {
        self.0.glob().glob()
    }
}

impl std::str::FromStr for Exclusion {
    type Err = ExclusionError;

    fn from_str(pattern: &str) -> Result<Self, ExclusionError> {
        let refuse = |reason: String| ExclusionError { pattern: pattern.to_owned(), reason };
        if pattern.is_empty() || pattern.starts_with('/') || pattern.starts_with("python/") {
            return Err(refuse(
                "paths are relative to python/, for example sample/docs/**".to_owned(),
            ));
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

/// A text is not a valid pattern for paths.
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
    fn patterns_match_the_whole_path() {
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
    fn patterns_that_never_match_are_refused() {
        for pattern in ["", "/a", "python/a", "a[", "{a"] {
            let error = pattern.parse::<Exclusion>().expect_err(pattern).to_string();
            assert!(error.contains("is not a pattern of files to exclude"), "{error}");
        }
    }

    #[test]
    fn only_test_folders_inside_packages_are_dropped() {
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
    fn slimming_is_off_by_default() {
        assert!(toml::from_str::<Slimming>("").expect("nothing").is_off());
        let text = "exclude = [\"**/*.pyi\"]\nstrip = true\nleave_out = [\"Boto3\"]\n";
        let slimming: Slimming = toml::from_str(text).expect("slimming");
        assert!(!slimming.is_off());
        assert_eq!(toml::to_string(&slimming).expect("TOML"), text);
        assert!(toml::from_str::<Slimming>("excludes = []").is_err());
    }
}
