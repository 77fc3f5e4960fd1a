//! A report grows while its run goes on, so that there is one however the run ends.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use klayers_core::Region;

use super::{BuiltLayer, Failure, RunReport, RunWarning};
use crate::Error;
use crate::catalog::OwedPointer;
use crate::error::in_one_line;
use crate::message::{Message, Settings};
use crate::pipeline::{LayerOutcome, Run, SettledLate};
use crate::plan::{Caution, Wanted};
use crate::publish::PublishError;

impl RunReport {
    /// The report of a run that begins: of the whole collection, and not the run of a month.
    pub fn begin(begun_at: Timestamp) -> Self {
        Self {
            begun_at,
            milliseconds: 0,
            scheduled: false,
            whole: true,
            layers: 0,
            unchanged: 0,
            failed: 0,
            built: Vec::new(),
            published: BTreeMap::new(),
            completed: Vec::new(),
            replaced: Vec::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Writes down what an earlier run had left under way, and what became of it.
    pub fn add_settled(&mut self, run: &Run<'_>) {
        self.completed.extend(run.completed.iter().cloned());
        for (region, error) in &run.unsettled {
            self.failures.push(Failure::of_region(region, in_one_line(error)));
        }
        let unmoved = run.unmoved.iter();
        self.failures.extend(unmoved.map(|(pointer, reason)| Failure::of_pointer(pointer, reason)));
    }

    /// Writes down the same of regions that got ready after the run had begun.
    pub fn add_settled_late(&mut self, run: &Run<'_>) {
        let SettledLate { completed, failed, unmoved } = run.settled_late();
        self.completed.extend(completed);
        let unmoved = unmoved.iter();
        self.failures.extend(unmoved.map(|(pointer, reason)| Failure::of_pointer(pointer, reason)));
        for (region, reason) in failed {
            let is_known = self.failures.iter().any(|failure| failure.is_of_region(&region));
            if !is_known {
                self.failures.push(Failure::of_region(&region, reason));
            }
        }
    }

    /// Writes down what became of a layer.
    ///
    /// Where a region was closed, its reason is written down once, with the number of layers that
    /// were not published there.
    pub fn add(&mut self, outcome: &LayerOutcome) {
        let LayerOutcome { wanted, build_time, result } = outcome;
        self.layers += 1;
        self.failed += usize::from(outcome.has_failed());
        let done = match result {
            Ok(done) => done,
            Err(error) => return self.failures.push(Failure::of_layer(wanted, None, error)),
        };
        for caution in &done.cautions {
            self.warn(wanted, caution);
        }
        if let Some(reason) = done.built {
            self.built.push(BuiltLayer {
                target: wanted.target,
                package: wanted.contents.name().clone(),
                version: done.build.version.clone(),
                reason,
                code_size: done.build.content().map_or(0, |content| content.size),
                milliseconds: milliseconds(*build_time),
            });
        } else if done.published.is_empty() {
            self.unchanged += 1;
        }
        for (region, error) in &done.unmoved {
            self.failures.push(Failure::of_layer(wanted, Some(region), error));
        }
        for (region, outcome) in &done.published {
            match outcome {
                Ok(_) => *self.published.entry(region.clone()).or_default() += 1,
                Err(error) => match closing(error) {
                    Some(reason) => self.close(region, reason),
                    None => self.failures.push(Failure::of_layer(wanted, Some(region), error)),
                },
            }
        }
    }

    /// Writes down what is worth a look in a layer.
    pub fn warn(&mut self, wanted: &Wanted, caution: &Caution) {
        let text = caution.to_string();
        let layer = format!("{} {}", wanted.target, wanted.contents.name());
        match self.warnings.iter_mut().find(|warning| warning.text == text) {
            Some(warning) => warning.layers.push(layer),
            None => self.warnings.push(RunWarning { text, layers: vec![layer] }),
        }
    }

    /// Writes down that a layer could not be planned or built.
    pub fn add_failure(&mut self, wanted: &Wanted, error: &Error) {
        self.failed += 1;
        self.failures.push(Failure::of_layer(wanted, None, error));
    }

    /// Writes down what kept the run from going on.
    pub fn add_error(&mut self, error: &Error) {
        let message = Some(Message::new(error, Settings::File));
        self.failures.push(Failure { message, ..Failure::of_run(in_one_line(error)) });
    }

    /// Writes down that the run was told to end. What was under way then is not in the report.
    pub fn add_interruption(&mut self) {
        self.failures.push(Failure::of_run("it was interrupted".to_owned()));
    }

    /// Writes down how long the run took.
    pub fn end(&mut self, took: Duration) {
        self.milliseconds = milliseconds(took);
    }

    fn close(&mut self, region: &Region, reason: String) {
        let known = self.failures.iter_mut().find(|failure| failure.is_of_region(region));
        match known {
            Some(failure) => failure.layers += 1,
            None => {
                self.failures.push(Failure { layers: 1, ..Failure::of_region(region, reason) });
            }
        }
    }
}

impl Failure {
    fn of_run(reason: String) -> Self {
        Self { target: None, package: None, region: None, reason, message: None, layers: 0 }
    }

    fn of_region(region: &Region, reason: String) -> Self {
        Self { region: Some(region.clone()), ..Self::of_run(reason) }
    }

    /// Whether a whole region failed.
    fn is_of_region(&self, region: &Region) -> bool {
        self.region.as_ref() == Some(region) && self.package.is_none()
    }

    /// Of a pointer that is owed.
    fn of_pointer(pointer: &OwedPointer, reason: &str) -> Self {
        let OwedPointer { region, target, package } = pointer.clone();
        let (target, package, region) = (Some(target), Some(package), Some(region));
        Self { target, package, region, layers: 1, ..Self::of_run(reason.to_owned()) }
    }

    fn of_layer(wanted: &Wanted, region: Option<&Region>, error: &Error) -> Self {
        Self {
            target: Some(wanted.target),
            package: Some(wanted.contents.name().clone()),
            region: region.cloned(),
            reason: in_one_line(error),
            message: Some(Message::new(error, Settings::File)),
            layers: 1,
        }
    }
}

/// Why a whole region is closed, if it is that.
fn closing(error: &Error) -> Option<String> {
    match error {
        Error::Publish(PublishError::Closed { reason, .. }) => Some(reason.clone()),
        Error::Publish(why) if why.concerns_region() => Some(in_one_line(error)),
        _ => None,
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
