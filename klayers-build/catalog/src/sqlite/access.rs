//! Runs work on the connections of a catalog.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::OwnedMutexGuard;

use super::SqliteCatalog;
use super::rows::SqliteError;
use crate::CatalogError;

impl SqliteCatalog {
    /// Runs `work` on the connection in a thread where blocking on the disk is allowed.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, CatalogError> {
        on(Arc::clone(&self.connection).lock_owned().await, work).await
    }

    /// Like [`with`](Self::with), on a connection that is free if there is one. For queries of the
    /// listing.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, CatalogError> {
        if self.readers.is_empty() {
            return self.with(work).await;
        }
        let free = self.readers.iter().find_map(|reader| Arc::clone(reader).try_lock_owned().ok());
        let connection = if let Some(connection) = free {
            connection
        } else {
            let next = self.next.fetch_add(1, Ordering::Relaxed) % self.readers.len();
            Arc::clone(&self.readers[next]).lock_owned().await
        };
        on(connection, work).await
    }

    /// Like [`with`](Self::with), in a transaction: all of `work` takes effect, or nothing.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, CatalogError> {
        self.with(|connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcome = work(&transaction)?;
            transaction.commit()?;
            Ok(outcome)
        })
        .await
    }
}

async fn on<T: Send + 'static>(
    mut connection: OwnedMutexGuard<Connection>,
    work: impl FnOnce(&mut Connection) -> Result<T, SqliteError> + Send + 'static,
) -> Result<T, CatalogError> {
    tokio::task::spawn_blocking(move || work(&mut connection))
        .await
        .map_err(|error| CatalogError::Storage(error.into()))?
        .map_err(|SqliteError(error)| error)
}
