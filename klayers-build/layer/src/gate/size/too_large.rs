//! The error for a layer that is too large: which distributions are the biggest, and which settings
//! would make the layer small enough.

use std::collections::BTreeMap;
use std::fmt;

use klayers_core::LayerName;

use super::biggest;
use klayers_wheel::Size;

/// Number of distributions that are named.
const NAMED: usize = 5;
/// The AWS SDK, which every Python runtime of Lambda has, and packages that only the SDK needs
/// ([runtimes](https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html)).
const OF_THE_RUNTIME: [&str; 4] = ["boto3", "botocore", "jmespath", "s3transfer"];

/// The size of a file of a layer or of a wheel, with possible savings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Weight {
    /// The distribution. Empty for the layer's own files.
    pub distribution: String,
    /// The size, in bytes.
    pub size: u64,
    /// Whether `drop_tests` leaves the file out.
    pub test: bool,
    /// The number of bytes that `strip` saves.
    pub debug: u64,
    /// Whether the file is bytecode.
    pub bytecode: bool,
}

/// How the size of a layer was determined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Basis {
    /// From the sizes of its wheels, before they were fetched.
    Wheels,
    /// From the sizes of its files.
    Files,
}

/// A layer exceeds Lambda's size limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TooLargeError {
    layer: LayerName,
    basis: Basis,
    size: u64,
    limit: u64,
    biggest: Vec<(String, u64)>,
    /// The number of distributions besides the biggest.
    others: usize,
    /// Settings that would make the layer smaller, each with the number of bytes that it saves.
    savings: Vec<(String, u64)>,
    /// The smallest set of settings that would be enough, and the layer's size with them.
    enough: Option<(Vec<String>, u64)>,
    /// The layer's size with all settings.
    least: u64,
}

impl TooLargeError {
    /// Creates the error for a layer of these files or wheels.
    pub fn new(layer: &LayerName, weights: &[Weight], limit: u64, basis: Basis) -> Self {
        let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
        for weight in weights.iter().filter(|weight| !weight.distribution.is_empty()) {
            *sizes.entry(&weight.distribution).or_default() += weight.size;
        }
        let size = weights.iter().map(|weight| weight.size).sum();
        let settings = Setting::all(&sizes);
        let useful: Vec<&Setting> =
            settings.iter().filter(|setting| saved(weights, &[*setting]) > 0).collect();
        let enough = choices(&useful)
            .into_iter()
            .map(|choice| (size - saved(weights, &choice), choice))
            .find(|(left, _)| *left <= limit);
        let savings =
            useful.iter().map(|setting| (setting.name.clone(), saved(weights, &[*setting])));
        let distributions = sizes.iter().map(|(name, size)| ((*name).to_owned(), *size));
        Self {
            layer: layer.clone(),
            basis,
            size,
            limit,
            biggest: biggest(distributions.collect(), NAMED),
            others: sizes.len().saturating_sub(NAMED),
            savings: savings.collect(),
            enough: enough.map(|(left, choice)| {
                (choice.into_iter().map(|setting| setting.name.clone()).collect(), left)
            }),
            least: size - saved(weights, &useful),
        }
    }

    /// Returns the unpacked size of the layer, or the total size of its wheels, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the layer's name.
    pub fn layer(&self) -> &LayerName {
        &self.layer
    }

    /// Describes the layer's size.
    pub fn summary(&self, layer: &str) -> String {
        let (size, limit) = (Size(self.size), Size(self.limit));
        let found = match self.basis {
            Basis::Wheels => format!("its wheels are {size} packed"),
            Basis::Files => format!("it unpacks to {size}"),
        };
        format!(
            "{layer} is too large: {found}; Lambda takes {limit} for a function and all its layers"
        )
    }

    /// Lists the biggest distributions and the possible savings.
    pub fn details(&self) -> Vec<String> {
        let others = match self.others {
            0 => String::new(),
            1 => " and 1 other".to_owned(),
            others => format!(" and {others} others"),
        };
        let mut details = vec![format!("biggest: {}{others}", listed(&self.biggest))];
        if !self.savings.is_empty() {
            details.push(format!("would save under [slim]: {}", listed(&self.savings)));
        } else if self.basis == Basis::Files {
            details.push("strip, drop_tests and leave_out would save nothing".to_owned());
        }
        details
    }

    /// Describes what to do.
    pub fn help(&self) -> String {
        if let Some((settings, left)) = &self.enough {
            return format!("{} remain with {}", Size(*left), settings.join(" and "));
        }
        let least = if self.savings.is_empty() {
            String::new()
        } else {
            format!("with all of these {} remain; ", Size(self.least))
        };
        format!("{least}deploy a function of this size as a container image, of up to 10 GB")
    }
}

impl std::error::Error for TooLargeError {}

impl fmt::Display for TooLargeError {
    /// Writes at most four lines: what is too large, its biggest parts, possible savings, and help.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.summary(&self.layer.to_string()))?;
        for detail in self.details() {
            write!(formatter, "\n{detail}")?;
        }
        write!(formatter, "\nhelp: {}", self.help())
    }
}

