//! Conformance suites: what every implementation of a trait must do. A suite receives a home, in
//! which an implementation can be opened repeatedly. Each promise becomes one test for each
//! implementation.

pub(crate) mod artifacts;
pub(crate) mod catalog;
pub(crate) mod publisher;

/// Defines a test for each promise of a suite, each with a home of its own.
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
