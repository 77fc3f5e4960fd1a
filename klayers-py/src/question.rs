//! What a collection is asked, and what it answers: one for each of the client's methods.

use std::time::Duration;

use klayers_client::{
    Answer, Architecture, BuildRow, Client, Error, LatestRow, LayerSpec, PackageName, PackageRow,
    PythonVersion, VersionRow,
};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::arguments::{self, Given, Parsed, Spec};
use crate::error;
use crate::rows::{Build, LatestLayer, LayerVersion, PackageLayer};
use crate::texts::{LayerVersionArn, Region};
use crate::values::Target;

/// A question, its arguments read.
#[derive(Clone)]
pub(crate) enum Question {
    LatestArn(PackageName, Place),
    Latest(Place),
    Versions(PackageName, Place),
    Layer(LayerSpec, Place),
    Packages(klayers_client::Target),
    Package(PackageName),
    Targets,
    Regions,
}

#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) region: klayers_client::Region,
    pub(crate) target: klayers_client::Target,
}

/// What a question has for an answer.
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

/// An answer, and if it is an old one, how old and why.
pub(crate) struct Outcome {
    reply: Reply,
    stale: Option<(Duration, Error)>,
}

impl Place {
    pub(crate) fn new(
        Parsed(region): Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<Given<klayers_client::Target>>,
    ) -> PyResult<Self> {
        Ok(Self { region, target: arguments::target(target, python, arch)? })
    }
}

impl Question {
    pub(crate) async fn ask(self, client: &Client) -> Result<Outcome, Error> {
        let answers = client.answers();
        Ok(match self {
            Self::LatestArn(package, Place { region, target }) => {
                outcome(answers.latest_arn(package, &region, &target).await?, Reply::Arn)
            }
            Self::Latest(Place { region, target }) => {
                outcome(answers.latest(&region, &target).await?, Reply::Latest)
            }
            Self::Versions(package, Place { region, target }) => {
                outcome(answers.versions(package, &region, &target).await?, Reply::Versions)
            }
            Self::Layer(spec, Place { region, target }) => {
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
    /// The values of Python; warnings tell that they are old, or were withdrawn.
    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        for warning in self.warnings(py)? {
            error::warn(py, &warning)?;
        }
        self.reply.into_python(py)
    }

    /// The values, and what warns of them.
    pub(crate) fn into_parts(self, py: Python<'_>) -> PyResult<Parts<'_>> {
        let warnings = self.warnings(py)?;
        Ok((self.reply.into_python(py)?, warnings))
    }

    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut warnings = Vec::new();
        if let Some((age, reason)) = &self.stale {
            warnings.push(error::stale(py, *age, reason)?);
        }
        if let Reply::Layer(row) = &self.reply
            && let Some(reason) = &row.yanked
        {
            warnings.push(error::withdrawn(py, &row.arn, reason)?);
        }
        Ok(warnings)
    }
}

/// An answer, and what warns of it.
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

/// A question that an asynchronous client asks.
#[pyclass(frozen, name = "_Question", module = "klayers._klayers")]
pub(crate) struct PyQuestion(pub(crate) Question);

#[pymethods]
impl PyQuestion {
    #[staticmethod]
    #[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
    pub(crate) fn latest_arn(
        package: Given<PackageName>,
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<Given<klayers_client::Target>>,
    ) -> PyResult<Self> {
        let place = Place::new(region, python, arch, target)?;
        Ok(Self(Question::LatestArn(package.0, place)))
    }

    #[staticmethod]
    #[pyo3(signature = (*, region, python=None, arch=None, target=None))]
    pub(crate) fn latest(
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<Given<klayers_client::Target>>,
    ) -> PyResult<Self> {
        Ok(Self(Question::Latest(Place::new(region, python, arch, target)?)))
    }

    #[staticmethod]
    #[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
    pub(crate) fn versions(
        package: Given<PackageName>,
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<Given<klayers_client::Target>>,
    ) -> PyResult<Self> {
        let place = Place::new(region, python, arch, target)?;
        Ok(Self(Question::Versions(package.0, place)))
    }

    #[staticmethod]
    #[pyo3(signature = (layer, *, region, python=None, arch=None, target=None))]
    pub(crate) fn layer(
        layer: Spec,
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<Given<klayers_client::Target>>,
    ) -> PyResult<Self> {
        let place = Place::new(region, python, arch, target)?;
        Ok(Self(Question::Layer(layer.0, place)))
    }

    #[staticmethod]
    #[pyo3(signature = (*, python=None, arch=None, target=None))]
    pub(crate) fn packages(
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<Given<klayers_client::Target>>,
    ) -> PyResult<Self> {
        Ok(Self(Question::Packages(arguments::target(target, python, arch)?)))
    }

    #[staticmethod]
    pub(crate) fn package(package: Given<PackageName>) -> Self {
        Self(Question::Package(package.0))
    }

    #[staticmethod]
    pub(crate) fn targets() -> Self {
        Self(Question::Targets)
    }

    #[staticmethod]
    pub(crate) fn regions() -> Self {
        Self(Question::Regions)
    }
}