fn listed(sizes: &[(String, u64)]) -> String {
    let parts: Vec<String> =
        sizes.iter().map(|(name, size)| format!("{name} {}", Size(*size))).collect();
    parts.join(", ")
}

/// A setting that makes layers smaller: its text, and the number of bytes that it saves of a file.
struct Setting {
    name: String,
    saves: fn(&Weight) -> u64,
}

impl Setting {
    /// Returns the settings that may help, starting with the least harmful.
    fn all(distributions: &BTreeMap<&str, u64>) -> [Self; 4] {
        let of_the_runtime =
            OF_THE_RUNTIME.iter().filter(|name| distributions.contains_key(**name));
        let of_the_runtime: Vec<String> =
            of_the_runtime.map(|name| format!("\"{name}\"")).collect();
        [
            Self { name: "strip = true".to_owned(), saves: |weight| weight.debug },
            Self {
                name: "drop_tests = true".to_owned(),
                saves: |weight| if weight.test { weight.size } else { 0 },
            },
            Self {
                name: format!("leave_out = [{}]", of_the_runtime.join(", ")),
                saves: |weight| {
                    let there = OF_THE_RUNTIME.contains(&weight.distribution.as_str());
                    if there { weight.size } else { 0 }
                },
            },
            Self {
                name: "[build] bytecode = \"off\"".to_owned(),
                saves: |weight| if weight.bytecode { weight.size } else { 0 },
            },
        ]
    }
}

/// Returns how many bytes some settings save together. If one setting leaves a file out, another
/// cannot make it smaller.
fn saved(weights: &[Weight], settings: &[&Setting]) -> u64 {
    let saving = |weight: &Weight| settings.iter().map(|setting| (setting.saves)(weight)).max();
    weights.iter().filter_map(saving).sum()
}

/// Returns all non-empty subsets of the settings, smallest first.
fn choices<'s>(settings: &[&'s Setting]) -> Vec<Vec<&'s Setting>> {
    let choice = |bits: u32| -> Vec<&Setting> {
        let chosen = settings.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
        chosen.map(|(_, setting)| *setting).collect()
    };
    let mut all: Vec<Vec<&Setting>> = (1..1 << settings.len()).map(choice).collect();
    all.sort_by_key(Vec::len);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(distribution: &str, size: u64) -> Weight {
        Weight { distribution: distribution.to_owned(), size, ..Weight::default() }
    }

    fn message(weights: &[Weight]) -> String {
        let layer = "Klayers-p312-x".parse().expect("a name");
        TooLargeError::new(&layer, weights, 100_000_000, Basis::Files).to_string()
    }

    #[test]
    fn smallest_sufficient_set_of_settings_is_suggested() {
        let library = Weight { debug: 20_000_000, ..weight("scipy", 70_000_000) };
        let test = Weight { test: true, ..weight("pandas", 15_000_000) };
        let weights = [library, test, weight("pandas", 31_000_000), weight("boto3", 2_000_000)];
        insta::assert_snapshot!(message(&weights), @r#"
        Klayers-p312-x is too large: it unpacks to 118.0 MB; Lambda takes 100.0 MB for a function and all its layers
        biggest: scipy 70.0 MB, pandas 46.0 MB, boto3 2.0 MB
        would save under [slim]: strip = true 20.0 MB, drop_tests = true 15.0 MB, leave_out = ["boto3"] 2.0 MB
        help: 98.0 MB remain with strip = true
        "#);
    }

    #[test]
    fn savings_of_one_file_are_not_counted_twice() {
        let weights = [
            Weight { test: true, debug: 8_000_000, ..weight("a", 10_000_000) },
            Weight { debug: 5_000_000, ..weight("a", 106_000_000) },
            weight("", 1_000_000),
        ];
        insta::assert_snapshot!(message(&weights), @r"
        Klayers-p312-x is too large: it unpacks to 117.0 MB; Lambda takes 100.0 MB for a function and all its layers
        biggest: a 116.0 MB
        would save under [slim]: strip = true 13.0 MB, drop_tests = true 10.0 MB
        help: with all of these 102.0 MB remain; deploy a function of this size as a container image, of up to 10 GB
        ");
    }

    #[test]
    fn message_says_if_no_setting_helps() {
        let weights: Vec<Weight> =
            ["a", "b", "c", "d", "e", "f", "g"].map(|name| weight(name, 20_000_000)).to_vec();
        insta::assert_snapshot!(message(&weights), @r"
        Klayers-p312-x is too large: it unpacks to 140.0 MB; Lambda takes 100.0 MB for a function and all its layers
        biggest: a 20.0 MB, b 20.0 MB, c 20.0 MB, d 20.0 MB, e 20.0 MB and 2 others
        strip, drop_tests and leave_out would save nothing
        help: deploy a function of this size as a container image, of up to 10 GB
        ");
    }

    #[test]
    fn leaving_out_bytecode_is_suggested() {
        let weights =
            [weight("a", 95_000_000), Weight { bytecode: true, ..weight("a", 10_000_000) }];
        let message = message(&weights);
        assert!(
            message.ends_with("help: 95.0 MB remain with [build] bytecode = \"off\""),
            "{message}"
        );
    }
}
