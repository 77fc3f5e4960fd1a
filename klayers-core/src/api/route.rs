use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::Format;
use crate::{Architecture, PackageName, PythonVersion, Region, Target};

/// The longest path that is parsed, in bytes.
pub const LONGEST_PATH: usize = 1024;

const BASE: &str = "/api/v2";

/// The target of API v1, whose paths name no target.
const V1_TARGET: Target = Target::new(PythonVersion::new(3, 8), Architecture::X86_64);

/// A path of the API, parsed.
///
/// ```
/// use klayers_core::api::{Format, Route};
///
/// let route: Route = "/api/v2/p3.12/layers/latest/eu-west-1/csv".parse()?;
/// let Route::Latest { region, format, .. } = &route else { unreachable!() };
/// assert_eq!(region.as_str(), "eu-west-1");
/// assert_eq!(*format, Format::Csv);
/// assert_eq!(route.to_string(), "/api/v2/p3.12/layers/latest/eu-west-1/csv");
/// # Ok::<(), klayers_core::api::RouteError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Route {
    /// The latest version of every layer of a target in a region, as [`LatestRow`](super::LatestRow)s.
    Latest {
        /// The target.
        target: Target,
        /// The region.
        region: Region,
        /// The format of the list.
        format: Format,
    },
    /// The same list limited to one package: one [`LatestRow`](super::LatestRow), or none. A package
    /// with the name of a [`Format`] has no such path.
    LatestPackage {
        /// The target.
        target: Target,
        /// The region.
        region: Region,
        /// The package.
        package: PackageName,
    },
    /// All existing versions of one layer in a region as [`VersionRow`](super::VersionRow)s, the oldest
    /// first and the latest last.
    Versions {
        /// The target.
        target: Target,
        /// The region.
        region: Region,
        /// The package.
        package: PackageName,
    },
    /// The same versions as [`Releases`](super::Releases), for Renovate.
    Releases {
        /// The target.
        target: Target,
        /// The region.
        region: Region,
        /// The package.
        package: PackageName,
    },
    /// The latest build of every package of a target, as [`BuildRow`](super::BuildRow)s.
    LatestBuilds {
        /// The target.
        target: Target,
    },
    /// The targets that layers exist for, as [`TargetRow`](super::TargetRow)s.
    Targets,
    /// The regions that layers exist in, as [`RegionRow`](super::RegionRow)s.
    Regions,
    /// One package for all targets in all regions, as [`PackageRow`](super::PackageRow)s.
    Package {
        /// The package.
        package: PackageName,
    },
}

/// Why a path does not belong to the API.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The path is longer than [`LONGEST_PATH`].
    #[error("the path is longer than {LONGEST_PATH} bytes")]
    TooLong,
    /// The API has no path of this form.
    #[error("no such path; see /api/v2/{{target}}/layers/latest/{{region}}")]
    Unknown,
    /// The path belongs to API v1, which was removed. The route is its replacement in API v2.
    #[error(
        "API v1 is gone; the same is at {0}, where other Python versions have other targets in the \
         place of {V1_TARGET}"
    )]
    Moved(Box<Route>),
    /// The path looks like API v1, which was removed, but API v1 had no such path.
    #[error("API v1 is gone; see /api/v2/{{target}}/layers/latest/{{region}}")]
    Gone,
    /// A part of the path is malformed.
    #[error(transparent)]
    Malformed(#[from] crate::ParseError),
}

impl FromStr for Route {
    type Err = RouteError;

    /// Parses a path, percent-encoded or not. A double slash counts as one, and a slash at the end is
    /// ignored.
    fn from_str(path: &str) -> Result<Self, RouteError> {
        if path.len() > LONGEST_PATH {
            return Err(RouteError::TooLong);
        }
        let segments: Vec<String> = path
            .strip_prefix('/')
            .ok_or(RouteError::Unknown)?
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8().map(String::from))
            .collect::<Result<_, _>>()
            .map_err(|_| RouteError::Unknown)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["api", "v2", below @ ..] => Self::parse_v2(below),
            ["api", "v1", below @ ..] => Err(v1_error(below)),
            _ => Err(RouteError::Unknown),
        }
    }
}

impl Route {
    /// Parses the segments below `/api/v2`.
    fn parse_v2(segments: &[&str]) -> Result<Self, RouteError> {
        Ok(match *segments {
            ["targets"] => Self::Targets,
            ["regions"] => Self::Regions,
            ["packages", package] => Self::Package { package: package.parse()? },
            [target, "builds", "latest"] => Self::LatestBuilds { target: target.parse()? },
            [target, "layers", "latest", region] => Self::Latest {
                target: target.parse()?,
                region: region.parse()?,
                format: Format::Json,
            },
            [target, "layers", "latest", region, last] => {
                let (target, region) = (target.parse()?, region.parse()?);
                match last.parse() {
                    Ok(format) => Self::Latest { target, region, format },
                    Err(_) => Self::LatestPackage { target, region, package: last.parse()? },
                }
            }
            [target, "layers", region, package] => Self::Versions {
                target: target.parse()?,
                region: region.parse()?,
                package: package.parse()?,
            },
            [target, "renovate", region, package] => Self::Releases {
                target: target.parse()?,
                region: region.parse()?,
                package: package.parse()?,
            },
            _ => return Err(RouteError::Unknown),
        })
    }
}

