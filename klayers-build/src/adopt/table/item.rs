//! One item of the table: what its key says it is, and what its attributes say.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use klayers_core::{LayerVersionArn, PackageName, Pin, Status, Target};

use super::{Item, Place};
use crate::adopt::{BuildClaim, Claim, Reason};

/// As much of a time as is read: what comes after the seconds is left out.
const SECONDS: usize = "2026-11-01T02:00:00".len();

/// What an item is a record of, as the public collection's [data model][model] says.
///
/// [model]: https://github.com/keithrozario/Klayers/blob/master/documentation/DynamoDB_Model.md
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Key {
    /// `lyr#{region}:{package}:{target}`, `lyrVrsn#v{number}`. The number counts the collection's
    /// own deployments; the version that AWS gave stands in the ARN, and the two may differ.
    Version { layer: Place, number: u64 },
    /// The same with `lyrVrsn0#`: it points to the version that was deployed last.
    Pointer(Place),
    /// `bldVrsn0#{target}`, `pckg#{package}`.
    LatestBuild(Target, PackageName),
    /// `bld#v{number}:{target}`, `pckg#{package}`.
    Build,
    /// Something else.
    Other,
}

impl Key {
    pub(super) fn of(item: &Item) -> Result<Self, Reason> {
        let (Some(pk), Some(sk)) = (text(item, "pk"), text(item, "sk")) else {
            return Ok(Self::Other);
        };
        let refuse = |why: &dyn Display| Reason::Malformed {
            what: format!("the item {pk:?}, {sk:?}"),
            why: why.to_string(),
        };
        let package = || match sk.strip_prefix("pckg#") {
            Some(name) => name.parse::<PackageName>().map_err(|error| refuse(&error)),
            None => Err(refuse(&"its sort key is not pckg#{package}")),
        };
        if let Some(place) = pk.strip_prefix("lyr#") {
            let [region, package, target] = place.split(':').collect::<Vec<_>>()[..] else {
                return Err(refuse(&"its partition key is not lyr#{region}:{package}:{target}"));
            };
            let target =
                target.parse().map_err(|error: klayers_core::ParseError| refuse(&error))?;
            let package =
                package.parse().map_err(|error: klayers_core::ParseError| refuse(&error))?;
            let region =
                region.parse().map_err(|error: klayers_core::ParseError| refuse(&error))?;
            let layer = (target, package, region);
            if sk == "lyrVrsn0#" {
                return Ok(Self::Pointer(layer));
            }
            let number = sk.strip_prefix("lyrVrsn#v").and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| refuse(&"its sort key is not lyrVrsn#v{number}"))?;
            Ok(Self::Version { layer, number })
        } else if let Some(target) = pk.strip_prefix("bldVrsn0#") {
            let target =
                target.parse().map_err(|error: klayers_core::ParseError| refuse(&error))?;
            Ok(Self::LatestBuild(target, package()?))
        } else if pk.starts_with("bld#v") {
            Ok(Self::Build)
        } else {
            Ok(Self::Other)
        }
    }
}

/// The dependencies that texts list: many items have the same.
#[derive(Debug, Default)]
pub(super) struct Pins(HashMap<String, Arc<[Pin]>>);

impl Pins {
    fn of(&mut self, text: &str) -> Result<Arc<[Pin]>, klayers_core::ParseError> {
        if let Some(known) = self.0.get(text) {
            return Ok(Arc::clone(known));
        }
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let pins: Arc<[Pin]> = lines.map(str::parse).collect::<Result<Vec<Pin>, _>>()?.into();
        self.0.insert(text.to_owned(), Arc::clone(&pins));
        Ok(pins)
    }
}

/// What the item of a layer version says.
pub(super) fn claim(
    item: &Item,
    (_, package, region): &Place,
    pins: &mut Pins,
) -> Result<Claim, Reason> {
    let attributes = Attributes { item, of: text(item, "arn").unwrap_or("a layer version") };
    let arn: LayerVersionArn = attributes.parse("arn")?;
    attributes.agrees("pckg", package)?;
    attributes.agrees("rgn", region)?;
    let expires_at = attributes.time("exDt")?;
    let status = match attributes.optional("dplySts")? {
        Some("latest") => Status::Latest,
        Some("deprecated") => match expires_at {
            Some(expires_at) => Status::Deprecated { expires_at, yanked: None },
            None => return Err(attributes.refuse("it is deprecated, but has no exDt")),
        },
        Some(other) => {
            return Err(attributes.refuse(format_args!("its dplySts is {other:?}")));
        }
        // One that is no longer deployed was deleted when it expired, unless it is said when.
        None => match attributes.time("dltdDt")?.or(expires_at) {
            Some(at) => Status::Deleted { at },
            None => return Err(attributes.refuse("it has no dplySts, and neither dltdDt nor exDt")),
        },
    };
    Ok(Claim {
        region: region.clone(),
        arn,
        version: attributes.parse("pckgVrsn")?,
        dependencies: attributes.pins(pins)?,
        requirements_hash: attributes.optional_parsed("rqrmntsHsh")?,
        status,
        created_at: attributes.time("crtdDt")?,
        license: None,
    })
}

