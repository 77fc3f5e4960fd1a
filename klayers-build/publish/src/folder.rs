//! A publisher to a folder, which needs no cloud.

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::{
    AccountId, Digest, LayerArn, LayerName, LayerVersionArn, PackageName, Region, Target,
};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{
    InspectedVersion, LayerUpload, ListedVersion, Pointer, PublishError, PublishedVersion,
    Publisher, Trouble,
};
use klayers_wheel::{durable, regular};

/// Publishes to a folder, in the account 000000000000.
///
/// A layer version is the file `{root}/{region}/{layer}/{number}.json`. Its zip is
/// `{root}/content/{SHA-256}.zip`, shared by all versions with the same content. A publication
/// claims a number by creating that file, which the file system allows only once. The file of a
/// deleted version stays and is marked as deleted, so that its number is never reused.
#[derive(Clone, Debug)]
pub struct FolderPublisher {
    root: PathBuf,
    account: AccountId,
}

impl FolderPublisher {
    /// Opens a folder, creating it if it does not exist.
    ///
    /// # Errors
    ///
    /// [`PublishError::Io`] if it cannot be created.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, PublishError> {
        let root = root.into();
        for folder in [root.join(CONTENT), root.join(STAGING)] {
            durable::create_folder(&folder).map_err(failed("create the folder", &folder))?;
        }
        Ok(Self { root, account: account() })
    }

    fn layer(&self, region: &Region, layer: &LayerName) -> Layer {
        Layer {
            folder: self.root.join(region.as_str()).join(layer.as_str()),
            arn: LayerArn::new(region.clone(), self.account.clone(), layer.clone()),
        }
    }

    fn publish(
        &self,
        region: &Region,
        upload: &LayerUpload,
        now: Timestamp,
    ) -> Result<PublishedVersion, PublishError> {
        self.store_content(upload)?;
        let layer = self.layer(region, &upload.name);
        durable::create_folder(&layer.folder)
            .map_err(failed("create the folder", &layer.folder))?;
        let record = Record {
            target: upload.target,
            description: upload.description.clone(),
            license: upload.license.clone(),
            digest: upload.digest,
            size: upload.size,
            created_at: now,
            public: false,
            deleted: false,
        };
        let number = layer.claim(self.write(&record)?)?;
        durable::sync_folders(&layer.folder, &self.root)
            .map_err(failed("publish", &layer.record(number)))?;
        Ok(PublishedVersion {
            arn: layer.arn.version(number),
            digest: record.digest,
            created_at: now,
        })
    }

    /// Stores the zip unless it is already there, checking its digest while copying.
    fn store_content(&self, upload: &LayerUpload) -> Result<(), PublishError> {
        let folder = self.root.join(CONTENT);
        let place = folder.join(format!("{}.zip", upload.digest));
        let there = fs::metadata(&place).is_ok_and(|there| there.len() == upload.size);
        if !there {
            let mut zip = regular::open(&upload.zip).map_err(failed("read", &upload.zip))?;
            let mut copy = self.staged().map_err(failed("store", &place))?;
            let (digest, size) =
                durable::copy(&mut zip, &mut copy).map_err(failed("store", &place))?;
            if (digest, size) != (upload.digest, upload.size) {
                return Err(PublishError::Mismatch {
                    path: upload.zip.clone(),
                    digest: upload.digest,
                    actual: digest,
                });
            }
            replace(copy, &place).map_err(failed("store", &place))?;
        }
        // Sync an existing file too: the process that stored it may not have synced its folders
        // yet.
        durable::sync_folders(&folder, &self.root).map_err(failed("store", &place))
    }

    fn make_public(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        if self.inspect(arn)?.is_none() {
            let reason = "cannot be changed, because the version does not exist".to_owned();
            return Err(PublishError::Policy { arn: Box::new(arn.clone()), reason });
        }
        self.change(arn, "make public", |record| Record { public: true, ..record })
    }

    fn list(&self, region: &Region, layer: &LayerName) -> Result<Vec<ListedVersion>, PublishError> {
        let layer = self.layer(region, layer);
        let mut numbers = layer.numbers()?;
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        let mut versions = Vec::new();
        for number in numbers {
            let Some(record) = layer.read(number)? else {
                continue;
            };
            if !record.deleted {
                versions.push(ListedVersion {
                    arn: layer.arn.clone().version(number),
                    description: record.description,
                    created_at: record.created_at,
                });
            }
        }
        Ok(versions)
    }

    fn inspect(&self, arn: &LayerVersionArn) -> Result<Option<InspectedVersion>, PublishError> {
        let layer = self.layer(arn.region(), arn.name());
        let Some(number) = layer.number_of(arn)? else { return Ok(None) };
        let record = layer.read(number)?.filter(|record| !record.deleted);
        Ok(record.map(|record| InspectedVersion {
            digest: record.digest,
            size: record.size,
            is_public: record.public,
        }))
    }

    fn layers(&self, region: &Region) -> Result<Vec<LayerName>, PublishError> {
        let folder = self.root.join(region.as_str());
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("read", &folder))?,
        };
        let mut layers = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed("read", &folder))?.file_name();
            let layer = name.to_str().and_then(|name| name.parse::<LayerName>().ok());
            let Some(layer) = layer else { continue };
            if !self.list(region, &layer)?.is_empty() {
                layers.push(layer);
            }
        }
        layers.sort();
        Ok(layers)
    }

    fn delete(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        self.change(arn, "delete", |record| Record { deleted: true, ..record })
    }

    /// Rewrites a record, if it exists.
    fn change(
        &self,
        arn: &LayerVersionArn,
        action: &'static str,
        change: impl FnOnce(Record) -> Record,
    ) -> Result<(), PublishError> {
        let layer = self.layer(arn.region(), arn.name());
        let Some(number) = layer.number_of(arn)? else { return Ok(()) };
        let Some(record) = layer.read(number)? else { return Ok(()) };
        let place = layer.record(number);
        let changed = change(record.clone());
        if changed != record {
            replace(self.write(&changed)?, &place).map_err(failed(action, &place))?;
        }
        durable::sync_folders(&layer.folder, &self.root).map_err(failed(action, &place))
    }

    /// Writes a record to a temporary file.
    fn write(&self, record: &Record) -> Result<NamedTempFile, PublishError> {
        let written = self.staged().and_then(|mut file| {
            serde_json::to_writer_pretty(&mut file, record)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            Ok(file)
        });
        written.map_err(failed("write a record in", &self.root.join(STAGING)))
    }

    fn staged(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(self.root.join(STAGING))
    }

    /// Runs `work` in a thread where blocking on the disk is allowed.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, PublishError> + Send + 'static,
    ) -> Result<T, PublishError> {
        let publisher = self.clone();
        tokio::task::spawn_blocking(move || work(&publisher))
            .await
            .map_err(|error| failed("work in", &self.root)(error.into()))?
    }
}

