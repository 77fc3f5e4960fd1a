//! Reads and writes the `pylock.toml` format of PEP 751.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use klayers_core::{Digest, PackageName, PackageVersion, ParseError, Pin, Target};
use serde::Deserialize;
use url::Url;

use super::{Lock, LockError, LockedWheel, SdistSource, Tags, markers};
use crate::command::shortened;
use crate::secrets::{TomlError, public, redacted};
use crate::slim::Slimming;
use klayers_wheel::WheelFilename;

/// Longest part of a malformed marker that an error shows, in characters.
const LONGEST_MARKER: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    lock_version: String,
    #[serde(default)]
    packages: Vec<Package>,
    #[serde(default)]
    tool: Tools,
}

/// The `[tool]` table. Tables of other programs are ignored.
#[derive(Default, Deserialize)]
struct Tools {
    #[serde(default)]
    klayers: Klayers,
}

#[derive(Default, Deserialize)]
struct Klayers {
    #[serde(default)]
    slim: Slimming,
}

/// The content of a lock file.
pub(super) struct ParsedLock {
    /// The wheels, in the order of the file.
    pub(super) wheels: Vec<LockedWheel>,
    pub(super) slimming: Slimming,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    marker: Option<String>,
    #[serde(default)]
    wheels: Vec<ListedFile>,
    sdist: Option<ListedFile>,
    vcs: Option<toml::Table>,
    directory: Option<toml::Table>,
    archive: Option<toml::Table>,
    #[serde(default)]
    tool: PackageTools,
}

/// The `tool` table of a package.
#[derive(Default, Deserialize)]
struct PackageTools {
    #[serde(default)]
    klayers: PackageKlayers,
}

#[derive(Default, Deserialize)]
struct PackageKlayers {
    /// The wheel that was built here from the package's source distribution.
    built: Option<ListedFile>,
}

/// A package that is locked to a source distribution.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LockedSdist {
    pub(crate) pin: Pin,
    pub(crate) source: SdistSource,
}