/// The error for the segments below `/api/v1`.
fn v1_error(segments: &[&str]) -> RouteError {
    let target = V1_TARGET.to_string();
    let known =
        matches!(segments, ["layers", _, _] | ["layers", "latest", _, _] | ["builds", "latest"]);
    let v2_segments: Vec<&str> =
        [target.as_str()].into_iter().chain(segments.iter().copied()).collect();
    match Route::parse_v2(&v2_segments) {
        Ok(route) if known => RouteError::Moved(Box::new(route)),
        _ => RouteError::Gone,
    }
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest { target, region, format: Format::Json } => {
                write!(formatter, "{BASE}/{target}/layers/latest/{region}")
            }
            Self::Latest { target, region, format } => {
                write!(formatter, "{BASE}/{target}/layers/latest/{region}/{format}")
            }
            Self::LatestPackage { target, region, package } => {
                write!(formatter, "{BASE}/{target}/layers/latest/{region}/{package}")
            }
            Self::Versions { target, region, package } => {
                write!(formatter, "{BASE}/{target}/layers/{region}/{package}")
            }
            Self::Releases { target, region, package } => {
                write!(formatter, "{BASE}/{target}/renovate/{region}/{package}")
            }
            Self::LatestBuilds { target } => write!(formatter, "{BASE}/{target}/builds/latest"),
            Self::Targets => write!(formatter, "{BASE}/targets"),
            Self::Regions => write!(formatter, "{BASE}/regions"),
            Self::Package { package } => write!(formatter, "{BASE}/packages/{package}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn route(path: &str) -> Result<Route, RouteError> {
        path.parse()
    }

    #[test]
    fn equivalent_paths_parse_to_the_same_route() {
        let plain = route("/api/v2/p3.12/layers/latest/us-east-1");
        assert!(plain.is_ok());
        for path in [
            "/api/v2/p3.12/layers/latest/us-east-1/",
            "/api/v2/p3.12/layers/latest/us-east-1/json",
            "/api/v2/p3.12/layers/latest/us-east-1/json/",
            "//api/v2/p3.12/layers/latest/us-east-1",
            "/api/v2//p3.12/layers//latest/us-east-1//",
            "/api/v2/p3%2E12/layers/latest/us%2Deast%2D1",
        ] {
            assert_eq!(route(path), plain, "{path}");
        }
    }

    #[test]
    fn other_paths_are_rejected() {
        for path in [
            "",
            "/",
            "/api",
            "/api/v2",
            "/api/v2/",
            "api/v2/targets",
            "/api/v3/targets",
            "/api/v2targets",
            "/api/v2/p3.12",
            "/api/v2/p3.12/layers",
            "/api/v2/p3.12/layers/us-east-1",
            "/api/v2/p3.12/layers/latest/us-east-1/.xml",
            "/api/v2/p3.12/layers/latest/us-east-1/json/x",
            "/api/v2/3.12/layers/latest/us-east-1",
            "/api/v2/p3.12/layers/latest/mars",
            "/api/v2/p3.12/layers/us-east-1/..%2f..%2fetc",
            "/api/v2/p3.12/layers/us-east-1/a%00",
            "/api/v2/p3.12/layers/us-east-1/%ff",
            "/api/v2/packages/",
            "/api/v2/packages/a/b",
            "/api/v2/p3.12/builds",
        ] {
            assert!(route(path).is_err(), "{path}");
        }
        let long = format!("/api/v2/packages/{}", "a".repeat(8192));
        assert_eq!(route(&long), Err(RouteError::TooLong));
    }

    #[test]
    fn latest_list_can_be_limited_to_one_package() {
        for (path, is_package) in [
            ("/api/v2/p3.12/layers/latest/us-east-1/Zope.Interface", true),
            ("/api/v2/p3.12/layers/latest/us-east-1/jsonschema/", true),
            ("/api/v2/p3.12/layers/latest/us-east-1/csv", false),
            ("/api/v2/p3.12/layers/latest/us-east-1/html", false),
        ] {
            let route = route(path).expect(path);
            assert_eq!(matches!(route, Route::LatestPackage { .. }), is_package, "{path}");
            assert_eq!(route.to_string(), path.trim_end_matches('/'));
        }
    }

    #[test]
    fn v1_paths_name_their_replacement() {
        for (path, replacement) in [
            ("/api/v1/layers/latest/us-east-1", "/api/v2/p3.8/layers/latest/us-east-1"),
            (
                "//api/v1/layers/latest/us-east-1/requests/",
                "/api/v2/p3.8/layers/latest/us-east-1/requests",
            ),
            ("/api/v1/layers/us-east-1/Pillow", "/api/v2/p3.8/layers/us-east-1/Pillow"),
            ("/api/v1/builds/latest", "/api/v2/p3.8/builds/latest"),
        ] {
            let Err(RouteError::Moved(instead)) = route(path) else { panic!("{path}") };
            assert_eq!(instead.to_string(), replacement);
        }
        for path in ["/api/v1", "/api/v1/", "/api/v1/layers/mars/a", "/api/v1/renovate/us-east-1/a"]
        {
            assert_eq!(route(path), Err(RouteError::Gone), "{path}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(
            minor in 8u8..=14,
            region in "[a-z]{2}-[a-z]{4,9}-[0-9]",
            package in "[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?",
            format in prop_oneof![Just(Format::Json), Just(Format::Csv), Just(Format::Html)],
        ) {
            let target: Target = format!("p3.{minor}-arm64").parse()?;
            let region: Region = region.parse()?;
            let package: PackageName = package.parse()?;
            for route in [
                Route::Latest { target, region: region.clone(), format },
                Route::LatestPackage {
                    target,
                    region: region.clone(),
                    // A package with the name of a format has no such path.
                    package: format!("{package}0").parse()?,
                },
                Route::Versions { target, region, package: package.clone() },
                Route::LatestBuilds { target },
                Route::Targets,
                Route::Regions,
                Route::Package { package },
            ] {
                prop_assert_eq!(route.to_string().parse(), Ok(route));
            }
        }

        #[test]
        fn never_panics(path in "(/api/v2)?.*") {
            let _ = path.parse::<Route>();
        }
    }
}
