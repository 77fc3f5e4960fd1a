//! The output file of a layer.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread::{self, JoinHandle};

use klayers_core::Digest;
use sha2::{Digest as _, Sha256};

/// Number of full buffers that may wait to be written.
const WAITING: usize = 4;
/// Number of bytes after which a sync is started. A single sync at the end would take as long as
/// everything else together.
const SYNC_EVERY: usize = 4 << 20;

/// A file that is hashed, written and synced by other threads while its next part is prepared.
#[derive(Debug)]
pub(super) struct Output {
    /// None once all parts were sent.
    full: Option<SyncSender<Vec<u8>>>,
    written: Receiver<Vec<u8>>,
    hasher: Option<JoinHandle<Digest>>,
    writer: Option<JoinHandle<io::Result<u64>>>,
}

/// A file that is complete and durable.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl Output {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let (full, to_hash) = sync_channel(WAITING);
        let (onward, to_write) = sync_channel(WAITING);
        let (back, written) = channel();
        let hashing = move || hash(&to_hash, &onward);
        let writing = move || write(file, &to_write, |buffer| drop(back.send(buffer)));
        let hasher = thread::Builder::new().name("layer-hasher".to_owned()).spawn(hashing)?;
        let writer = thread::Builder::new().name("layer-writer".to_owned()).spawn(writing)?;
        Ok(Self { full: Some(full), written, hasher: Some(hasher), writer: Some(writer) })
    }

    /// Sends the next part of the file. Returns a buffer to reuse, with arbitrary content.
    pub(super) fn write(&mut self, part: Vec<u8>) -> io::Result<Vec<u8>> {
        match self.full.as_ref().map(|full| full.send(part)) {
            Some(Ok(())) => Ok(self.written.try_recv().unwrap_or_default()),
            // The channel is closed because the writer failed; its result has the error.
            _ => Err(self.outcome().err().unwrap_or(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Waits until everything is written and durable.
    pub(super) fn finish(mut self) -> io::Result<Finished> {
        self.outcome()
    }

    fn outcome(&mut self) -> io::Result<Finished> {
        self.full = None;
        let digest = joined(&mut self.hasher)?;
        let size = joined(&mut self.writer)??;
        Ok(Finished { digest, size })
    }
}

fn joined<T>(thread: &mut Option<JoinHandle<T>>) -> io::Result<T> {
    match thread.take().map(JoinHandle::join) {
        Some(Ok(outcome)) => Ok(outcome),
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

fn hash(parts: &Receiver<Vec<u8>>, onward: &SyncSender<Vec<u8>>) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(&part);
        if onward.send(part).is_err() {
            break;
        }
    }
    Digest::from_bytes(hasher.finalize().into())
}

fn write(
    mut file: File,
    parts: &Receiver<Vec<u8>>,
    give_back: impl Fn(Vec<u8>),
) -> io::Result<u64> {
    let (ask, asked) = sync_channel(1);
    let same_file = file.try_clone()?;
    let syncing = thread::Builder::new()
        .name("layer-sync".to_owned())
        .spawn(move || asked.iter().try_for_each(|()| same_file.sync_data()))?;
    let (mut size, mut unsynced) = (0, 0);
    for part in parts {
        file.write_all(&part)?;
        unsynced += part.len();
        // If a sync is still running, this part is included in the next one.
        if unsynced >= SYNC_EVERY && !matches!(ask.try_send(()), Err(TrySendError::Full(()))) {
            unsynced = 0;
        }
        size += part.len() as u64;
        give_back(part);
    }
    drop(ask);
    match syncing.join() {
        Ok(outcome) => outcome?,
        Err(panic) => std::panic::resume_unwind(panic),
    }
    file.sync_all()?;
    Ok(size)
}