/// What the item of a build says, of which the key names the package.
pub(super) fn build(
    item: &Item,
    package: &PackageName,
    pins: &mut Pins,
) -> Result<BuildClaim, Reason> {
    let what = format!("the latest build of {package}");
    let attributes = Attributes { item, of: &what };
    attributes.agrees("pckg", package)?;
    Ok(BuildClaim {
        version: attributes.parse("pckgVrsn")?,
        dependencies: attributes.pins(pins)?,
        requirements_hash: attributes.optional_parsed("rqrmntsHsh")?,
        created_at: attributes.time("crtdDt")?,
        license: None,
    })
}

/// The version that a pointer points to. All else that it says stands in the item of that version.
pub(super) fn pointed(item: &Item) -> Result<LayerVersionArn, Reason> {
    Attributes { item, of: "a pointer to the newest version" }.parse("arn")
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The attributes of an item, read so that an error says of which.
struct Attributes<'a> {
    item: &'a Item,
    of: &'a str,
}

impl Attributes<'_> {
    fn refuse(&self, why: impl Display) -> Reason {
        const SHOWN: usize = 200;
        let what = self.of.chars().take(SHOWN).collect();
        Reason::Malformed { what, why: why.to_string() }
    }

    /// A text that may be missing, or be null.
    fn optional(&self, name: &str) -> Result<Option<&str>, Reason> {
        match self.item.get(name) {
            None | Some(AttributeValue::Null(_)) => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(self.refuse(format_args!("its {name} is no text"))),
        }
    }

    fn required(&self, name: &str) -> Result<&str, Reason> {
        self.optional(name)?.ok_or_else(|| self.refuse(format_args!("it has no {name}")))
    }

    fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, Reason> {
        self.required(name)?.parse().map_err(|error| self.refuse(error))
    }

    fn optional_parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Reason> {
        let text = self.optional(name)?;
        text.map(|text| text.parse().map_err(|error| self.refuse(error))).transpose()
    }

    /// Refuses an item that is said to be of something else than its key says.
    fn agrees<T: FromStr<Err: Display> + PartialEq>(
        &self,
        name: &str,
        expected: &T,
    ) -> Result<(), Reason> {
        let Some(text) = self.optional(name)? else { return Ok(()) };
        match text.parse::<T>() {
            Ok(said) if said == *expected => Ok(()),
            Ok(_) => Err(self.refuse(format_args!("its {name} is {text:?}, and its key differs"))),
            Err(error) => Err(self.refuse(error)),
        }
    }

    fn pins(&self, pins: &mut Pins) -> Result<Arc<[Pin]>, Reason> {
        pins.of(self.required("rqrmntsTxt")?).map_err(|error| self.refuse(error))
    }

    /// A time that may be missing: seconds since 1970, or `YYYY-MM-DDTHH:MM:SS` in UTC. Fractions of
    /// a second are left out.
    fn time(&self, name: &str) -> Result<Option<Timestamp>, Reason> {
        let (said, time) = match self.item.get(name) {
            None | Some(AttributeValue::Null(_)) => return Ok(None),
            Some(AttributeValue::N(digits)) => (digits, seconds(digits)),
            Some(AttributeValue::S(text)) => (text, civil(text)),
            Some(_) => return Err(self.refuse(format_args!("its {name} is no time"))),
        };
        time.map(Some).ok_or_else(|| self.refuse(format_args!("its {name} is {said:?}, no time")))
    }
}

fn seconds(digits: &str) -> Option<Timestamp> {
    let whole = digits.split_once('.').map_or(digits, |(whole, _)| whole);
    Timestamp::from_second(whole.parse().ok()?).ok()
}

fn civil(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.get(..SECONDS)?.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests;
