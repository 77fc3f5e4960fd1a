//! TCP connections that end when a client neither sends nor accepts anything for too long.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// A TCP connection whose reads and writes fail with [`io::ErrorKind::TimedOut`] when they wait for
/// longer than allowed.
#[derive(Debug)]
pub(super) struct TimedStream {
    stream: TcpStream,
    receive: WaitLimit,
    send: WaitLimit,
}

impl TimedStream {
    /// `receive` limits how long a read waits for bytes, `send` how long a write waits for room in
    /// the socket's send buffer.
    pub(super) fn new(stream: TcpStream, receive: Duration, send: Duration) -> Self {
        Self { stream, receive: WaitLimit::new(receive), send: WaitLimit::new(send) }
    }
}

/// Limits how long one operation may stay pending.
///
/// The timer is not reset when an operation ends: resetting it for every request would wake the
/// runtime each time. When the timer fires, the elapsed time of the current wait is checked instead.
#[derive(Debug)]
struct WaitLimit {
    limit: Duration,
    /// When the current wait began.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl WaitLimit {
    fn new(limit: Duration) -> Self {
        Self { limit, since: None, timer: None }
    }

    /// Returns the outcome of an operation, or an error if it has been pending for too long.
    fn check<T>(
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
            // The timer may still be set for an earlier wait.
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.receive.check(context, outcome)
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.send.check(context, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.send.check(context, outcome)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpSocket;

    use super::*;

    /// A stream whose buffers are smaller than what the tests send, and the client's end of the
    /// connection.
    async fn connected() -> (TimedStream, TcpStream) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(8 << 10).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(8 << 10).unwrap();
        let client = client.connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = listener.accept().await.unwrap().0;
        let limit = Duration::from_millis(400);
        (TimedStream::new(stream, limit, limit), client)
    }

    #[tokio::test]
    async fn only_a_single_wait_longer_than_the_limit_times_out() {
        use io::ErrorKind::TimedOut;
        let (mut stream, mut client) = connected().await;
        // The waits together exceed the limit; each of them stays below it.
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            client.write_all(b"x").await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'x');
        }
        let began = Instant::now();
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), TimedOut);
        assert!(began.elapsed() >= Duration::from_millis(395));

        let (mut stream, client) = connected().await;
        let body = vec![9; 8 << 20];
        assert_eq!(stream.write_all(&body).await.unwrap_err().kind(), TimedOut);
        drop(client);
    }

    #[tokio::test]
    async fn writing_to_a_client_that_left_fails() {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};

        let (mut stream, client) = connected().await;
        drop(client);
        let body = vec![9; 1 << 20];
        let outcome: io::Result<()> = async {
            loop {
                stream.write_all(&body).await?;
            }
        }
        .await;
        assert!(matches!(outcome.unwrap_err().kind(), BrokenPipe | ConnectionReset));
    }
}
