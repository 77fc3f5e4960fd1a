//! Where answers come from: the API, the transport and the cache folder of one client.

use std::sync::Arc;

use klayers_core::api::Route;

use crate::Cache;
#[cfg(feature = "disk-cache")]
use crate::cache::disk::{CacheEntry, CacheFolder};
use crate::freshness::CacheHeaders;
use crate::protocol::Api;
use crate::response::Times;
use crate::transport::Transport;

#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) api: Api,
    pub(crate) transport: Transport,
    pub(crate) cache: Cache,
    pub(crate) offline: bool,
    #[cfg(feature = "disk-cache")]
    folder: Option<Arc<CacheFolder>>,
}

impl Backend {
    pub(crate) fn new(api: Api, transport: Transport, cache: Cache, offline: bool) -> Arc<Self> {
        Arc::new(Self {
            #[cfg(feature = "disk-cache")]
            folder: cache
                .folder
                .clone()
                .map(|path| Arc::new(CacheFolder::new(path, cache.folder_limit))),
            api,
            transport,
            cache,
            offline,
        })
    }
}

/// Access to the cache folder. Files are read and written on a thread that may block.
#[cfg(feature = "disk-cache")]
impl Backend {
    pub(crate) async fn read(&self, route: &Route) -> Option<(CacheEntry, Vec<u8>)> {
        let key = self.api.key(route);
        self.in_folder(move |folder| folder.read(&key)).await?
    }

    /// Stores an answer. Without a body, the stored body is kept.
    pub(crate) async fn write(
        &self,
        route: &Route,
        headers: &CacheHeaders,
        times: Times,
        body: Option<Vec<u8>>,
    ) {
        let key = self.api.key(route);
        let entry = CacheEntry {
            route: route.to_string(),
            url: crate::display::without_login(&self.api.url(route)),
            headers: headers.clone(),
            sent: times.sent,
            received: times.received,
        };
        let write = move |folder: &CacheFolder| {
            let body = body.or_else(|| Some(folder.read(&key)?.1));
            if let Some(body) = body {
                folder.write(&key, &entry, &body);
            }
        };
        self.in_folder(write).await;
    }

    pub(crate) async fn remove(&self, route: &Route) {
        let key = self.api.key(route);
        self.in_folder(move |folder| folder.remove(&key)).await;
    }

    /// Runs `action` with the cache folder, if there is one.
    async fn in_folder<T: Send + 'static>(
        &self,
        action: impl FnOnce(&CacheFolder) -> T + Send + 'static,
    ) -> Option<T> {
        let folder = Arc::clone(self.folder.as_ref()?);
        tokio::task::spawn_blocking(move || action(&folder)).await.ok()
    }
}

#[cfg(not(feature = "disk-cache"))]
#[expect(
    clippy::unused_async,
    reason = "with the feature disk-cache, these functions wait for the disk"
)]
impl Backend {
    pub(crate) async fn read(&self, _: &Route) -> Option<(CacheEntry, Vec<u8>)> {
        None
    }

    pub(crate) async fn write(&self, _: &Route, _: &CacheHeaders, _: Times, _: Option<Vec<u8>>) {}

    pub(crate) async fn remove(&self, _: &Route) {}
}

/// A stored answer; never made without the feature `disk-cache`.
#[cfg(not(feature = "disk-cache"))]
pub(crate) struct CacheEntry {
    pub(crate) route: String,
    pub(crate) url: String,
    pub(crate) headers: CacheHeaders,
    pub(crate) sent: std::time::SystemTime,
    pub(crate) received: std::time::SystemTime,
}
