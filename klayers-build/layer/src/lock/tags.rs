//! Decides which wheels fit a target, and which of them an installer would choose first.

use std::collections::HashMap;

use klayers_core::{Architecture, Glibc, Target};

use klayers_wheel::WheelFilename;

/// The [compatibility tags][spec] (PEP 425, PEP 600) of a target, from the most specific to the
/// most general.
///
/// [spec]: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
#[derive(Clone, Debug)]
pub struct Tags {
    priorities: HashMap<[String; 3], usize>,
}

impl Tags {
    /// Creates the tags of a target whose system has this glibc.
    ///
    /// The order is that of installers: first the interpreter's own ABI, then the stable ABI of
    /// this version and of older ones, then wheels without an ABI, and last pure Python wheels.
    /// Within each, the newest manylinux comes first.
    pub fn new(target: Target, glibc: Glibc) -> Self {
        let platforms = platforms(target.architecture, glibc);
        let minor = target.python.minor();
        let cpython = |minor: u8| format!("cp3{minor}");
        let mut tags: Vec<[String; 3]> = Vec::new();
        let mut native = |python: &str, abi: &str| {
            for platform in &platforms {
                tags.push([python.to_owned(), abi.to_owned(), platform.clone()]);
            }
        };
        native(&cpython(minor), &cpython(minor));
        for older in (2..=minor).rev() {
            native(&cpython(older), "abi3");
            if older == minor {
                native(&cpython(minor), "none");
            }
        }
        for older in (0..=minor).rev() {
            native(&format!("py3{older}"), "none");
            if older == minor {
                native("py3", "none");
            }
        }
        let mut any = |python: &str| {
            tags.push([python.to_owned(), "none".to_owned(), "any".to_owned()]);
        };
        any(&cpython(minor));
        for older in (0..=minor).rev() {
            any(&format!("py3{older}"));
            if older == minor {
                any("py3");
            }
        }
        let priorities = tags.into_iter().enumerate().map(|(index, tag)| (tag, index)).collect();
        Self { priorities }
    }

    /// Returns the rank of a wheel; installers choose the lowest. None if the wheel does not fit.
    pub fn priority(&self, wheel: &WheelFilename) -> Option<usize> {
        wheel.tags().filter_map(|tag| self.priorities.get(&tag.map(str::to_owned)).copied()).min()
    }
}

/// Returns the platform tags, newest glibc first.
fn platforms(architecture: Architecture, glibc: Glibc) -> Vec<String> {
    let machine = architecture.machine();
    // The oldest manylinux of each architecture: 2_5 is manylinux1, 2_17 is manylinux2014.
    let oldest = match architecture {
        Architecture::X86_64 => 5,
        Architecture::Arm64 => 17,
    };
    let mut platforms = Vec::new();
    for minor in (oldest..=glibc.minor).rev() {
        platforms.push(format!("manylinux_{}_{minor}_{machine}", glibc.major));
        let alias = match minor {
            17 => "manylinux2014",
            12 => "manylinux2010",
            5 => "manylinux1",
            _ => continue,
        };
        platforms.push(format!("{alias}_{machine}"));
    }
    platforms.push(format!("linux_{machine}"));
    platforms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(target: &str, glibc: &str) -> Tags {
        Tags::new(target.parse().expect("a target"), glibc.parse().expect("a version"))
    }

    #[test]
    fn more_specific_wheels_rank_first() {
        let tags = tags("p3.12", "2.34");
        let order = [
            "a-1-cp312-cp312-manylinux_2_34_x86_64.whl",
            "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "a-1-cp312-cp312-linux_x86_64.whl",
            "a-1-cp312-abi3-manylinux_2_34_x86_64.whl",
            "a-1-cp312-none-manylinux1_x86_64.whl",
            "a-1-cp311-abi3-manylinux_2_34_x86_64.whl",
            "a-1-cp39-abi3-manylinux_2_34_x86_64.whl",
            "a-1-py3-none-manylinux_2_28_x86_64.whl",
            "a-1-cp312-none-any.whl",
            "a-1-py2.py3-none-any.whl",
            "a-1-py30-none-any.whl",
        ];
        let priorities: Vec<usize> = order
            .iter()
            .map(|name| tags.priority(&name.parse().expect("a wheel")).expect(name))
            .collect();
        assert!(priorities.is_sorted_by(|one, other| one < other), "{priorities:?}");
    }

    #[test]
    fn wheels_for_other_platforms_do_not_fit() {
        let tags = tags("p3.11-arm64", "2.26");
        for name in [
            "a-1-cp311-cp311-manylinux_2_27_aarch64.whl",
            "a-1-cp311-cp311-manylinux_2_17_x86_64.whl",
            "a-1-cp311-cp311-musllinux_1_2_aarch64.whl",
            "a-1-cp312-cp312-manylinux_2_17_aarch64.whl",
            "a-1-cp312-abi3-manylinux_2_17_aarch64.whl",
            "a-1-cp311-cp311t-manylinux_2_17_aarch64.whl",
            "a-1-cp311-cp311-macosx_11_0_arm64.whl",
            "a-1-py2-none-any.whl",
            "a-1-pp311-pypy311_pp73-manylinux_2_17_aarch64.whl",
        ] {
            assert_eq!(tags.priority(&name.parse().expect("a wheel")), None, "{name}");
        }
        let fits = "a-1-cp311-cp311-manylinux_2_26_aarch64.whl".parse().expect("a wheel");
        assert!(tags.priority(&fits).is_some());
    }
}
