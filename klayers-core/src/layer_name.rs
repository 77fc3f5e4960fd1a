use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::impl_string_conversions;
use crate::{Architecture, PackageName, ParseError, PythonVersion, Target};

/// The name of a layer: `Klayers-p312-requests`, `Klayers-p312-arm64-fake-useragent`.
///
/// A name consists of a prefix, the target's key without the dot, and the content of the layer. The
/// oldest layers spell the target `python38`. Parsed names may contain dots, since some recorded names
/// do. [New names](Self::new) never contain dots, since Lambda rejects them.
///
/// ```
/// use klayers_core::LayerName;
///
/// let target = "p3.12-arm64".parse()?;
/// let name = LayerName::new("Klayers", target, "backports.zoneinfo")?;
/// assert_eq!(name.as_str(), "Klayers-p312-arm64-backports-zoneinfo");
/// assert!(name.is_for(target, &"Backports.ZoneInfo".parse()?));
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerName(String);

impl LayerName {
    /// The longest name that Lambda accepts, in characters ([PublishLayerVersion][spec]).
    ///
    /// [spec]: https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
    pub const LONGEST: usize = 140;

    /// The name of the layer with `content`, usually the name of a package, for a target. Characters that
    /// Lambda does not allow are replaced with `-`.
    ///
    /// # Errors
    ///
    /// If the prefix or the content is empty, or if the name is longer than Lambda allows.
    pub fn new(prefix: &str, target: Target, content: &str) -> Result<Self, ParseError> {
        let name = format!("{prefix}-{}-{content}", key(target));
        let allowed: String = name
            .chars()
            .map(|character| if is_allowed(character) { character } else { '-' })
            .collect();
        if prefix.is_empty() || content.is_empty() {
            return Err(ParseError::new(&name, "a layer name", "no part of it may be empty"));
        }
        allowed.parse()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a layer with this name holds `package` for `target`. Any prefix, both naming schemes, and
    /// all spellings of the package are accepted.
    pub fn is_for(&self, target: Target, package: &PackageName) -> bool {
        let old = format!("python{}{}", target.python.major(), target.python.minor());
        let architecture = match target.architecture {
            Architecture::X86_64 => "",
            Architecture::Arm64 => "-arm64",
        };
        [key(target), format!("{old}{architecture}")].iter().any(|key| {
            let marker = format!("-{key}-");
            self.0.match_indices(&marker).any(|(at, _)| {
                let content = &self.0[at + marker.len()..];
                at > 0 && content.parse().is_ok_and(|name: PackageName| name == *package)
            })
        })
    }
}

impl LayerName {
    /// The targets and packages that the name may stand for, the most likely first. Empty for a name of
    /// another form. The spelling of the package may differ from the collection's, since layer names
    /// cannot contain all characters.
    ///
    /// ```
    /// use klayers_core::LayerName;
    ///
    /// let name: LayerName = "Klayers-p312-arm64-numpy".parse()?;
    /// let candidates = name.candidates();
    /// assert_eq!(candidates[0], ("p3.12-arm64".parse()?, "numpy".parse()?));
    /// assert_eq!(candidates[1], ("p3.12".parse()?, "arm64-numpy".parse()?));
    /// # Ok::<(), klayers_core::ParseError>(())
    /// ```
    pub fn candidates(&self) -> Vec<(Target, PackageName)> {
        let mut candidates = Vec::new();
        let ends = self.0.match_indices('-').map(|(at, _)| at);
        for (begin, end) in ends.clone().zip(ends.skip(1)) {
            let Some(python) = python_of_key(&self.0[begin + 1..end]) else { continue };
            let content = &self.0[end + 1..];
            let arm = content.strip_prefix("arm64-").map(|content| (Architecture::Arm64, content));
            for (architecture, content) in arm.into_iter().chain([(Architecture::X86_64, content)])
            {
                if begin > 0
                    && let Ok(package) = content.parse()
                {
                    candidates.push((Target::new(python, architecture), package));
                }
            }
        }
        candidates
    }
}

/// Parses the Python version in a part of a name: `p312`, or `python38` in old names.
fn python_of_key(part: &str) -> Option<PythonVersion> {
    let digits = part.strip_prefix("python").or_else(|| part.strip_prefix('p'))?;
    let (major, minor) = digits.split_at_checked(1)?;
    format!("{major}.{minor}").parse().ok()
}

/// The target in layer names: `p312`, `p312-arm64`.
fn key(target: Target) -> String {
    target.to_string().replace('.', "")
}

/// Whether Lambda allows a character in a layer name.
fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-' || character == '_'
}

