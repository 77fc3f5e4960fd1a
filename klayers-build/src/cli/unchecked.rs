//! Warnings about checks that are skipped because an interpreter is missing, and about layers that
//! could be checked now.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use klayers_build::Error;
use klayers_build::plan::Wanted;
use klayers_catalog::Catalog;
use klayers_core::{Build, PackageName, PythonVersion, Target};
use klayers_layer::builder::BytecodeMode;
use klayers_layer::gate::{ImportCheck, ImportMode, Omitted};
use klayers_layer::resolve::ResolveError;
use klayers_layer::settings::{BuildSettings, Workshop};

use super::output::{self, Level};

/// The most commands that `plan` prints.
const COMMANDS: usize = 4;

/// Warns, in one line, about Python versions without an interpreter on this machine.
pub(super) async fn warn_of_missing_interpreters(
    workshop: &Workshop,
    wanted: &[Wanted],
) -> Result<(), Error> {
    let Some(effect) = effect(&workshop.settings) else { return Ok(()) };
    let pythons: BTreeSet<PythonVersion> =
        wanted.iter().map(|wanted| wanted.target.python).collect();
    let searches = pythons.iter().map(async |python| {
        let found = workshop.interpreters.find(*python).await?;
        Ok::<_, Error>((*python, found.is_some()))
    });
    let found = try_join_all(searches).await?;
    let missing: BTreeSet<PythonVersion> =
        found.into_iter().filter(|(_, is_there)| !is_there).map(|(python, _)| python).collect();
    if !missing.is_empty() {
        let is_concerned = |wanted: &&Wanted| missing.contains(&wanted.target.python);
        let layers = wanted.iter().filter(is_concerned).count();
        output::message(Level::Warning, &missing_line(&missing, layers, effect));
    }
    Ok(())
}

/// How a missing interpreter affects a layer. `None` if it would not be used anyway.
fn effect(settings: &BuildSettings) -> Option<&'static str> {
    match (settings.gate.imports, settings.bytecode) {
        (ImportMode::Required, _) | (_, BytecodeMode::On) => Some("cannot be built"),
        (ImportMode::Auto, BytecodeMode::Auto) => Some("are not imported and hold no bytecode"),
        (ImportMode::Auto, BytecodeMode::Off) => Some("are not imported"),
        (ImportMode::Off, BytecodeMode::Auto) => Some("hold no bytecode"),
        (ImportMode::Off, BytecodeMode::Off) => None,
    }
}

fn missing_line(missing: &BTreeSet<PythonVersion>, layers: usize, effect: &str) -> String {
    let versions: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let layers = match layers {
        1 => "1 layer".to_owned(),
        layers => format!("{layers} layers"),
    };
    format!(
        "no interpreter of Python {}, so new builds of {layers} {effect}; install with \
         `uv python install {}`",
        versions.join(", "),
        versions.join(" ")
    )
}

/// The layers of a plan that were built without an interpreter.
#[derive(Debug, Default)]
pub(super) struct Unchecked(BTreeMap<Target, BTreeMap<PackageName, Omitted>>);

impl Unchecked {
    /// Adds a reused build, if a check was omitted when it was built.
    pub(super) async fn add(&mut self, catalog: &dyn Catalog, build: &Build) -> Result<(), Error> {
        let Some(content) = build.content_digest() else { return Ok(()) };
        let Some(report) = catalog.gate_report(content).await? else { return Ok(()) };
        let omitted = report.omitted();
        if omitted != Omitted::default() {
            let of_target = self.0.entry(build.target).or_default();
            of_target.insert(build.package.clone(), omitted);
        }
        Ok(())
    }

    /// Warns about the layers that could be checked now, with the commands that do so.
    pub(super) async fn tell(mut self, workshop: &Workshop) -> Result<(), Error> {
        let BuildSettings { gate, bytecode, .. } = &workshop.settings;
        for (target, layers) in &mut self.0 {
            let runtime = workshop.settings.runtimes.get(target.python);
            let (imports, compiles) =
                match (workshop.interpreters.find(target.python).await?, runtime) {
                    (Some(interpreter), Some(runtime)) => {
                        let scratch = tempfile::tempdir().map_err(ResolveError::Temporary)?;
                        let path = interpreter.path();
                        let check = ImportCheck::new(path, scratch.path(), *target, runtime);
                        let can_run = check.can_run().await.map_err(Box::new)?.is_ok();
                        (can_run && gate.imports != ImportMode::Off, *bytecode != BytecodeMode::Off)
                    }
                    _ => (false, false),
                };
            for omitted in layers.values_mut() {
                omitted.imports &= imports;
                omitted.bytecode &= compiles;
            }
            layers.retain(|_, omitted| *omitted != Omitted::default());
        }
        self.0.retain(|_, layers| !layers.is_empty());
        let mut lines = self.lines().into_iter();
        if let Some(first) = lines.next() {
            output::message(Level::Warning, &first);
        }
        for line in lines {
            output::message(Level::Status, &line);
        }
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let all = || self.0.values().flat_map(BTreeMap::values);
        let imports = all().filter(|omitted| omitted.imports).count();
        let bytecode = all().filter(|omitted| omitted.bytecode).count();
        let mut what = Vec::new();
        if imports > 0 {
            what.push(format!("{imports} were never imported"));
        }
        if bytecode > 0 {
            what.push(format!("{bytecode} hold no bytecode"));
        }
        if what.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![format!(
            "of these layers, {}, although there is an interpreter now; build again with",
            what.join(" and ")
        )];
        lines.extend(self.0.iter().take(COMMANDS).map(|(target, layers)| {
            let packages: Vec<String> =
                layers.keys().map(|package| format!(" --package {package}")).collect();
            format!("  klayers-pipeline run --force-build --target {target}{}", packages.concat())
        }));
        let more = self.0.len().saturating_sub(COMMANDS);
        if more > 0 {
            lines.push(format!("  and likewise for {more} more targets"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_interpreters_are_one_warning() {
        let missing = ["3.13", "3.14"].map(|python| python.parse().expect("a version"));
        assert_eq!(
            missing_line(&missing.into(), 24, "are not imported"),
            "no interpreter of Python 3.13, 3.14, so new builds of 24 layers are not \
             imported; install with `uv python install 3.13 3.14`"
        );
    }

    #[test]
    fn layers_that_could_be_checked_now_come_with_a_command_per_target() {
        assert_eq!(Unchecked::default().lines(), [""; 0]);
        let imports = Omitted { imports: true, bytecode: false };
        let both = Omitted { imports: true, bytecode: true };
        let layers = |names: &[(&str, Omitted)]| {
            let layer =
                |(name, omitted): &(&str, Omitted)| (name.parse().expect("a name"), *omitted);
            names.iter().map(layer).collect::<BTreeMap<PackageName, Omitted>>()
        };
        let target = |text: &str| text.parse::<Target>().expect("a target");
        let unchecked = Unchecked(BTreeMap::from([
            (target("p3.12"), layers(&[("numpy", imports), ("duckdb", both)])),
            (target("p3.13"), layers(&[("six", both)])),
        ]));
        assert_eq!(
            unchecked.lines(),
            [
                "of these layers, 3 were never imported and 2 hold no bytecode, although \
                 there is an interpreter now; build again with",
                "  klayers-pipeline run --force-build --target p3.12 --package duckdb --package numpy",
                "  klayers-pipeline run --force-build --target p3.13 --package six",
            ]
        );
    }
}
