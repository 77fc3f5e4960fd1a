//! The socket of a connection, which sends bodies from files where they lie in one.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::files::Filed;

/// What a connection is about to send and has in a file. Who answers puts it there, and the socket
/// takes it away when it is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead(Arc<Mutex<Option<Filed>>>);

impl Ahead {
    /// What was there before was sent, or will be from where it is in memory.
    pub(super) fn put(&self, filed: Option<Filed>) {
        *self.lock() = filed;
    }

    // Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, Option<Filed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A TCP connection, which ends with an error when nothing moves on it for too long.
///
/// hyper hands down the bytes of a body where they are, and keeps them until they are sent. So what
/// lies between the ends of a [`Filed`] part, which is kept, too, is of that part: it can be told by
/// its address, and the kernel takes it from the file instead.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    ahead: Ahead,
    idle: Patience,
    stalled: Patience,
}

impl Socket {
    /// `idle` is how long it waits for something to read, `stalled` for room to write.
    pub(super) fn new(stream: TcpStream, ahead: Ahead, idle: Duration, stalled: Duration) -> Self {
        Self { stream, ahead, idle: Patience::new(idle), stalled: Patience::new(stalled) }
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut ahead = self.ahead.lock();
        let Some((filed, place)) =
            ahead.as_ref().and_then(|filed| Some((filed, filed.place(slices)?)))
        else {
            drop(ahead);
            return Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        };
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            let send = || send(&self.stream, &slices[..place.before], filed, &place);
            match self.stream.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(Sent { bytes, is_all }) => {
                    if is_all {
                        *ahead = None;
                    }
                    return Poll::Ready(Ok(bytes));
                }
            }
        }
    }
}