#[async_trait]
impl Publisher for FolderPublisher {
    async fn publish(
        &self,
        region: &Region,
        layer: &LayerUpload,
        now: Timestamp,
    ) -> Result<PublishedVersion, PublishError> {
        let (region, layer) = (region.clone(), layer.clone());
        self.with(move |publisher| publisher.publish(&region, &layer, now)).await
    }

    async fn list(
        &self,
        region: &Region,
        layer: &LayerName,
    ) -> Result<Vec<ListedVersion>, PublishError> {
        let (region, layer) = (region.clone(), layer.clone());
        self.with(move |publisher| publisher.list(&region, &layer)).await
    }

    fn longest_publication(&self) -> Duration {
        Duration::ZERO
    }

    fn trouble(&self, _: &Region) -> Option<Trouble> {
        None
    }

    async fn make_public(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        let arn = arn.clone();
        self.with(move |publisher| publisher.make_public(&arn)).await
    }

    async fn inspect(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<Option<InspectedVersion>, PublishError> {
        let arn = arn.clone();
        self.with(move |publisher| publisher.inspect(&arn)).await
    }

    async fn layers(&self, region: &Region) -> Result<Vec<LayerName>, PublishError> {
        let region = region.clone();
        self.with(move |publisher| publisher.layers(&region)).await
    }

    async fn point(&self, _: &Pointer) -> Result<(), PublishError> {
        Ok(())
    }

    fn keeps_pointers(&self) -> bool {
        false
    }

    async fn pointed(
        &self,
        _: &Region,
        _: Target,
        _: &PackageName,
    ) -> Result<Option<String>, PublishError> {
        Ok(None)
    }

    async fn delete(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        let arn = arn.clone();
        self.with(move |publisher| publisher.delete(&arn)).await
    }
}

// No region has one of these names.
const CONTENT: &str = "content";
const STAGING: &str = "staging";

fn account() -> AccountId {
    "000000000000".parse().expect("12 digits are an account")
}

/// A layer in a region.
struct Layer {
    folder: PathBuf,
    arn: LayerArn,
}

impl Layer {
    /// Returns the number of a version of this layer; `None` if no version can have it.
    fn number_of(&self, arn: &LayerVersionArn) -> Result<Option<NonZeroU64>, PublishError> {
        if *arn.layer() != self.arn {
            return Err(PublishError::NotOurs(arn.clone()));
        }
        Ok(NonZeroU64::new(arn.version()))
    }