/// A file of a package: a wheel or a source distribution.
#[derive(Deserialize)]
struct ListedFile {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

/// Reads a lock for a target.
pub(super) fn parse(
    text: &str,
    base: Option<&Url>,
    target: Target,
    tags: &Tags,
) -> Result<ParsedLock, LockError> {
    let file: File =
        toml::from_str(text).map_err(|error| LockError::Shape(TomlError::new(&error, text)))?;
    if file.lock_version != "1" && !file.lock_version.starts_with("1.") {
        return Err(LockError::Version(file.lock_version));
    }
    let environment = markers::environment(target);
    let mut wheels = Vec::with_capacity(file.packages.len());
    for package in file.packages {
        if let (Some(marker), Some(environment)) = (&package.marker, &environment) {
            match markers::holds(marker, environment) {
                Some(true) => {}
                Some(false) => continue,
                None => {
                    let (package, marker) = (package.name, shortened(marker, LONGEST_MARKER));
                    return Err(LockError::Marker { package, marker });
                }
            }
        }
        wheels.push(choose(&package, base, target, tags)?);
    }
    Ok(ParsedLock { wheels, slimming: file.tool.klayers.slim })
}

/// Returns the source distributions of the packages without wheels. The lock must be one that uv
/// made for one target: markers are not evaluated.
pub(super) fn sdists(text: &str) -> Result<Vec<LockedSdist>, LockError> {
    let file: File =
        toml::from_str(text).map_err(|error| LockError::Shape(TomlError::new(&error, text)))?;
    let mut sdists = Vec::new();
    for package in &file.packages {
        let malformed =
            |source: ParseError| LockError::Malformed { package: package.name.clone(), source };
        let (Some(sdist), Some(version), []) =
            (&package.sdist, &package.version, package.wheels.as_slice())
        else {
            continue;
        };
        let name = package.name.parse().map_err(malformed)?;
        let pin = Pin { name, version: version.parse().map_err(malformed)? };
        let source = sdist_source(sdist, &pin, None)?;
        sdists.push(LockedSdist { pin, source });
    }
    Ok(sdists)
}

fn sdist_source(
    sdist: &ListedFile,
    pin: &Pin,
    base: Option<&Url>,
) -> Result<SdistSource, LockError> {
    let Some(sha256) = sdist.hashes.get("sha256") else {
        return Err(LockError::NoSdistDigest(pin.clone().into()));
    };
    let malformed = |source| LockError::Malformed { package: pin.name.to_string(), source };
    let sha256: Digest = sha256.parse().map_err(malformed)?;
    Ok(SdistSource { sha256, url: location(sdist, base)?, size: sdist.size })
}

/// Returns the wheel of a package that an installer would choose on the target.
fn choose(
    package: &Package,
    base: Option<&Url>,
    target: Target,
    tags: &Tags,
) -> Result<LockedWheel, LockError> {
    let malformed =
        |source: ParseError| LockError::Malformed { package: package.name.clone(), source };
    let name: PackageName = package.name.parse().map_err(malformed)?;
    if let Some(what) = other_source(package) {
        return Err(LockError::NotAWheel { package: name, what });
    }
    // The lock of a layer names the wheel that was built from the source.
    let wheels = match &package.tool.klayers.built {
        Some(built) => std::slice::from_ref(built),
        None => &package.wheels,
    };
    let mut candidates = Vec::with_capacity(wheels.len());
    for wheel in wheels {
        candidates.push((filename(wheel).map_err(malformed)?, wheel));
    }
    let version: PackageVersion = match &package.version {
        Some(version) => version.parse().map_err(malformed)?,
        None => candidates[0].0.version().clone(),
    };
    let pin = Pin { name, version };
    let count = candidates.len();
    let (filename, wheel) = candidates
        .into_iter()
        .filter_map(|(filename, wheel)| Some((tags.priority(&filename)?, filename, wheel)))
        .min_by(|(one, first, _), (other, second, _)| {
            one.cmp(other).then_with(|| second.build().cmp(&first.build()))
        })
        .map(|(_, filename, wheel)| (filename, wheel))
        .ok_or_else(|| LockError::NoFittingWheel { pin: pin.clone().into(), count, target })?;
    if *filename.name() != pin.name || *filename.version() != pin.version {
        return Err(LockError::OtherPackage { wheel: filename.into(), pin: pin.into() });
    }
    let Some(sha256) = wheel.hashes.get("sha256") else {
        return Err(LockError::NoDigest(filename.into()));
    };
    let built_from = match (&package.tool.klayers.built, &package.sdist) {
        (Some(_), Some(sdist)) => Some(sdist_source(sdist, &pin, base)?),
        _ => None,
    };
    let url = match &built_from {
        Some(source) => source.url.clone(),
        None => location(wheel, base)?,
    };
    Ok(LockedWheel {
        sha256: sha256.parse().map_err(malformed)?,
        url,
        size: wheel.size,
        built_from,
        pin,
        filename,
    })
}

/// Returns what a package is locked to instead of wheels. None if it has wheels.
fn other_source(package: &Package) -> Option<&'static str> {
    match package {
        Package { vcs: Some(_), .. } => Some("a version control repository"),
        Package { directory: Some(_), .. } => Some("a directory"),
        Package { archive: Some(_), .. } => Some("an archive"),
        Package { wheels, .. } if !wheels.is_empty() => None,
        Package { sdist: Some(_), tool, .. } if tool.klayers.built.is_some() => None,
        Package { sdist: Some(_), .. } => Some("a source distribution"),
        _ => Some("nothing"),
    }
}

/// Returns the file name that the lock states, or else the last part of the location.
fn filename(wheel: &ListedFile) -> Result<WheelFilename, ParseError> {
    if let Some(name) = &wheel.name {
        return name.parse();
    }
    let location = wheel.path.as_deref().or(wheel.url.as_deref()).unwrap_or_default();
    let without_query = location.split(['?', '#']).next().unwrap_or_default();
    let last = without_query.rsplit('/').next().unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(last).decode_utf8_lossy();
    decoded.parse()
}

