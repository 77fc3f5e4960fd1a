//! Environment markers, evaluated for a target.

use klayers_core::Target;
use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder, MarkerTree};

/// Whether a marker holds on AWS Lambda for a target; none if it is not a marker.
pub(super) fn holds(marker: &str, environment: &MarkerEnvironment) -> Option<bool> {
    let marker: MarkerTree = marker.parse().ok()?;
    Some(marker.evaluate(environment, &[]))
}

/// The markers of one target.
pub(crate) struct Markers(Option<MarkerEnvironment>);

impl Markers {
    /// Those of a target.
    pub(crate) fn of(target: Target) -> Self {
        Self(environment(target))
    }

    /// Whether a marker holds on the target without any extra; none if it is not a marker.
    pub(crate) fn hold(&self, marker: &str) -> Option<bool> {
        holds(marker, self.0.as_ref()?)
    }
}

/// The environment of AWS Lambda for a target.
pub(super) fn environment(target: Target) -> Option<MarkerEnvironment> {
    let python = target.python.to_string();
    let full = format!("{python}.0");
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: &full,
        os_name: "posix",
        platform_machine: target.architecture.machine(),
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system: "Linux",
        platform_version: "",
        python_full_version: &full,
        python_version: &python,
        sys_platform: "linux",
    })
    .ok()
}
