use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::error::impl_string_conversions;

/// A Python version with major and minor number: `3.13`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonVersion {
    major: u8,
    minor: u8,
}

impl PythonVersion {
    /// The version `major.minor`.
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// The first number: 3 of 3.13.
    pub const fn major(self) -> u8 {
        self.major
    }

    /// The second number: 13 of 3.13.
    pub const fn minor(self) -> u8 {
        self.minor
    }

    /// The identifier of AWS Lambda's runtime: `python3.13`.
    pub fn runtime(self) -> String {
        format!("python{self}")
    }
}

impl FromStr for PythonVersion {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let number = |digits: &str| -> Option<u8> {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits.len() == 1 || !digits.starts_with('0'));
            plain.then(|| digits.parse().ok()).flatten()
        };
        // Many users know the name of the Lambda runtime.
        let version = text.strip_prefix("python").unwrap_or(text);
        version
            .split_once('.')
            .and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }))
            .filter(|version| version.major == 3)
            .ok_or_else(|| {
                ParseError::new(text, "a Python version", "major.minor expected, as in 3.13")
            })
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// A processor architecture of AWS Lambda.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub enum Architecture {
    /// 64-bit x86 (Intel and AMD).
    #[default]
    X86_64,
    /// 64-bit ARM (AWS Graviton).
    Arm64,
}

impl Architecture {
    /// All architectures.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// Lambda's name: `x86_64` or `arm64`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// The kernel's name, which wheel tags use: `x86_64` or `aarch64`.
    pub const fn machine(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }
}

impl Architecture {
    /// The names that Lambda, the kernel and Docker use.
    const fn names(self) -> [&'static str; 3] {
        match self {
            Self::X86_64 => ["x86_64", "x86_64", "amd64"],
            Self::Arm64 => ["arm64", "aarch64", "arm64"],
        }
    }
}

impl FromStr for Architecture {
    type Err = ParseError;

    /// Parses the name of Lambda, of the kernel, or of Docker.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.names().contains(&text))
            .ok_or_else(|| ParseError::new(text, "an architecture", "x86_64 or arm64 expected"))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The target of a layer: a Python version and an architecture.
///
/// The key of a target is `p3.12` for `x86_64` and `p3.12-arm64` for arm64.
///
/// ```
/// use klayers_core::{Architecture, PythonVersion, Target};
///
/// let target: Target = "p3.12-arm64".parse()?;
/// assert_eq!(target.python, PythonVersion::new(3, 12));
/// assert_eq!(target.architecture, Architecture::Arm64);
/// assert_eq!(target.to_string(), "p3.12-arm64");
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    /// The Python version.
    pub python: PythonVersion,
    /// The architecture.
    pub architecture: Architecture,
}

impl Target {
    /// The target with this Python version and architecture.
    pub const fn new(python: PythonVersion, architecture: Architecture) -> Self {
        Self { python, architecture }
    }
}

impl FromStr for Target {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || ParseError::new(text, "a target", "p3.12 or p3.12-arm64 expected");
        let key = text.strip_prefix('p').ok_or_else(refuse)?;
        let (python, architecture) = match key.strip_suffix("-arm64") {
            Some(python) => (python, Architecture::Arm64),
            None => (key, Architecture::X86_64),
        };
        // A key contains only the number, not `python`.
        if !python.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(refuse());
        }
        Ok(Self { python: python.parse().map_err(|_| refuse())?, architecture })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match self.architecture {
            Architecture::X86_64 => "",
            Architecture::Arm64 => "-arm64",
        };
        formatter.pad(&format!("p{}{suffix}", self.python))
    }
}

impl_string_conversions!(PythonVersion, Architecture, Target);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn malformed_targets_are_rejected() {
        for text in [
            "",
            "3.12",
            "p",
            "p3",
            "p3.",
            "p3.12-",
            "p3.12-x86_64",
            "p3.012",
            "p2.7",
            "P3.12",
            "ppython3.12",
            "p3.999",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn architectures_parse_from_all_their_names() {
        assert_eq!("aarch64".parse(), Ok(Architecture::Arm64));
        assert_eq!("arm64".parse(), Ok(Architecture::Arm64));
        assert_eq!("amd64".parse(), Ok(Architecture::X86_64));
        assert!("armv7l".parse::<Architecture>().is_err());
    }

    #[test]
    fn python_versions_parse_from_runtime_names() {
        assert_eq!("python3.12".parse(), Ok(PythonVersion::new(3, 12)));
        for text in ["python", "python3", "pythonpython3.12", "Python3.12", "python 3.12"] {
            assert!(text.parse::<PythonVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn python_versions_sort_by_number() {
        assert!(PythonVersion::new(3, 9) < PythonVersion::new(3, 10));
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(minor in 0u8..=255, arm: bool) {
            let architecture = if arm { Architecture::Arm64 } else { Architecture::X86_64 };
            let target = Target::new(PythonVersion::new(3, minor), architecture);
            prop_assert_eq!(target.to_string().parse(), Ok(target));
            prop_assert_eq!(target.python.to_string().parse(), Ok(target.python));
            prop_assert_eq!(architecture.to_string().parse(), Ok(architecture));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<Target>();
        }
    }
}
