use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::impl_string_conversions;
use crate::{Architecture, Glibc, ParseError, Runtime};

/// An ABI version of a system library, as in versioned symbols: 3.4.29 in `GLIBCXX_3.4.29`, 2.2.5 in
/// `GLIBC_2.2.5`.
///
/// ```
/// use klayers_core::AbiVersion;
///
/// let version: AbiVersion = "2.2.5".parse()?;
/// assert!(version < "2.17".parse()?);
/// assert!(version > "2.2".parse()?);
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AbiVersion {
    major: u16,
    minor: u16,
    patch: Option<u16>,
}

impl AbiVersion {
    /// The version `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor, patch: None }
    }

    /// The version `major.minor.patch`.
    pub const fn with_patch(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch: Some(patch) }
    }
}

impl From<Glibc> for AbiVersion {
    fn from(glibc: Glibc) -> Self {
        Self::new(glibc.major, glibc.minor)
    }
}

impl FromStr for AbiVersion {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let numbers: Option<Vec<u16>> = text
            .split('.')
            .map(|part| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?)
            .collect();
        match numbers.as_deref() {
            Some(&[major, minor]) => Ok(Self::new(major, minor)),
            Some(&[major, minor, patch]) => Ok(Self::with_patch(major, minor, patch)),
            _ => Err(ParseError::new(
                text,
                "an ABI version of a library",
                "major.minor or major.minor.patch expected, as in 3.4.29",
            )),
        }
    }
}

impl fmt::Display for AbiVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(formatter, ".{patch}"))
    }
}

impl_string_conversions!(AbiVersion);

/// The system libraries of a runtime, which native libraries in a layer can use.
///
/// ```
/// use klayers_core::{Architecture, PythonVersion, Runtimes};
///
/// let runtimes = Runtimes::default();
/// let runtime = runtimes.get(PythonVersion::new(3, 12)).expect("3.12 is there");
/// let image = runtime.base_image(Architecture::X86_64);
/// assert!(image.has("libstdc++.so.6"));
/// assert!(!image.has("libexpat.so.1"));
/// assert_eq!(image.glibcxx.to_string(), "3.4.29");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseImage {
    /// The newest `GLIBC_` version of the C library.
    pub glibc: AbiVersion,
    /// The newest `GLIBCXX_` version of the C++ library.
    pub glibcxx: AbiVersion,
    /// The newest `CXXABI_` version of the C++ library.
    pub cxxabi: AbiVersion,
    libraries: BTreeSet<String>,
}

impl BaseImage {
    /// Whether the system has a library with this soname.
    pub fn has(&self, library: &str) -> bool {
        self.libraries.contains(library)
    }

    /// The sonames of all libraries, sorted.
    pub fn libraries(&self) -> impl Iterator<Item = &str> {
        self.libraries.iter().map(String::as_str)
    }
}

/// The libraries of an operating system of AWS Lambda.
struct System {
    glibc: Glibc,
    glibcxx: AbiVersion,
    cxxabi: AbiVersion,
    /// Libraries that only some of the systems have.
    extra: &'static [&'static str],
}

/// Amazon Linux 2 and Amazon Linux 2023, the older first.
const SYSTEMS: [System; 2] = [
    System {
        glibc: Glibc { major: 2, minor: 26 },
        glibcxx: AbiVersion::with_patch(3, 4, 24),
        cxxabi: AbiVersion::with_patch(1, 3, 11),
        extra: &["libcrypt.so.1", "libnsl.so.1"],
    },
    System {
        glibc: Glibc { major: 2, minor: 34 },
        glibcxx: AbiVersion::with_patch(3, 4, 29),
        cxxabi: AbiVersion::with_patch(1, 3, 13),
        extra: &[],
    },
];

/// The parts of the C library, which every system has.
const GLIBC: [&str; 10] = [
    "libBrokenLocale.so.1",
    "libanl.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libthread_db.so.1",
    "libutil.so.1",
];

