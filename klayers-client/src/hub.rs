//! What all calls of a client share beside their answers.

use std::sync::Arc;

use klayers_core::api::Route;

use crate::Cache;
#[cfg(feature = "disk-cache")]
use crate::cache::disk::{Disk, Kept};
use crate::freshness::Fields;
use crate::protocol::Api;
use crate::response::Times;
use crate::transport::Transport;

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) api: Api,
    pub(crate) transport: Transport,
    pub(crate) cache: Cache,
    pub(crate) offline: bool,
    #[cfg(feature = "disk-cache")]
    disk: Option<Arc<Disk>>,
}

impl Hub {
    pub(crate) fn new(api: Api, transport: Transport, cache: Cache, offline: bool) -> Arc<Self> {
        Arc::new(Self {
            #[cfg(feature = "disk-cache")]
            disk: cache.folder.clone().map(|at| Arc::new(Disk::new(at, cache.folder_limit))),
            api,
            transport,
            cache,
            offline,
        })
    }
}

/// Files are read and written on a thread that may wait.
#[cfg(feature = "disk-cache")]
impl Hub {
    pub(crate) async fn read(&self, route: &Route) -> Option<(Kept, Vec<u8>)> {
        let key = self.api.key(route);
        self.on_disk(move |disk| disk.read(&key)).await?
    }

    /// Keeps an answer; without a body, the one that is there is kept on.
    pub(crate) async fn write(
        &self,
        route: &Route,
        fields: &Fields,
        times: Times,
        body: Option<Vec<u8>>,
    ) {
        let key = self.api.key(route);
        let kept = Kept {
            route: route.to_string(),
            url: crate::error::shown(&self.api.url(route)),
            fields: fields.clone(),
            sent: times.sent,
            received: times.received,
        };
        let write = move |disk: &Disk| {
            let body = body.or_else(|| Some(disk.read(&key)?.1));
            if let Some(body) = body {
                disk.write(&key, &kept, &body);
            }
        };
        self.on_disk(write).await;
    }

    pub(crate) async fn remove(&self, route: &Route) {
        let key = self.api.key(route);
        self.on_disk(move |disk| disk.remove(&key)).await;
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Disk) -> T + Send + 'static,
    ) -> Option<T> {
        let disk = Arc::clone(self.disk.as_ref()?);
        tokio::task::spawn_blocking(move || act(&disk)).await.ok()
    }
}

#[cfg(not(feature = "disk-cache"))]
#[expect(clippy::unused_async, reason = "where there is a disk, it is waited for")]
impl Hub {
    pub(crate) async fn read(&self, _: &Route) -> Option<(Kept, Vec<u8>)> {
        None
    }

    pub(crate) async fn write(&self, _: &Route, _: &Fields, _: Times, _: Option<Vec<u8>>) {}

    pub(crate) async fn remove(&self, _: &Route) {}
}

/// What is kept of an answer, were there a disk.
#[cfg(not(feature = "disk-cache"))]
pub(crate) struct Kept {
    pub(crate) route: String,
    pub(crate) url: String,
    pub(crate) fields: Fields,
    pub(crate) sent: std::time::SystemTime,
    pub(crate) received: std::time::SystemTime,
}
