use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use klayers_core::api::{LONGEST_PATH, Route, RouteError};
use klayers_core::{PackageName, ParseError, Target};
use percent_encoding::percent_decode_str;

use crate::page::{ASSETS, Asset};

/// The address of a document.
///
/// Several spellings of a path parse to the same address. `Display` prints the canonical one, with
/// normalised package names; it is the path of the document in a static copy.
///
/// ```
/// use klayers_site::Address;
///
/// let address: Address = "/api/v2/p3.12/layers/eu-west-1/Zope.Interface/".parse()?;
/// assert_eq!(address.to_string(), "/api/v2/p3.12/layers/eu-west-1/zope-interface");
/// # Ok::<(), klayers_site::AddressError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Address {
    /// A document of API v2, for programs.
    Api(Route),
    /// The `OpenAPI` description of the API.
    OpenApi,
    /// The page for searching layers.
    Catalogue,
    /// The page of a package.
    Package(PackageName),
    /// A file that the pages load.
    Asset(&'static Asset),
    /// A Markdown page with the lists of a target in all regions.
    List(Target),
    /// The Atom feed of new layers.
    Feed,
}

/// The reason why a path has no document.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(transparent)]
pub struct AddressError(#[from] RouteError);

impl AddressError {
    /// Whether the path is longer than every valid path.
    pub fn is_too_long(&self) -> bool {
        self.0 == RouteError::TooLong
    }

    /// Whether the path had a document once, as in API v1, and never will again.
    pub fn is_gone(&self) -> bool {
        matches!(self.0, RouteError::Moved(_) | RouteError::Gone)
    }
}

impl From<ParseError> for AddressError {
    fn from(error: ParseError) -> Self {
        Self(error.into())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Parses a path, percent-encoded or not. Doubled slashes count as one, and a trailing slash is
    /// ignored.
    fn from_str(path: &str) -> Result<Self, AddressError> {
        if path.len() > LONGEST_PATH {
            return Err(RouteError::TooLong.into());
        }
        if !path.starts_with('/') {
            return Err(RouteError::Unknown.into());
        }
        let path = plain(path);
        let path = path.as_ref();
        if path == "/" {
            return Ok(Self::Catalogue);
        }
        if path == "/api" || path.starts_with("/api/") {
            return Ok(Self::Api(path.parse()?));
        }
        if let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) {
            return Ok(Self::Asset(asset));
        }
        let decoded = percent_decode_str(path).decode_utf8().map_err(|_| RouteError::Unknown)?;
        let below = decoded.strip_prefix('/').ok_or(RouteError::Unknown)?;
        Ok(match below.split_once('/') {
            None if below == "openapi.json" => Self::OpenApi,
            None if below == "feed.atom" => Self::Feed,
            Some(("packages", package)) => Self::Package(package.parse()?),
            Some(("lists", file)) => {
                let target = file.strip_suffix(".md").ok_or(RouteError::Unknown)?;
                Self::List(target.parse()?)
            }
            _ => return Err(RouteError::Unknown.into()),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(route) => normalized(route).fmt(formatter),
            Self::OpenApi => formatter.write_str("/openapi.json"),
            Self::Catalogue => formatter.write_str("/"),
            Self::Package(package) => write!(formatter, "/packages/{}", package.normalized()),
            Self::Asset(asset) => formatter.write_str(asset.path),
            Self::List(target) => write!(formatter, "/lists/{target}.md"),
            Self::Feed => formatter.write_str("/feed.atom"),
        }
    }
}

/// Removes doubled slashes and a trailing slash.
fn plain(path: &str) -> Cow<'_, str> {
    let is_plain = !path.contains("//") && (path == "/" || !path.ends_with('/'));
    if is_plain {
        return Cow::Borrowed(path);
    }
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    Cow::Owned(format!("/{}", segments.join("/")))
}

/// The same route with the normalised name of its package.
fn normalized(route: &Route) -> Route {
    let mut route = route.clone();
    if let Route::LatestPackage { package, .. }
    | Route::Versions { package, .. }
    | Route::Releases { package, .. }
    | Route::Package { package } = &mut route
    {
        *package = package.to_normalized();
    }
    route
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_addresses_parse_to_themselves() {
        for path in [
            "/",
            "/api/v2/targets",
            "/api/v2/p3.12/layers/latest/eu-west-1",
            "/api/v2/p3.12/layers/latest/eu-west-1/csv",
            "/api/v2/p3.12/renovate/eu-west-1/zope-interface",
            "/api/v2/packages/pillow",
            "/openapi.json",
            "/packages/zope-interface",
            "/lists/p3.12-arm64.md",
            "/feed.atom",
        ] {
            let address: Address = path.parse().unwrap();
            assert_eq!(address.to_string(), path);
        }
        for asset in ASSETS {
            assert_eq!(asset.path.parse(), Ok(Address::Asset(asset)));
        }
    }

    #[test]
    fn spellings_of_a_path_parse_to_the_same_address() {
        for (path, canonical) in [
            ("/packages/Zope.Interface/", "/packages/zope-interface"),
            ("/packages/%50illow", "/packages/pillow"),
            ("//", "/"),
            ("//packages///pillow//", "/packages/pillow"),
            ("//openapi.json", "/openapi.json"),
            ("//api/v2//targets/", "/api/v2/targets"),
            (
                "/api/v2/p3.12/layers/latest/eu-west-1/Zope.Interface",
                "/api/v2/p3.12/layers/latest/eu-west-1/zope-interface",
            ),
            ("/api/v2/packages/Pillow", "/api/v2/packages/pillow"),
            ("/api/v2/p3.12/layers/latest/eu-west-1/json", "/api/v2/p3.12/layers/latest/eu-west-1"),
        ] {
            assert_eq!(path.parse::<Address>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn unknown_paths_are_rejected() {
        for path in [
            "",
            "openapi.json",
            "/index.html",
            "/packages",
            "/packages/",
            "/packages/a/b",
            "/packages/..%2fetc",
            "/packages/%ff",
            "/lists/p3.12",
            "/lists/3.12.md",
            "/lists/",
            "/assets/",
            "/assets/../secret",
            "/api/",
            "/api/v3/targets",
        ] {
            assert!(path.parse::<Address>().is_err(), "{path}");
        }
        let gone: AddressError = "//api/v1/builds/latest".parse::<Address>().unwrap_err();
        assert!(
            gone.is_gone() && gone.to_string().contains("/api/v2/p3.8/builds/latest"),
            "{gone}"
        );
        let long = format!("/packages/{}", "a".repeat(8192));
        assert!(long.parse::<Address>().unwrap_err().is_too_long());
    }
}