impl FromStr for LayerName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |expected: &str| Err(ParseError::new(text, "a layer name", expected));
        // The records of the public collection have names with dots, such as that of jaraco.text.
        if text.is_empty()
            || !text.chars().all(|character| is_allowed(character) || character == '.')
        {
            return refuse("ASCII letters, digits, -, _ and . expected");
        }
        if text.len() > Self::LONGEST {
            return refuse("Lambda accepts at most 140 characters");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl_string_conversions!(LayerName);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(text: &str) -> Target {
        text.parse().expect("a target")
    }

    fn package(text: &str) -> PackageName {
        text.parse().expect("a package name")
    }

    #[test]
    fn names_match_their_target_and_package() {
        for (name, of, content, expected) in [
            ("Klayers-p312-Pillow", "p3.12", "pillow", true),
            ("Klayers-p312-arm64-fake-useragent", "p3.12-arm64", "fake_useragent", true),
            ("Klayers-python38-requests", "p3.8", "requests", true),
            ("Klayers-defaultp38-p38-requests", "p3.8", "requests", true),
            ("Acme-Data-p313-pandas", "p3.13", "pandas", true),
            ("Klayers-p312-jaraco.text", "p3.12", "jaraco-text", true),
            ("Klayers-p312-arm64-numpy", "p3.12", "numpy", false),
            ("Klayers-p312-numpy", "p3.12-arm64", "numpy", false),
            ("Klayers-p312-numpy", "p3.13", "numpy", false),
            ("Klayers-p312-numpy-financial", "p3.12", "numpy", false),
            ("Klayers-p312-my-numpy", "p3.12", "numpy", false),
            ("-p312-numpy", "p3.12", "numpy", false),
            ("numpy", "p3.12", "numpy", false),
        ] {
            let name: LayerName = name.parse().expect("a layer name");
            assert_eq!(name.is_for(target(of), &package(content)), expected, "{name}");
        }
    }

    #[test]
    fn candidates_include_targets_and_packages() {
        for (name, expected) in [
            ("Klayers-p312-Pillow", &[("p3.12", "Pillow")][..]),
            ("Klayers-python38-requests", &[("p3.8", "requests")]),
            ("Acme-Data-p313-pandas", &[("p3.13", "pandas")]),
            ("Klayers-defaultp38-p38-p39-x", &[("p3.8", "p39-x"), ("p3.9", "x")]),
            ("-p312-numpy", &[]),
            ("my-layer", &[]),
            ("Klayers-p312-", &[]),
        ] {
            let name: LayerName = name.parse().expect("a layer name");
            let expected: Vec<(Target, PackageName)> =
                expected.iter().map(|&(of, content)| (target(of), package(content))).collect();
            assert_eq!(name.candidates(), expected, "{name}");
        }
    }

    #[test]
    fn names_over_140_characters_are_rejected() {
        let error = LayerName::new("Klayers", target("p3.12"), &"x".repeat(128)).expect_err("long");
        assert!(error.to_string().contains("at most 140 characters"), "{error}");
        assert!(LayerName::new("Klayers", target("p3.12"), &"x".repeat(127)).is_ok());
    }

    proptest! {
        #[test]
        fn new_names_match_their_target_and_package(
            prefix in "[A-Za-z][A-Za-z0-9-]{0,8}",
            content in "[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?",
            minor in 8u8..=14,
            arm: bool,
        ) {
            let architecture = if arm { Architecture::Arm64 } else { Architecture::X86_64 };
            let target = Target::new(crate::PythonVersion::new(3, minor), architecture);
            let name = LayerName::new(&prefix, target, &content)?;
            let package: PackageName = content.parse()?;
            prop_assert!(name.is_for(target, &package));
            prop_assert!(name.candidates().contains(&(target, package)), "{:?}", name.candidates());
            prop_assert_eq!(name.to_string().parse(), Ok(name));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<LayerName>().map(|name| name.candidates());
        }
    }
}
