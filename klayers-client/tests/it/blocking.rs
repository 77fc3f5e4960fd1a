use std::thread;

use klayers_client::blocking;

use crate::fixture::Server;
use crate::{builder, region, target};

fn client(server: &Server) -> blocking::Client {
    builder(server).build_blocking().expect("a client")
}

#[test]
fn blocking_client_gives_the_same_answers_as_the_async_client() {
    let server = Server::collection();
    let client = client(&server);
    let arn = client.latest_arn("requests", &region(), &target());
    assert_eq!(arn.expect("an ARN").version(), 4);
    assert_eq!(client.latest(&region(), &target()).expect("rows").len(), 3);
    let versions = client.versions("requests", &region(), &target());
    assert_eq!(versions.expect("rows").len(), 3);
    let error = client.latest_arn("reqeusts", &region(), &target());
    assert!(error.expect_err("no such package").is_not_found());
}

#[tokio::test(flavor = "current_thread")]
async fn blocking_client_can_be_used_and_dropped_on_a_runtime_thread() {
    let server = Server::collection();
    let client = client(&server);
    assert!(client.latest_arn("requests", &region(), &target()).is_ok());
    drop(client.clone());
    assert!(client.latest_arn("requests", &region(), &target()).is_ok());
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_client_can_be_used_in_tasks() {
    let server = Server::collection();
    let client = client(&server);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.latest_arn("requests", &region(), &target()) })
        })
        .collect();
    drop(client);
    for task in tasks {
        assert!(task.await.expect("no panic").is_ok());
    }
}

#[test]
fn threads_can_share_the_blocking_client() {
    let server = Server::collection();
    let client = client(&server);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let arn = client.latest_arn("requests", &region(), &target());
                assert_eq!(arn.expect("an ARN").version(), 4);
            });
        }
    });
    // Simultaneous callers share a request.
    assert!((1..=16).contains(&server.asked().len()));
}
