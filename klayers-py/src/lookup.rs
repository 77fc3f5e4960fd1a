//! The lookups of a collection, one for each method of the client, and their results.
//!
//! `klayers-py/tests/test_signatures.py` checks that the method, the function of the module, the
//! method of `AsyncClient` and the stub of each lookup have the same parameters.

use std::time::Duration;

use klayers_client::{
    Answer, Architecture, BuildRow, Client, Error, LatestRow, LayerSpec, PackageName, PackageRow,
    PythonVersion, VersionRow,
};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::arguments::{self, Parsed, Spec, ValueOrText};
use crate::error;
use crate::rows::{Build, LatestLayer, LayerVersion, PackageLayer};
use crate::texts::{LayerVersionArn, Region};
use crate::values::Target;

/// A lookup with parsed arguments.
#[derive(Clone)]
pub(crate) enum Lookup {
    LatestArn(PackageName, RegionAndTarget),
    Latest(RegionAndTarget),
    Versions(PackageName, RegionAndTarget),
    Layer(LayerSpec, RegionAndTarget),
    Packages(klayers_client::Target),
    Package(PackageName),
    Targets,
    Regions,
}

#[derive(Clone)]
pub(crate) struct RegionAndTarget {
    pub(crate) region: klayers_client::Region,
    pub(crate) target: klayers_client::Target,
}

/// The result of a lookup.
pub(crate) enum Reply {
    Arn(klayers_client::LayerVersionArn),
    Latest(Vec<LatestRow>),
    Versions(Vec<VersionRow>),
    Layer(Box<VersionRow>),
    Builds(Vec<BuildRow>),
    Package(Vec<PackageRow>),
    Targets(Vec<klayers_client::Target>),
    Regions(Vec<klayers_client::Region>),
}

/// The result of a lookup, and if it comes from an expired cache entry, its age and the reason.
pub(crate) struct Outcome {
    reply: Reply,
    stale: Option<(Duration, Error)>,
}

impl RegionAndTarget {
    pub(crate) fn new(
        Parsed(region): Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Self> {
        Ok(Self { region, target: arguments::target(target, python, arch)? })
    }
}

impl Lookup {
    pub(crate) async fn ask(self, client: &Client) -> Result<Outcome, Error> {
        let answers = client.answers();
        Ok(match self {
            Self::LatestArn(package, RegionAndTarget { region, target }) => {
                outcome(answers.latest_arn(package, &region, &target).await?, Reply::Arn)
            }
            Self::Latest(RegionAndTarget { region, target }) => {
                outcome(answers.latest(&region, &target).await?, Reply::Latest)
            }
            Self::Versions(package, RegionAndTarget { region, target }) => {
                outcome(answers.versions(package, &region, &target).await?, Reply::Versions)
            }
            Self::Layer(spec, RegionAndTarget { region, target }) => {
                let layer = answers.layer(spec, &region, &target).await?;
                outcome(layer, |row| Reply::Layer(Box::new(row)))
            }
            Self::Packages(target) => outcome(answers.packages(&target).await?, Reply::Builds),
            Self::Package(package) => outcome(answers.package(package).await?, Reply::Package),
            Self::Targets => outcome(answers.targets().await?, Reply::Targets),
            Self::Regions => outcome(answers.regions().await?, Reply::Regions),
        })
    }
}

fn outcome<T>(answer: Answer<T>, reply: impl FnOnce(T) -> Reply) -> Outcome {
    let Answer { value, age, stale_because, .. } = answer;
    Outcome { reply: reply(value), stale: stale_because.map(|reason| (age, reason)) }
}

impl Outcome {
    /// The result for Python. Warns if it is stale or if the layer version was withdrawn.
    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        for warning in self.warnings(py)? {
            error::warn(py, &warning)?;
        }
        self.reply.into_python(py)
    }

    /// The result for Python, and the warnings to issue.
    pub(crate) fn into_parts(self, py: Python<'_>) -> PyResult<Parts<'_>> {
        let warnings = self.warnings(py)?;
        Ok((self.reply.into_python(py)?, warnings))
    }

    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut warnings = Vec::new();
        if let Some((age, reason)) = &self.stale {
            warnings.push(error::stale_answer_warning(py, *age, reason)?);
        }
        if let Reply::Layer(row) = &self.reply
            && let Some(reason) = &row.yanked
        {
            warnings.push(error::withdrawn_warning(py, &row.arn, reason)?);
        }
        Ok(warnings)
    }
}

/// A result for Python, and the warnings to issue.
type Parts<'py> = (Bound<'py, PyAny>, Vec<Bound<'py, PyAny>>);

impl Reply {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Arn(arn) => LayerVersionArn(arn).into_bound_py_any(py),
            Self::Latest(rows) => list(py, rows, LatestLayer),
            Self::Versions(rows) => list(py, rows, LayerVersion),
            Self::Layer(row) => LayerVersion(*row).into_bound_py_any(py),
            Self::Builds(rows) => list(py, rows, Build),
            Self::Package(rows) => list(py, rows, PackageLayer),
            Self::Targets(targets) => list(py, targets, Target),
            Self::Regions(regions) => list(py, regions, Region),
        }
    }
}

fn list<'py, T, Class: IntoPyObject<'py>>(
    py: Python<'py>,
    values: Vec<T>,
    class: impl Fn(T) -> Class,
) -> PyResult<Bound<'py, PyAny>> {
    values.into_iter().map(class).collect::<Vec<Class>>().into_bound_py_any(py)
}

/// A lookup of an asynchronous client.
#[pyclass(frozen, name = "_Lookup", module = "klayers._klayers")]
pub(crate) struct PyLookup(pub(crate) Lookup);

#[pymethods]
impl PyLookup {
    #[staticmethod]
    #[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
    pub(crate) fn latest_arn(
        package: ValueOrText<PackageName>,
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Self> {
        let place = RegionAndTarget::new(region, python, arch, target)?;
        Ok(Self(Lookup::LatestArn(package.0, place)))
    }

    #[staticmethod]
    #[pyo3(signature = (*, region, python=None, arch=None, target=None))]
    pub(crate) fn latest(
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Self> {
        Ok(Self(Lookup::Latest(RegionAndTarget::new(region, python, arch, target)?)))
    }

    #[staticmethod]
    #[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
    pub(crate) fn versions(
        package: ValueOrText<PackageName>,
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Self> {
        let place = RegionAndTarget::new(region, python, arch, target)?;
        Ok(Self(Lookup::Versions(package.0, place)))
    }

    #[staticmethod]
    #[pyo3(signature = (layer, *, region, python=None, arch=None, target=None))]
    pub(crate) fn layer(
        layer: Spec,
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Self> {
        let place = RegionAndTarget::new(region, python, arch, target)?;
        Ok(Self(Lookup::Layer(layer.0, place)))
    }

    #[staticmethod]
    #[pyo3(signature = (*, python=None, arch=None, target=None))]
    pub(crate) fn packages(
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Self> {
        Ok(Self(Lookup::Packages(arguments::target(target, python, arch)?)))
    }

    #[staticmethod]
    pub(crate) fn package(package: ValueOrText<PackageName>) -> Self {
        Self(Lookup::Package(package.0))
    }

    #[staticmethod]
    pub(crate) fn targets() -> Self {
        Self(Lookup::Targets)
    }

    #[staticmethod]
    pub(crate) fn regions() -> Self {
        Self(Lookup::Regions)
    }
}
