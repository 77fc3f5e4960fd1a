//! `klayers.pipeline`: what a pipeline in Python needs besides the client, from the definitions that
//! Klayers' own pipeline uses.

use std::collections::BTreeMap;

use klayers_client::{PackageName, Pin, Region, Target, Timestamp};
use klayers_core::api::{latest_csv as csv, latest_html as html};
use klayers_core::collection::{self, CollectionConfig, CollectionError};
use klayers_core::{LayerName, ParseError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments::{AwareDatetime, Count, Parsed, ValueOrText};
use crate::error::{invalid_value, to_python};
use crate::names::Requirement;
use crate::rows::LatestLayer;
use crate::{texts, values};

/// The start of the next monthly build, later than now. Builds start at 02:00 UTC on the first Sunday
/// of a month.
///
///     >>> next_build(datetime(2026, 11, 22, 16, tzinfo=timezone.utc)).isoformat()
///     '2026-12-06T02:00:00+00:00'
#[pyfunction]
#[pyo3(signature = (now, /))]
pub(crate) fn next_build(now: AwareDatetime) -> Option<Timestamp> {
    klayers_core::next_build(now.0)
}

/// The scheduled start of the last monthly build, not later than now.
///
///     >>> last_build(datetime(2026, 11, 22, 16, tzinfo=timezone.utc)).isoformat()
///     '2026-11-01T02:00:00+00:00'
#[pyfunction]
#[pyo3(signature = (now, /))]
pub(crate) fn last_build(now: AwareDatetime) -> Option<Timestamp> {
    klayers_core::last_build(now.0)
}

/// How long a layer version is kept after a newer one replaced it: for days (of 24 hours each), or for
/// the number of days that packages gives for its package. The newest keep versions never expire.
///
///     >>> policy = ExpiryPolicy(packages={"boto3": 30})
///     >>> policy.expires_at("Boto3", datetime(2026, 11, 1, 2, tzinfo=timezone.utc)).isoformat()
///     '2026-12-01T02:00:00+00:00'
#[pyclass(frozen, eq, module = "klayers.pipeline")]
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct ExpiryPolicy(klayers_core::ExpiryPolicy);

#[pymethods]
impl ExpiryPolicy {
    #[new]
    #[pyo3(
        signature = (days=Count(365), *, packages=None, keep=Count(1)),
        text_signature = "(days=365, *, packages=None, keep=1)"
    )]
    fn new(
        py: Python<'_>,
        days: Count<u32>,
        packages: Option<BTreeMap<String, Count<u32>>>,
        keep: Count<usize>,
    ) -> PyResult<Self> {
        let numbers = packages.unwrap_or_default().into_iter().map(|(package, days)| {
            let package: PackageName = package.parse()?;
            Ok((package, days.0))
        });
        let packages: Result<_, ParseError> = numbers.collect();
        let packages = packages.map_err(|error| to_python(py, &error.into()))?;
        Ok(Self(klayers_core::ExpiryPolicy { days: days.0, packages, keep: keep.0 }))
    }

    /// Days for each package without a number of days of its own.
    #[getter]
    fn days(&self) -> u32 {
        self.0.days
    }

    /// Days for individual packages, by name.
    #[getter]
    fn packages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let days = PyDict::new(py);
        for (package, number) in &self.0.packages {
            days.set_item(package.spelling(), number)?;
        }
        Ok(days)
    }

    /// How many of the newest versions never expire.
    #[getter]
    fn keep(&self) -> usize {
        self.0.keep
    }

    /// When a layer version expires, given the time at which its successor was published.
    fn expires_at(
        &self,
        package: ValueOrText<PackageName>,
        superseded_at: AwareDatetime,
    ) -> Timestamp {
        self.0.expires_at(&package.0, superseded_at.0)
    }

    fn __repr__(&self) -> String {
        let packages: Vec<String> =
            self.0.packages.iter().map(|(name, days)| format!("'{name}': {days}")).collect();
        let klayers_core::ExpiryPolicy { days, keep, .. } = &self.0;
        format!("ExpiryPolicy({days}, packages={{{}}}, keep={keep})", packages.join(", "))
    }
}

