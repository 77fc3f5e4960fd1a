use std::fmt;
use std::str::FromStr;

use klayers_core::{PackageName, PackageVersion, ParseError};

/// The file name of a wheel, in the form of the [binary distribution format][spec] (PEP 427).
///
/// [spec]: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WheelFilename {
    text: String,
    name: PackageName,
    version: PackageVersion,
    build: Option<(u64, String)>,
}

impl WheelFilename {
    /// The package.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The version of the package.
    pub fn version(&self) -> &PackageVersion {
        &self.version
    }

    /// The build tag, in a form that compares as in installers. None is the lowest.
    pub fn build(&self) -> Option<(u64, &str)> {
        self.build.as_ref().map(|(number, rest)| (*number, rest.as_str()))
    }

    /// The compatibility tags: Python, ABI and platform, with compressed tag sets expanded.
    pub fn tags(&self) -> impl Iterator<Item = [&str; 3]> {
        let stem = self.text.strip_suffix(".whl").unwrap_or_default();
        let mut parts = stem.rsplit('-');
        let [platforms, abis, pythons] = [(); 3].map(|()| parts.next().unwrap_or_default());
        pythons.split('.').flat_map(move |python| {
            abis.split('.').flat_map(move |abi| {
                platforms.split('.').map(move |platform| [python, abi, platform])
            })
        })
    }
}

impl FromStr for WheelFilename {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |why: &'static str| ParseError::new(text, "a wheel's file name", why);
        let form = "NAME-VERSION-PYTHON-ABI-PLATFORM.whl expected";
        let stem = text.strip_suffix(".whl").ok_or_else(|| refuse(form))?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, build) = match *parts.as_slice() {
            [name, version, _, _, _] => (name, version, None),
            [name, version, build, _, _, _] => {
                let digits =
                    build.len() - build.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                let number = build[..digits]
                    .parse()
                    .map_err(|_| refuse("its build tag must begin with a number"))?;
                (name, version, Some((number, build[digits..].to_owned())))
            }
            _ => return Err(refuse(form)),
        };
        let plain = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
        };
        if !parts.iter().rev().take(3).all(plain) {
            return Err(refuse(form));
        }
        Ok(Self {
            text: text.to_owned(),
            name: name.parse().map_err(|_| refuse("it must begin with a package name"))?,
            version: version
                .replace('_', "-")
                .parse()
                .map_err(|_| refuse("a version expected after the name"))?,
            build,
        })
    }
}

impl fmt::Display for WheelFilename {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_of_a_file_name_are_parsed() {
        let wheel: WheelFilename =
            "Foo_Bar-1.0+local.1-3b-py2.py3-none-any.whl".parse().expect("a wheel");
        assert_eq!(*wheel.name(), "foo-bar".parse().expect("a name"));
        assert_eq!(wheel.version().to_string(), "1.0+local.1");
        assert_eq!(wheel.build(), Some((3, "b")));
        let tags: Vec<[&str; 3]> = wheel.tags().collect();
        assert_eq!(tags, [["py2", "none", "any"], ["py3", "none", "any"]]);
    }

    #[test]
    fn malformed_file_names_are_refused() {
        for text in [
            "",
            "..",
            "a.whl",
            "a-1.whl",
            "a-1-py3-none.whl",
            "a-1-py3-none-any.zip",
            "a-x-py3-none-any.whl",
            "-1-py3-none-any.whl",
            "a-1-b-py3-none-any.whl",
            "a-1-py3-none-a/b.whl",
            "a-1-py3-none-.whl",
            "a-1-2-3-py3-none-any.whl",
            "../a-1-py3-none-any.whl",
        ] {
            assert!(text.parse::<WheelFilename>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(text in "[A-Za-z][a-z_]{0,5}[a-z]-[0-9]\\.[0-9](-[0-9]{1,3}[a-z]?)?-(py3|cp312)-(none|abi3)-(any|linux_x86_64)\\.whl") {
            let wheel: WheelFilename = text.parse()?;
            prop_assert_eq!(wheel.to_string(), text);
            prop_assert_eq!(wheel.tags().count(), 1);
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<WheelFilename>();
            let _ = format!("{text}.whl").parse::<WheelFilename>();
        }
    }
}