/// How long one waits. The timer is set once, and who is woken by it looks at the clock: to set it
/// anew for each request would wake the runtime each time.
#[derive(Debug)]
struct Patience {
    limit: Duration,
    /// Since when nothing has moved.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, since: None, timer: None }
    }

    /// What an operation came to, or that it is at an end.
    fn or_end<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.since = None;
            return outcome;
        }
        let end = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        while timer.as_mut().poll(context).is_ready() {
            // It may be due for a wait that has ended meanwhile.
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.idle.or_end(context, outcome)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = this.poll_send(context, slices);
        this.stalled.or_end(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Where among slices that are written one is of a part that has a file.
#[derive(Debug, Eq, PartialEq)]
struct Place {
    /// How many slices come before.
    before: usize,
    /// Where in the part it begins.
    skipped: usize,
    /// How long it is; what follows it is written another time.
    length: usize,
}

impl Filed {
    fn place(&self, slices: &[IoSlice<'_>]) -> Option<Place> {
        let part = self.part.as_ptr_range();
        let (before, slice) = slices.iter().enumerate().find(|(_, slice)| {
            let bytes = slice.as_ptr_range();
            !slice.is_empty() && part.contains(&bytes.start) && bytes.end <= part.end
        })?;
        let skipped = slice.as_ptr().addr() - part.start.addr();
        Some(Place { before, skipped, length: slice.len() })
    }
}

struct Sent {
    bytes: usize,
    /// Whether the part was sent to its end.
    is_all: bool,
}

/// Sends what comes before a part, and as much of that as there is room for.
#[cfg(target_os = "linux")]
fn send(
    stream: &TcpStream,
    before: &[IoSlice<'_>],
    filed: &Filed,
    place: &Place,
) -> io::Result<Sent> {
    use rustix::fs::sendfile;
    use rustix::io::retry_on_intr;
    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

    let length = before.iter().map(|slice| slice.len()).sum();
    if length > 0 {
        // In one packet with what follows.
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        let bytes =
            retry_on_intr(|| sendmsg(stream, before, &mut SendAncillaryBuffer::default(), flags))?;
        if bytes < length {
            return Ok(Sent { bytes, is_all: false });
        }
    }
    let mut offset = (filed.offset + place.skipped) as u64;
    match retry_on_intr(|| sendfile(stream, &filed.file, Some(&mut offset), place.length)) {
        Ok(bytes) => {
            Ok(Sent { bytes: length + bytes, is_all: place.skipped + bytes == filed.part.len() })
        }
        // It is met again when the rest is written.
        Err(_) if length > 0 => Ok(Sent { bytes: length, is_all: false }),
        Err(error) => Err(error.into()),
    }
}

/// There are no files to send from.
#[cfg(not(target_os = "linux"))]
fn send(_: &TcpStream, _: &[IoSlice<'_>], _: &Filed, _: &Place) -> io::Result<Sent> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpSocket;

    use super::*;
    use crate::serve::files::file;

    /// A socket whose buffers are smaller than what is sent, and the other end of it.
    async fn connected(ahead: Ahead) -> (Socket, TcpStream) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(8 << 10).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(8 << 10).unwrap();
        let client = client.connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = listener.accept().await.unwrap().0;
        let limit = Duration::from_millis(400);
        (Socket::new(stream, ahead, limit, limit), client)
    }

    /// Bytes that are nowhere the same for long.
    fn bytes(seed: u64, length: usize) -> Bytes {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..length).map(|_| random.u8(..)).collect()
    }

    /// What has a file is sent with other bytes in it, so that one can tell where they came from.
    fn filed(part: &Bytes, offset: usize) -> (Filed, Bytes) {
        let inside = bytes(part.len() as u64, part.len());
        let whole = [&bytes(1, offset)[..], &inside[..], b"beyond"].concat();
        (Filed { part: part.clone(), file: Arc::new(file(&whole).unwrap()), offset }, inside)
    }

    async fn write_all(socket: &mut Socket, mut slices: &mut [IoSlice<'_>]) {
        while !slices.is_empty() {
            let written = socket.write_vectored(slices).await.unwrap();
            assert!(written > 0);
            IoSlice::advance_slices(&mut slices, written);
        }
    }

    /// Reads to the end, a little at a time and with pauses.
    fn read_slowly(mut client: TcpStream) -> tokio::task::JoinHandle<Vec<u8>> {
        tokio::spawn(async move {
            let (mut all, mut some) = (Vec::new(), vec![0; 3001]);
            loop {
                let read = client.read(&mut some).await.unwrap();
                if read == 0 {
                    return all;
                }
                all.extend_from_slice(&some[..read]);
                if all.len() % 7 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        })
    }

    #[tokio::test]
    async fn a_part_comes_from_its_file_and_all_else_from_memory() {
        let ahead = Ahead::default();
        let (mut socket, client) = connected(ahead.clone()).await;
        let reader = read_slowly(client);
        let mut expected = Vec::new();
        for (round, length) in
            [1, 4096, 16 << 10, 100_001, 1 << 20, 3_000_000].into_iter().enumerate()
        {
            let (before, after) = (bytes(7, 333 * round), bytes(8, 5000));
            let part = bytes(9, length);
            let (filed, inside) = filed(&part, 1234 * round);
            ahead.put(Some(filed));
            let twin = Bytes::copy_from_slice(&part);
            let slices = [&before, &twin, &part, &after].map(|bytes| IoSlice::new(bytes));
            write_all(&mut socket, &mut slices.clone()).await;
            expected.extend([&before[..], &twin, &inside, &after].concat());
            assert!(ahead.lock().is_none(), "what was sent is let go");
            // From now on it is like all others.
            write_all(&mut socket, &mut [IoSlice::new(&part)]).await;
            expected.extend_from_slice(&part);
        }
        socket.shutdown().await.unwrap();
        let read = reader.await.unwrap();
        assert_eq!(read.len(), expected.len());
        assert!(read == expected, "a byte differs");
    }

    #[tokio::test]
    async fn what_is_cut_anywhere_goes_on_there() {
        let ahead = Ahead::default();
        let (mut socket, client) = connected(ahead.clone()).await;
        let reader = read_slowly(client);
        let part = bytes(9, 200_000);
        let (filed, inside) = filed(&part, 77);
        ahead.put(Some(filed));
        let mut rest = &part[..];
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(rest.len().min(12_345));
            socket.write_all(piece).await.unwrap();
            rest = others;
        }
        assert!(ahead.lock().is_none());
        socket.shutdown().await.unwrap();
        assert!(reader.await.unwrap() == inside);
    }

    #[tokio::test]
    async fn patience_ends_only_with_those_who_use_it_up() {
        use io::ErrorKind::TimedOut;
        let (mut socket, mut client) = connected(Ahead::default()).await;
        // Longer together than one may wait once, and each wait shorter.
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            client.write_all(b"x").await.unwrap();
            assert_eq!(socket.read_u8().await.unwrap(), b'x');
        }
        let began = Instant::now();
        assert_eq!(socket.read_u8().await.unwrap_err().kind(), TimedOut);
        assert!(began.elapsed() >= Duration::from_millis(395));

        let ahead = Ahead::default();
        let (mut socket, client) = connected(ahead.clone()).await;
        let part = bytes(9, 8 << 20);
        ahead.put(Some(filed(&part, 0).0));
        assert_eq!(socket.write_all(&part).await.unwrap_err().kind(), TimedOut);
        drop(client);
    }

    #[tokio::test]
    async fn a_client_that_left_is_an_error() {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};

        let ahead = Ahead::default();
        let (mut socket, client) = connected(ahead.clone()).await;
        drop(client);
        let part = bytes(9, 1 << 20);
        let outcome = async {
            loop {
                ahead.put(Some(filed(&part, 0).0));
                socket.write_all(&part).await?;
            }
        };
        let outcome: io::Result<()> = outcome.await;
        assert!(matches!(outcome.unwrap_err().kind(), BrokenPipe | ConnectionReset));
    }
}
