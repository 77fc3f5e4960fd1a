//! Builds a layer and records the build: stores the artifacts first, then the record that refers to
//! them.

use std::io::Write;

use jiff::Timestamp;
use klayers_core::{Build, Content, Digest, Origin, PackageName, Requirement};
use tracing::debug;

use super::Pipeline;
use crate::Error;
use crate::plan::{Contents, Wanted};
use klayers_catalog::artifacts::ArtifactError;
use klayers_catalog::failpoint;
use klayers_layer::assemble::LayerZip;
use klayers_layer::builder::BuiltLayer;
use klayers_layer::gate::GateReport;
use klayers_layer::lock::{Lock, LockError};

impl Pipeline {
    pub(super) async fn build_and_store(
        &self,
        wanted: &Wanted,
        lock: &Lock,
        now: Timestamp,
    ) -> Result<(Build, GateReport), Error> {
        let leader = wanted.contents.leader();
        debug!(target = %wanted.target, package = %wanted.contents.name(), "building");
        let staging = self.artifacts.staging();
        let layer = self.builder.build(&wanted.layer, lock, staging).await?;
        let report = self.check(wanted, &layer).await?;
        let zip = layer.zip;
        let version = match lock.wheel(leader) {
            Some(wheel) => wheel.pin.version.clone(),
            None => return Err(LockError::Lacks(leader.clone()).into()),
        };
        let lock_digest = Digest::of(zip.pylock.as_bytes());
        let build = Build {
            target: wanted.target,
            package: wanted.contents.name().clone(),
            version,
            dependencies: lock.pins(),
            requirements_hash: lock.requirements_hash(),
            origin: Origin::Locked {
                wheels_hash: lock.wheels_hash(),
                lock_digest,
                content: Content {
                    digest: zip.digest,
                    size: zip.size,
                    unzipped_size: zip.unzipped_size,
                },
            },
            license: license(&wanted.contents, &zip),
            created_at: Some(now),
        };
        let staged =
            |source| ArtifactError::Io { action: "write in", path: staging.to_owned(), source };
        let mut lock_file = tempfile::NamedTempFile::new_in(staging).map_err(staged)?;
        lock_file.write_all(zip.pylock.as_bytes()).map_err(staged)?;
        failpoint::reach("built");
        self.artifacts.put(lock_file.into_temp_path(), lock_digest).await?;
        failpoint::reach("lock stored");
        self.artifacts.put(zip.file, zip.digest).await?;
        failpoint::reach("zip stored");
        self.catalog().record_gate_report(zip.digest, &report).await?;
        failpoint::reach("gate recorded");
        self.catalog().record_build(&build).await?;
        failpoint::reach("build recorded");
        Ok((build, report))
    }
}

impl Pipeline {
    /// Returns the gate report of a layer. Its details go to the log.
    async fn check(&self, wanted: &Wanted, layer: &BuiltLayer) -> Result<GateReport, Error> {
        let requirements = wanted.contents.requirements().iter();
        let asked_for: Vec<PackageName> =
            requirements.map(|requirement| requirement.name().clone()).collect();
        let report = self.builder.check(layer, &asked_for, self.artifacts.staging()).await?;
        let (layer, details) = (&wanted.layer, report.details());
        debug!(%layer, passed = report.passed(), details, "checked");
        Ok(report.required(layer)?)
    }
}

/// Returns the licence of a package, or the licences of a bundle's packages with their names.
fn license(contents: &Contents, zip: &LayerZip) -> Option<String> {
    match contents {
        Contents::Package(requirement) => zip.license(requirement.name()).map(str::to_owned),
        Contents::Bundle(bundle) => {
            let packages = bundle.packages().iter().map(Requirement::name);
            let stated: Vec<String> = packages
                .filter_map(|package| Some(format!("{package}: {}", zip.license(package)?)))
                .collect();
            (!stated.is_empty()).then(|| stated.join("; "))
        }
    }
}