fn location(wheel: &ListedFile, base: Option<&Url>) -> Result<Url, LockError> {
    let url = match (&wheel.path, &wheel.url) {
        (Some(path), _) => base.and_then(|base| base.join(path).ok()),
        (None, Some(url)) => Url::parse(url).ok(),
        (None, None) => None,
    };
    url.filter(|url| matches!(url.scheme(), "http" | "https" | "file")).ok_or_else(|| {
        LockError::Location {
            wheel: wheel.name.clone().unwrap_or_default(),
            location: redacted(wheel.path.as_deref().or(wheel.url.as_deref()).unwrap_or_default()),
        }
    })
}

pub(super) fn print(lock: &Lock, size: impl Fn(&LockedWheel) -> Option<u64>) -> String {
    let Target { python, architecture } = lock.target;
    let mut text = String::from("lock-version = \"1.0\"\n");
    let _ = writeln!(
        text,
        "environments = [\"sys_platform == 'linux' and platform_machine == '{}' \
         and python_version == '{python}'\"]",
        architecture.machine(),
    );
    let _ = writeln!(text, "requires-python = \"=={python}.*\"");
    let _ = writeln!(text, "created-by = \"klayers\"");
    for wheel in &lock.wheels {
        let _ = write!(
            text,
            "\n[[packages]]\nname = {}\nversion = {}\n",
            quoted(wheel.pin.name.normalized()),
            quoted(&wheel.pin.version.to_string()),
        );
        let _ = match &wheel.built_from {
            None => writeln!(text, "wheels = [{}]", printed_wheel(wheel, size(wheel))),
            Some(source) => printed_build(&mut text, wheel, source, size(wheel)),
        };
    }
    if !lock.slimming.is_off() {
        text.push('\n');
        text.push_str(&slimming(&lock.slimming));
    }
    text
}

/// Prints what is left out of a layer, as a table of its lock.
pub(super) fn slimming(slimming: &Slimming) -> String {
    // Serializing fails only for values that TOML cannot express, and there are none here.
    format!("[tool.klayers.slim]\n{}", toml::to_string(slimming).unwrap_or_default())
}

fn printed_wheel(wheel: &LockedWheel, size: Option<u64>) -> String {
    let filename = wheel.filename.to_string();
    let location = printed_location(&wheel.url, &filename);
    printed_file(&filename, Some(&location), size, wheel.sha256)
}

/// Prints a wheel that was built here. Installers will build it from the source, too. The built
/// wheel is recorded in a `tool` table, which they ignore.
fn printed_build(
    text: &mut String,
    wheel: &LockedWheel,
    source: &SdistSource,
    size: Option<u64>,
) -> std::fmt::Result {
    let filename = source.filename();
    let location = printed_location(&source.url, &filename);
    let sdist = printed_file(&filename, Some(&location), source.size, source.sha256);
    let built = printed_file(&wheel.filename.to_string(), None, size, wheel.sha256);
    writeln!(text, "sdist = {sdist}\ntool = {{ klayers = {{ built = {built} }} }}")
}

fn printed_file(name: &str, location: Option<&str>, size: Option<u64>, sha256: Digest) -> String {
    let mut text = format!("{{ name = {}", quoted(name));
    if let Some(location) = location {
        let _ = write!(text, ", {location}");
    }
    if let Some(size) = size {
        let _ = write!(text, ", size = {size}");
    }
    let _ = write!(text, ", hashes = {{ sha256 = \"{sha256}\" }} }}");
    text
}

/// Prints the location of a file for readers of the layer's lock.
fn printed_location(url: &Url, filename: &str) -> String {
    match public_location(url) {
        Some(url) => format!("url = {}", quoted(url.as_str())),
        None => format!("path = {}", quoted(filename)),
    }
}

/// Returns a location that is safe to publish: without secrets. None for a local file.
pub(crate) fn public_location(url: &Url) -> Option<Url> {
    (url.scheme() != "file").then(|| public(url))
}

/// Prints a basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