impl Runtime {
    /// The system libraries of the runtime.
    ///
    /// The fields of the runtime have precedence. Missing fields are taken from the newest known system
    /// whose C library is not newer, so that an unknown system is not assumed to have more than it
    /// really has. In addition to the parts of the C library, the systems have:
    ///
    /// | | Amazon Linux 2 | Amazon Linux 2023 |
    /// | --- | --- | --- |
    /// | glibc | 2.26 | 2.34 |
    /// | GLIBCXX | 3.4.24 | 3.4.29 |
    /// | CXXABI | 1.3.11 | 1.3.13 |
    /// | libraries | `libgcc_s`, `libstdc++`, `libz`, `libcrypt.so.1`, `libnsl.so.1` | `libgcc_s`, `libstdc++`, `libz` |
    ///
    /// and Python's `libpythonX.Y.so.1.0`, in `/var/lang/lib`.
    ///
    /// Sources, read in November 2026:
    ///
    /// - the compilers and C libraries of both systems (gcc 7.3 and 11), from the
    ///   [AL2023 user guide](https://docs.aws.amazon.com/linux/al2023/ug/glibc-gcc-and-binutils.html)
    /// - the ABI versions of these compilers' libraries, from the
    ///   [C++ library's manual](https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html)
    /// - the listings of `/lib64` in the images `lambda/provided` `al2` and `al2023`, for both
    ///   architectures, in `lib-check` and `lib-copy` of
    ///   [brefphp/aws-lambda-layers](https://github.com/brefphp/aws-lambda-layers/tree/main/utils)
    ///
    /// Later AL2023 images have the C++ library of gcc 14. The table lists the versions of the first
    /// images, which are all that `manylinux_2_34` wheels may need. The images contain more libraries
    /// than Lambda offers to functions without an image
    /// ([aws-lambda-base-images, 112](https://github.com/aws/aws-lambda-base-images/issues/112)). For
    /// example, libexpat [fails on Lambda](https://github.com/developmentseed/eoapi-cdk/pull/182).
    /// Libraries that could not be confirmed are therefore left out: libcurl, libffi, libglib, liblzma,
    /// libsqlite3, libssl, libxml2 and others.
    pub fn base_image(&self, architecture: Architecture) -> BaseImage {
        let [oldest, ..] = &SYSTEMS;
        let known = SYSTEMS.iter().rev().find(|system| system.glibc <= self.glibc);
        let system = known.unwrap_or(oldest);
        let mut libraries: BTreeSet<String> = GLIBC.into_iter().map(str::to_owned).collect();
        let (loader, vectors) = match architecture {
            Architecture::X86_64 => ("ld-linux-x86-64.so.2", Some("libmvec.so.1")),
            Architecture::Arm64 => ("ld-linux-aarch64.so.1", None),
        };
        libraries.insert(loader.to_owned());
        libraries.extend(vectors.map(str::to_owned));
        if let Some(configured) = &self.libraries {
            libraries.extend(configured.iter().cloned());
        } else {
            let common = ["libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"];
            libraries.extend(common.iter().chain(system.extra).map(|name| (*name).to_owned()));
            libraries.insert(format!("libpython{}.so.1.0", self.python));
        }
        BaseImage {
            glibc: self.glibc.into(),
            glibcxx: self.glibcxx.unwrap_or(system.glibcxx),
            cxxabi: self.cxxabi.unwrap_or(system.cxxabi),
            libraries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PythonVersion, Runtimes};

    fn image(minor: u8, architecture: Architecture) -> BaseImage {
        let runtimes = Runtimes::default();
        runtimes.get(PythonVersion::new(3, minor)).expect("known").base_image(architecture)
    }

    #[test]
    fn known_systems_have_their_documented_libraries() {
        let al2 = image(11, Architecture::Arm64);
        let versions = [al2.glibc, al2.glibcxx, al2.cxxabi].map(|version| version.to_string());
        assert_eq!(versions, ["2.26", "3.4.24", "1.3.11"]);
        assert!(al2.has("libcrypt.so.1") && al2.has("libpython3.11.so.1.0"));
        assert!(al2.has("ld-linux-aarch64.so.1") && !al2.has("ld-linux-x86-64.so.2"));
        let al2023 = image(13, Architecture::X86_64);
        let versions =
            [al2023.glibc, al2023.glibcxx, al2023.cxxabi].map(|version| version.to_string());
        assert_eq!(versions, ["2.34", "3.4.29", "1.3.13"]);
        assert!(!al2023.has("libcrypt.so.1") && !al2023.has("libpython3.11.so.1.0"));
    }

    #[test]
    fn configured_fields_override_the_known_system() {
        let runtime: Runtime = serde_json::from_value(serde_json::json!({
            "python": "3.15", "os": "Amazon Linux 2026", "glibc": "2.40",
            "glibcxx": "3.4.33", "libraries": ["libexpat.so.1"],
        }))
        .expect("a runtime");
        let image = runtime.base_image(Architecture::X86_64);
        let versions =
            [image.glibc, image.glibcxx, image.cxxabi].map(|version| version.to_string());
        assert_eq!(versions, ["2.40", "3.4.33", "1.3.13"]);
        assert!(image.has("libexpat.so.1") && image.has("libc.so.6"));
        assert!(!image.has("libz.so.1"), "the list replaces the known one");
    }

    #[test]
    fn unknown_system_falls_back_to_the_next_older_one() {
        let runtime: Runtime = serde_json::from_value(serde_json::json!({
            "python": "3.9", "os": "another", "glibc": "2.17",
        }))
        .expect("a runtime");
        assert_eq!(runtime.base_image(Architecture::X86_64).glibcxx.to_string(), "3.4.24");
    }

    #[test]
    fn abi_versions_sort_by_number_and_round_trip() {
        let version = |text: &str| text.parse::<AbiVersion>().expect(text);
        assert!(version("3.4.9") < version("3.4.29"));
        assert!(version("3.4") < version("3.4.1"));
        for text in ["3.4.29", "2.34", "2.2.5"] {
            assert_eq!(version(text).to_string(), text);
        }
        for text in ["", "2", "2.", ".2", "2.3.4.5", "+2.3", "2.-3", "2.70000"] {
            assert!(text.parse::<AbiVersion>().is_err(), "{text:?}");
        }
    }
}
