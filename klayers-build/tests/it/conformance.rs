//! What every implementation of a seam promises. A suite asks for a home, in which an
//! implementation can be opened again and again; each promise is one test of each implementation.

pub(crate) mod artifacts;
pub(crate) mod catalog;
pub(crate) mod publisher;

/// A test for each promise of a suite, on a home of its own.
macro_rules! promises {
    ($home:expr; $suite:ident: $($promise:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                crate::conformance::$suite::$promise(&$home).await;
            }
        )+
    };
}

pub(crate) use promises;
