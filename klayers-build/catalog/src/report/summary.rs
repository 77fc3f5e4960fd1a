//! Summarizes a report for people.

use std::collections::BTreeMap;
use std::fmt;

use klayers_core::Region;
use klayers_wheel::Size;

use super::{BuiltLayer, RunReport, RunWarning};

/// Number of slowest and largest layers that are named.
const NAMED: usize = 5;

impl RunReport {
    /// The numbers of the run in one line.
    pub fn tally(&self) -> String {
        let Self { layers, unchanged, failed, .. } = self;
        let (built, published) = (self.built.len(), self.published.values().sum::<usize>());
        format!(
            "{layers} layers: {built} built, {published} layer versions published, \
             {unchanged} unchanged, {failed} failed"
        )
    }

    /// Returns the report in a form to show to people.
    pub fn summary(&self) -> Summary<'_> {
        Summary { report: self, failures: Some(usize::MAX) }
    }

    /// The built layers that took longest, slowest first.
    pub fn slowest(&self) -> Vec<&BuiltLayer> {
        self.first(|layer| layer.milliseconds)
    }

    /// The built layers with the largest zips, largest first.
    pub fn biggest(&self) -> Vec<&BuiltLayer> {
        self.first(|layer| layer.code_size)
    }

    fn first(&self, measure: impl Fn(&BuiltLayer) -> u64) -> Vec<&BuiltLayer> {
        let mut built: Vec<&BuiltLayer> = self.built.iter().collect();
        // Equal layers keep the order in which they were built.
        built.sort_by_key(|layer| std::cmp::Reverse(measure(layer)));
        built.truncate(NAMED);
        built
    }
}

/// Shows a report: the numbers, then where layer versions were published, what failed and why, and
/// the slowest and largest layers.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    report: &'a RunReport,
    failures: Option<usize>,
}

impl Summary<'_> {
    /// Shows at most this many failures, and the number of the others.
    #[must_use]
    pub fn with_failures(self, at_most: usize) -> Self {
        Self { failures: Some(at_most), ..self }
    }

    /// Omits failures, for callers that show them separately.
    #[must_use]
    pub fn without_failures(self) -> Self {
        Self { failures: None, ..self }
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        write!(f, "{}", report.tally())?;
        if !report.published.is_empty() {
            write!(f, "\n  published  {}", by_region(&report.published))?;
        }
        for arn in &report.completed {
            write!(f, "\n  completed  {arn}, which an earlier run had left under way")?;
        }
        for replaced in &report.replaced {
            write!(f, "\n  replaced   {replaced}")?;
        }
        if let Some(at_most) = self.failures {
            let failures = report.failure_groups();
            for failure in failures.iter().take(at_most) {
                write!(f, "\n  failed     {}", failure.to_line())?;
            }
            if let Some(more) = failures.len().checked_sub(at_most).filter(|more| *more > 0) {
                write!(f, "\n  failed     {more} more")?;
            }
        }
        for warning in &report.warnings {
            write!(f, "\n  warning    {warning}")?;
        }
        let list = |layers: Vec<&BuiltLayer>, measure: &dyn Fn(&BuiltLayer) -> String| {
            let named: Vec<String> = layers
                .into_iter()
                .map(|layer| format!("{} {} {}", layer.target, layer.package, measure(layer)))
                .collect();
            named.join(", ")
        };
        if !report.built.is_empty() {
            let slowest = list(report.slowest(), &|layer| Took(layer.milliseconds).to_string());
            let biggest = list(report.biggest(), &|layer| Size(layer.code_size).to_string());
            write!(f, "\n  slowest    {slowest}\n  biggest    {biggest}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RunWarning {
    /// The layers come first, as in all lines of a run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.layers[..] {
            [layer] => write!(f, "{layer}: {}", self.text),
            layers => write!(f, "{} ({} layers)", self.text, layers.len()),
        }
    }
}

/// Number of layer versions by region. Regions with the same number are combined.
fn by_region(published: &BTreeMap<Region, usize>) -> String {
    let mut by_number: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (region, number) in published {
        by_number.entry(*number).or_default().push(region.as_str());
    }
    let parts: Vec<String> = by_number
        .iter()
        .rev()
        .map(|(number, regions)| match &regions[..] {
            [region] => format!("{number} in {region}"),
            _ => format!("{number} each in {}", regions.join(", ")),
        })
        .collect();
    parts.join("; ")
}

/// A time in milliseconds, formatted as 12.3 s or 3 min 2 s.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Took(pub u64);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        match seconds {
            0..60 => write!(f, "{seconds}.{} s", self.0 % 1000 / 100),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {} min", seconds / 3600, seconds % 3600 / 60),
        }
    }
}

#[cfg(test)]
mod tests;
