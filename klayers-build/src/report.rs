//! A report grows while its run goes on, so that there is one however the run ends.

use klayers_core::Region;

use crate::Error;
use crate::message::{Settings, explain};
use crate::pipeline::{LateRegions, LayerOutcome, Run};
use crate::plan::{Caution, Wanted};
use klayers_catalog::report::{BuiltLayer, Failure, RunReport, RunWarning, milliseconds};
use klayers_core::terminal::error_chain;
use klayers_publish::PublishError;

/// Writes into a [`RunReport`] what becomes of a run, while it goes on.
pub trait RecordRun {
    /// Writes down what an earlier run had left under way, and what became of it.
    fn add_settled(&mut self, run: &Run<'_>);

    /// Writes down the same of regions that got ready after the run had begun.
    fn add_late_regions(&mut self, run: &Run<'_>);

    /// Writes down what became of a layer.
    ///
    /// Where a region was closed, its reason is written down once, with the number of layers that
    /// were not published there.
    fn add(&mut self, outcome: &LayerOutcome);

    /// Writes down what is worth a look in a layer.
    fn warn(&mut self, wanted: &Wanted, caution: &Caution);

    /// Writes down that a layer could not be planned or built.
    fn add_failure(&mut self, wanted: &Wanted, error: &Error);

    /// Writes down what kept the run from going on.
    fn add_error(&mut self, error: &Error);
}

impl RecordRun for RunReport {
    fn add_settled(&mut self, run: &Run<'_>) {
        self.completed.extend(run.completed.iter().cloned());
        for (region, error) in &run.unsettled {
            self.failures.push(Failure::of_region(region, error_chain(error)));
        }
        let unmoved = run.unmoved.iter();
        self.failures.extend(unmoved.map(|(pointer, reason)| Failure::of_pointer(pointer, reason)));
    }

    fn add_late_regions(&mut self, run: &Run<'_>) {
        let LateRegions { completed, failed, unmoved } = run.late_regions();
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

    fn add(&mut self, outcome: &LayerOutcome) {
        let LayerOutcome { wanted, build_time, result } = outcome;
        self.layers += 1;
        self.failed += usize::from(outcome.has_failed());
        let done = match result {
            Ok(done) => done,
            Err(error) => return self.failures.push(failure_of(wanted, None, error)),
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
            self.failures.push(failure_of(wanted, Some(region), error));
        }
        for (region, outcome) in &done.published {
            match outcome {
                Ok(_) => *self.published.entry(region.clone()).or_default() += 1,
                Err(error) => match closing(error) {
                    Some(reason) => self.close(region, reason),
                    None => self.failures.push(failure_of(wanted, Some(region), error)),
                },
            }
        }
    }

    fn warn(&mut self, wanted: &Wanted, caution: &Caution) {
        let text = caution.to_string();
        let layer = format!("{} {}", wanted.target, wanted.contents.name());
        match self.warnings.iter_mut().find(|warning| warning.text == text) {
            Some(warning) => warning.layers.push(layer),
            None => self.warnings.push(RunWarning { text, layers: vec![layer] }),
        }
    }

    fn add_failure(&mut self, wanted: &Wanted, error: &Error) {
        self.failed += 1;
        self.failures.push(failure_of(wanted, None, error));
    }

    fn add_error(&mut self, error: &Error) {
        let message = Some(explain(error, Settings::File));
        self.failures.push(Failure { message, ..Failure::of_run(error_chain(error)) });
    }
}

/// A layer, or one of its regions, failed.
fn failure_of(wanted: &Wanted, region: Option<&Region>, error: &Error) -> Failure {
    Failure {
        target: Some(wanted.target),
        package: Some(wanted.contents.name().clone()),
        region: region.cloned(),
        reason: error_chain(error),
        message: Some(explain(error, Settings::File)),
        layers: 1,
    }
}

/// Why a whole region is closed, if it is that.
fn closing(error: &Error) -> Option<String> {
    match error {
        Error::Publish(PublishError::Closed { reason, .. }) => Some(reason.clone()),
        Error::Publish(why) if why.concerns_region() => Some(error_chain(error)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