/// The packages file of each target, from the config.json of a collection.
///
///     >>> parse_config('{"python_versions": ["p3.12"], "p3.12": {"packages_file": "all.csv"}}')
///     {Target('p3.12'): 'all.csv'}
#[pyfunction]
#[pyo3(signature = (text, /))]
pub(crate) fn parse_config<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyDict>> {
    let config: CollectionConfig = text.parse().map_err(|error| refuse(py, &error))?;
    let files = PyDict::new(py);
    for (target, file) in config.packages_files {
        files.set_item(values::Target(target), file)?;
    }
    Ok(files)
}

/// The requirements in a packages CSV of a collection, in the order of the file.
///
///     >>> parse_packages("Package_Name,License\nrequests,Apache-2.0\n")
///     [Requirement('requests')]
#[pyfunction]
#[pyo3(signature = (text, /))]
pub(crate) fn parse_packages(py: Python<'_>, text: &str) -> PyResult<Vec<Requirement>> {
    let requirements = collection::parse_packages(text).map_err(|error| refuse(py, &error))?;
    Ok(requirements.into_iter().map(Requirement).collect())
}

/// The regions in the regions.csv of a collection, with their names, in the order of the file.
///
///     >>> parse_regions("Code,Name\neu-west-1,EU (Ireland)\n")
///     [(Region('eu-west-1'), 'EU (Ireland)')]
#[pyfunction]
#[pyo3(signature = (text, /))]
pub(crate) fn parse_regions(py: Python<'_>, text: &str) -> PyResult<Vec<(texts::Region, String)>> {
    let regions = collection::parse_regions(text).map_err(|error| refuse(py, &error))?;
    Ok(regions.into_iter().map(|row| (texts::Region(row.region), row.name)).collect())
}

fn refuse(py: Python<'_>, error: &CollectionError) -> PyErr {
    invalid_value(py, &error.to_string())
}

/// The name of the layer of a package for a target.
///
///     >>> layer_name("fake-useragent", "p3.12-arm64")
///     'Klayers-p312-arm64-fake-useragent'
#[pyfunction]
#[pyo3(signature = (package, target, *, prefix="Klayers"))]
pub(crate) fn layer_name(
    py: Python<'_>,
    package: ValueOrText<PackageName>,
    target: ValueOrText<Target>,
    prefix: &str,
) -> PyResult<String> {
    let name = LayerName::new(prefix, target.0, package.0.spelling());
    name.map(|name| name.as_str().to_owned()).map_err(|error| to_python(py, &error.into()))
}

/// The content of a requirements.txt: one "name==version" per line, sorted, without duplicates.
///
///     >>> requirements_txt(["requests==2.32.5", "idna==3.11"])
///     'idna==3.11\nrequests==2.32.5\n'
#[pyfunction]
#[pyo3(signature = (pins, /))]
pub(crate) fn requirements_txt(pins: Vec<Parsed<Pin>>) -> String {
    klayers_core::requirements_txt(pins.iter().map(|Parsed(pin)| pin))
}

/// SHA-256 of the requirements.txt of some pins, in hexadecimal.
#[pyfunction]
#[pyo3(signature = (pins, /))]
pub(crate) fn requirements_hash(pins: Vec<Parsed<Pin>>) -> String {
    klayers_core::requirements_hash(pins.iter().map(|Parsed(pin)| pin)).to_string()
}

/// A list of latest layers in the CSV format of the API.
#[pyfunction]
#[pyo3(signature = (rows, /))]
pub(crate) fn latest_csv(rows: Vec<PyRef<'_, LatestLayer>>) -> String {
    csv(&rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>())
}

/// A list of latest layers in the HTML format of the API.
#[pyfunction]
#[pyo3(signature = (rows, /, *, region, target))]
pub(crate) fn latest_html(
    rows: Vec<PyRef<'_, LatestLayer>>,
    region: Parsed<Region>,
    target: ValueOrText<Target>,
) -> String {
    html(target.0, &region.0, &rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>())
}
