//! The `pylock.toml` format of PEP 751: what is read of it, and what is written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use klayers_core::{PackageName, PackageVersion, ParseError, Pin, Target};
use serde::Deserialize;
use url::Url;

use super::{Lock, LockError, LockedWheel, Tags, markers};
use crate::slim::Slimming;
use crate::wheel::WheelFilename;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    lock_version: String,
    #[serde(default)]
    packages: Vec<Package>,
    #[serde(default)]
    tool: Tools,
}

/// What programs say in a lock beyond its format; the other programs' parts are passed over.
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

/// What is read of a lock.
pub(super) struct Parsed {
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
    wheels: Vec<Wheel>,
    sdist: Option<toml::Table>,
    vcs: Option<toml::Table>,
    directory: Option<toml::Table>,
    archive: Option<toml::Table>,
}

#[derive(Deserialize)]
struct Wheel {
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
) -> Result<Parsed, LockError> {
    let file: File = toml::from_str(text).map_err(|error| LockError::Shape(Box::new(error)))?;
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
                    let (package, marker) = (package.name, marker.clone());
                    return Err(LockError::Marker { package, marker });
                }
            }
        }
        wheels.push(choose(&package, base, target, tags)?);
    }
    Ok(Parsed { wheels, slimming: file.tool.klayers.slim })
}

/// The wheel of a package that an installer would take on the target.
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
    let mut candidates = Vec::with_capacity(package.wheels.len());
    for wheel in &package.wheels {
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
    Ok(LockedWheel {
        sha256: sha256.parse().map_err(malformed)?,
        url: location(wheel, base)?,
        size: wheel.size,
        pin,
        filename,
    })
}

/// What a package is locked to that is not wheels; none if it has wheels.
fn other_source(package: &Package) -> Option<&'static str> {
    match package {
        Package { vcs: Some(_), .. } => Some("a version control repository"),
        Package { directory: Some(_), .. } => Some("a directory"),
        Package { archive: Some(_), .. } => Some("an archive"),
        Package { wheels, .. } if !wheels.is_empty() => None,
        Package { sdist: Some(_), .. } => Some("a source distribution"),
        _ => Some("nothing"),
    }
}

/// The file name that a lock gives a wheel, or that ends its location.
fn filename(wheel: &Wheel) -> Result<WheelFilename, ParseError> {
    if let Some(name) = &wheel.name {
        return name.parse();
    }
    let location = wheel.path.as_deref().or(wheel.url.as_deref()).unwrap_or_default();
    let without_query = location.split(['?', '#']).next().unwrap_or_default();
    let last = without_query.rsplit('/').next().unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(last).decode_utf8_lossy();
    decoded.parse()
}

fn location(wheel: &Wheel, base: Option<&Url>) -> Result<Url, LockError> {
    let url = match (&wheel.path, &wheel.url) {
        (Some(path), _) => base.and_then(|base| base.join(path).ok()),
        (None, Some(url)) => Url::parse(url).ok(),
        (None, None) => None,
    };
    url.filter(|url| matches!(url.scheme(), "http" | "https" | "file")).ok_or_else(|| {
        LockError::Location {
            wheel: wheel.name.clone().unwrap_or_default(),
            location: wheel.path.clone().or_else(|| wheel.url.clone()).unwrap_or_default(),
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
            "\n[[packages]]\nname = {}\nversion = {}\nwheels = [{{ name = {}, {}",
            quoted(wheel.pin.name.normalized()),
            quoted(&wheel.pin.version.to_string()),
            quoted(&wheel.filename.to_string()),
            printed_location(wheel),
        );
        if let Some(size) = size(wheel) {
            let _ = write!(text, ", size = {size}");
        }
        let _ = writeln!(text, ", hashes = {{ sha256 = \"{}\" }} }}]", wheel.sha256);
    }
    if !lock.slimming.is_off() {
        text.push('\n');
        text.push_str(&slimming(&lock.slimming));
    }
    text
}

/// What is left out of a layer, as its lock says it.
pub(super) fn slimming(slimming: &Slimming) -> String {
    // It fails only for values that TOML does not have, and there are none.
    format!("[tool.klayers.slim]\n{}", toml::to_string(slimming).unwrap_or_default())
}

/// Where a reader of the layer's own lock finds the wheel.
fn printed_location(wheel: &LockedWheel) -> String {
    match public_location(&wheel.url) {
        Some(url) => format!("url = {}", quoted(url.as_str())),
        None => format!("path = {}", quoted(&wheel.filename.to_string())),
    }
}

/// A location as it may be shown to everybody: never with credentials, and none for a file of this
/// machine.
pub(crate) fn public_location(url: &Url) -> Option<Url> {
    if url.scheme() == "file" {
        return None;
    }
    let mut url = url.clone();
    // Both fail only for URLs that have no host, which cannot have credentials either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    Some(url)
}

/// A basic string of TOML.
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