    fn record(&self, number: NonZeroU64) -> PathBuf {
        self.folder.join(format!("{number}.json"))
    }

    /// Gives a record the next free number.
    fn claim(&self, mut record: NamedTempFile) -> Result<NonZeroU64, PublishError> {
        let highest = self.numbers()?.into_iter().max();
        let mut number = highest.map_or(NonZeroU64::MIN, |highest| highest.saturating_add(1));
        loop {
            let place = self.record(number);
            match record.persist_noclobber(&place) {
                Ok(_) => return Ok(number),
                Err(exists)
                    if exists.error.kind() == io::ErrorKind::AlreadyExists
                        && number < NonZeroU64::MAX =>
                {
                    record = exists.file;
                    number = number.saturating_add(1);
                }
                Err(refused) => return Err(failed("publish", &place)(refused.error)),
            }
        }
    }

    /// Returns all numbers in use, in no particular order.
    fn numbers(&self) -> Result<Vec<NonZeroU64>, PublishError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("read", &self.folder))?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed("read", &self.folder))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".json"));
            numbers.extend(number.and_then(|number| number.parse::<NonZeroU64>().ok()));
        }
        Ok(numbers)
    }

    fn read(&self, number: NonZeroU64) -> Result<Option<Record>, PublishError> {
        let path = self.record(number);
        let json = match regular::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            json => json.map_err(failed("read", &path))?,
        };
        match serde_json::from_slice(&json) {
            Ok(record) => Ok(Some(record)),
            Err(error) => Err(PublishError::Record { path, source: error.into() }),
        }
    }
}

/// The content of a layer version's file.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    target: Target,
    description: String,
    license: Option<String>,
    digest: Digest,
    size: u64,
    created_at: Timestamp,
    #[serde(default)]
    public: bool,
    deleted: bool,
}

/// Moves a file to its place, replacing an existing file.
fn replace(file: NamedTempFile, place: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(place)?;
    Ok(())
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PublishError + use<> {
    let path = path.to_owned();
    move |source| PublishError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_are_not_region_names() {
        for name in [CONTENT, STAGING] {
            assert!(name.parse::<Region>().is_err());
        }
        assert_eq!(account().as_str(), "000000000000");
    }
}
