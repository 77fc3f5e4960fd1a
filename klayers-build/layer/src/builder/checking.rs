//! Checks a layer that was built: imports its modules and lets the gate judge the result.

use std::path::Path;

use klayers_core::PackageName;

use super::{Builder, BuiltLayer};
use crate::LayerError;
use crate::assemble::AssembleError;
use crate::gate::{
    Distribution, GateReport, ImportCheck, ImportMode, ImportReport, Imported, JudgedLayer,
    UNPACKED_LIMIT, dependencies, depends_on_imports, judge,
};

impl Builder {
    /// Imports the modules of a layer, if there is a suitable interpreter, and judges the layer by
    /// the result. The layer is unpacked below `scratch` for this. `requested` are the packages
    /// that the layer was built for; their main modules must be importable.
    ///
    /// # Errors
    ///
    /// If the layer cannot be unpacked, if no process can be started, or if the packages that were
    /// left out of the layer cannot be fetched.
    pub async fn check(
        &self,
        layer: &BuiltLayer,
        requested: &[PackageName],
        scratch: &Path,
    ) -> Result<GateReport, LayerError> {
        let target = layer.zip.target;
        let runtime = self.runtimes.require(target)?;
        let not_run =
            |reason: String| Imported { report: ImportReport::NotRun { reason }, loaded: None };
        let imported = match &self.interpreters {
            _ if self.rules.imports == ImportMode::Off => not_run("turned off".to_owned()),
            _ if layer.zip.unzipped_size > UNPACKED_LIMIT => {
                not_run("the layer exceeds Lambda's size limit".to_owned())
            }
            Some(interpreters) => match interpreters.find(target.python).await? {
                Some(interpreter) => {
                    let check = ImportCheck::new(interpreter.path(), scratch, target, runtime);
                    self.import(check, layer, scratch).await?
                }
                None => not_run(format!("no interpreter of Python {} was found", target.python)),
            },
            None => not_run("no interpreters were configured".to_owned()),
        };
        let distributions = layer.distributions(&imported.report)?;
        let judged = JudgedLayer {
            distributions: &distributions,
            requested,
            left_out: &layer.lock.slimming().leave_out,
            image: &runtime.base_image(target.architecture),
            rules: &self.rules,
        };
        Ok(judge(layer.findings.clone(), imported, judged))
    }

    /// Like [`check`](Self::check) if the layer's files alone do not show whether it works.
    /// Otherwise nothing is imported.
    ///
    /// # Errors
    ///
    /// Like [`check`](Self::check).
    pub async fn check_if_in_doubt(
        &self,
        layer: &BuiltLayer,
        requested: &[PackageName],
        scratch: &Path,
    ) -> Result<GateReport, LayerError> {
        if depends_on_imports(&layer.findings) {
            self.check(layer, requested, scratch).await
        } else {
            Ok(GateReport::without_imports(layer.findings.clone()))
        }
    }

    async fn import(
        &self,
        check: ImportCheck,
        layer: &BuiltLayer,
        scratch: &Path,
    ) -> Result<Imported, LayerError> {
        let modules: Vec<String> = self.rules.imported(&layer.modules);
        let runtime_packages = match layer.lock.left_out() {
            Some(lock) => {
                let plain = Self { compiling: None, ..self.clone() };
                Some(plain.build(&layer.zip.recipe.layer, &lock, scratch).await?)
            }
            None => None,
        };
        let check = match &runtime_packages {
            Some(packages) => check.with_runtime_packages(&packages.zip.file),
            None => check,
        };
        Ok(check.run(&layer.zip.file, &modules).await.map_err(Box::new)?)
    }
}

impl BuiltLayer {
    /// Returns the layer's distributions. If imports failed because modules are missing, reads
    /// their dependencies, too.
    fn distributions(&self, imports: &ImportReport) -> Result<Vec<Distribution>, LayerError> {
        let mut distributions = self.distributions.clone();
        if !imports.misses_modules() {
            return Ok(distributions);
        }
        for (distribution, wheel) in distributions.iter_mut().zip(self.wheels.iter()) {
            let metadata = format!("{}/METADATA", wheel.inventory().dist_info);
            if let Some(file) = wheel.inventory().file(&metadata) {
                let bytes = wheel.read(file).map_err(AssembleError::from)?;
                let text = String::from_utf8_lossy(&bytes);
                distribution.requires = dependencies(&text, self.zip.target);
            }
        }
        Ok(distributions)
    }
}
