//! From a layer that is to be built to a build that is recorded: the artifacts first, then the
//! record that names them.

use std::io::Write;

use jiff::Timestamp;
use klayers_core::{Build, Digest};

use super::{Pipeline, build_layer};
use crate::Error;
use crate::artifacts::ArtifactError;
use crate::lock::{Lock, LockError};
use crate::plan::Wanted;

impl Pipeline {
    pub(super) async fn build_and_store(
        &self,
        wanted: &Wanted,
        lock: &Lock,
        now: Timestamp,
    ) -> Result<Build, Error> {
        let package = wanted.requirement.name();
        let staging = self.artifacts.staging();
        let zip = build_layer(&self.fetcher, &wanted.layer, lock, staging).await?;
        let version = match lock.wheel(package) {
            Some(wheel) => wheel.pin.version.clone(),
            None => return Err(LockError::Lacks(package.clone()).into()),
        };
        let lock_digest = Digest::of(zip.pylock.as_bytes());
        let build = Build {
            target: wanted.target,
            package: package.clone(),
            version,
            dependencies: lock.pins(),
            requirements_hash: lock.requirements_hash(),
            wheels_hash: lock.wheels_hash(),
            lock_digest,
            content_digest: zip.digest,
            code_size: zip.size,
            unzipped_size: zip.unzipped_size,
            license: zip.license(package).map(str::to_owned),
            created_at: now,
        };
        let staged =
            |source| ArtifactError::Io { action: "write in", path: staging.to_owned(), source };
        let mut lock_file = tempfile::NamedTempFile::new_in(staging).map_err(staged)?;
        lock_file.write_all(zip.pylock.as_bytes()).map_err(staged)?;
        self.artifacts.put(lock_file.into_temp_path(), lock_digest).await?;
        self.artifacts.put(zip.file, zip.digest).await?;
        self.catalog().record_build(&build).await?;
        Ok(build)
    }
}
