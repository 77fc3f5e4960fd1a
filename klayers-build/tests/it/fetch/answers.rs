//! Tests all kinds of answers of a server.

use super::*;

#[tokio::test]
async fn wheels_are_requested_once_and_later_runs_use_the_cache() {
    let wheels = [wheel("alpha"), wheel("beta"), wheel("gamma")];
    let server = WheelServer::of(&wheels).await;
    let (cache, lock) = (Cache::new(), lock(&server, &wheels));
    let fetched = cache.fetch(&lock).await.unwrap();
    let names: Vec<&str> = fetched.iter().map(|wheel| wheel.wheel.pin.name.normalized()).collect();
    assert_eq!(names, ["alpha", "beta", "gamma"]);
    for (found, wheel) in fetched.iter().zip(&wheels) {
        let bytes = fs::read(&found.path).unwrap();
        assert_eq!(bytes, wheel.bytes());
    }
    assert_eq!(server.ranges(), [None, None, None]);
    assert_eq!((cache.whole().len(), cache.begun()), (3, vec![]));
    assert_eq!(cache.fetch(&lock).await.unwrap(), fetched);
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn truncated_answer_is_resumed_with_a_range_request() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let cache = Cache::new();
    server.next([Answer::Cut(5_000), Answer::Status(503, Some("0"))]);
    cache.fetch(&lock(&server, &wheels)).await.unwrap();
    let rest = Some("bytes=5000-".to_owned());
    // An error answer does not delete the bytes received before.
    assert_eq!(server.ranges(), [None, rest.clone(), rest]);
    assert_eq!((cache.whole().len(), cache.begun()), (1, vec![]));

    let cache = Cache::new();
    server.next([Answer::Cut(5_000), Answer::Cut(3_000)]);
    cache.fetch(&lock(&server, &wheels)).await.unwrap();
    let parts = ["bytes=5000-", "bytes=8000-"].map(|part| Some(part.to_owned()));
    assert_eq!(server.ranges(), [None, parts[0].clone(), parts[1].clone()]);
    assert_eq!(cache.whole().len(), 1);
}

#[tokio::test]
async fn partial_file_of_one_run_is_completed_by_the_next() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let cache = Cache::new();
    server.next([1_000, 1_000, 1_000, 1_000].map(Answer::Cut));
    let error = cache.fetch(&lock(&server, &wheels)).await.unwrap_err();
    assert!(matches!(error, FetchError::Transport { .. } | FetchError::Cut { .. }), "{error:?}");
    assert_eq!((server.asked().len(), cache.whole(), cache.begun()), (4, vec![], vec![4_000]));
    cache.fetch(&lock(&server, &wheels)).await.unwrap();
    assert_eq!(server.ranges(), [Some("bytes=4000-".to_owned())]);
    assert_eq!((cache.whole().len(), cache.begun()), (1, vec![]));
}

#[tokio::test]
async fn server_without_range_support_is_asked_for_the_whole_file() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    for second in [Answer::Whole, Answer::OtherPart, Answer::Status(416, None)] {
        let cache = Cache::new();
        server.next([Answer::Cut(5_000), second]);
        cache.fetch(&lock(&server, &wheels)).await.unwrap();
        assert_eq!((cache.whole().len(), cache.begun()), (1, vec![]));
        let asked = server.ranges();
        assert_eq!(asked[..2], [None, Some("bytes=5000-".to_owned())]);
        assert!(asked[2..].iter().all(Option::is_none), "{asked:?}");
    }
}

#[tokio::test]
async fn wrong_partial_file_is_discarded_and_fetched_again() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let (cache, lock) = (Cache::new(), lock(&server, &wheels));
    cache.fetcher();
    let begun = cache.0.path().join("partial").join(lock.wheels()[0].sha256.to_string());
    fs::write(begun, [b'x'; 300]).unwrap();
    cache.fetch(&lock).await.unwrap();
    assert_eq!(server.ranges(), [Some("bytes=300-".to_owned()), None]);
    assert_eq!((cache.whole().len(), cache.begun()), (1, vec![]));
}

#[tokio::test]
async fn temporary_server_errors_are_retried() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    for status in [500, 502, 503, 522, 429, 425, 408] {
        let cache = Cache::new();
        server.next([Answer::Status(status, Some("0")), Answer::Status(status, Some("0"))]);
        cache.fetch(&lock(&server, &wheels)).await.unwrap();
        assert_eq!(server.asked().len(), 3, "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    server.next([Answer::Status(429, Some("1"))]);
    let begun = std::time::Instant::now();
    Cache::new().fetch(&lock(&server, &wheels)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn permanent_server_error_is_reported_with_the_url() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let cache = Cache::new();
    server.next(vec![Answer::Status(503, Some("0")); 9]);
    let error = cache.fetch(&lock(&server, &wheels)).await.unwrap_err().to_string();
    let url = server.url("alpha-1.0-py3-none-any.whl");
    let expected =
        format!("could not fetch alpha-1.0-py3-none-any.whl from {url}: the server answered 503");
    assert_eq!(error, expected);
    assert_eq!((server.asked().len(), cache.whole()), (4, vec![]));
}

#[tokio::test]
async fn client_errors_are_not_retried() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    for status in [400, 401, 403, 404, 410, 501] {
        let cache = Cache::new();
        server.next([Answer::Status(status, None)]);
        let error = cache.fetch(&lock(&server, &wheels)).await.unwrap_err();
        assert!(matches!(error, FetchError::Status { status: found, .. } if found == status));
        assert_eq!((server.asked().len(), cache.whole()), (1, vec![]));
    }
}

#[tokio::test]
async fn other_bytes_are_refused_at_once_and_not_stored() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let mut other = wheels[0].bytes();
    other[400] ^= 1;
    let page = b"<html>a page of a proxy</html>".to_vec();
    for (lock, answer) in [
        (lock(&server, &wheels), other),
        (lock_without_sizes(&server, &wheels), page),
        (lock_without_sizes(&server, &wheels), Vec::new()),
    ] {
        let cache = Cache::new();
        server.next([Answer::Other(answer.clone())]);
        let error = cache.fetch(&lock).await.unwrap_err();
        let digest = klayers_core::Digest::of(&answer);
        let FetchError::WrongDigest { found, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*found, digest);
        assert!(error.to_string().contains("alpha-1.0-py3-none-any.whl"), "{error}");
        assert_eq!(server.asked().len(), 1);
        assert_eq!((cache.whole(), cache.begun()), (vec![], vec![]));
    }
}

#[tokio::test]
async fn body_larger_than_locked_size_is_refused() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let cache = Cache::new();
    server.next([Answer::Endless]);
    let error = cache.fetch(&lock(&server, &wheels)).await.unwrap_err();
    let size = wheels[0].bytes().len() as u64;
    assert!(matches!(error, FetchError::TooLarge { limit, .. } if limit == size), "{error:?}");
    assert_eq!((server.asked().len(), cache.whole()), (1, vec![]));
    assert_eq!(cache.begun().iter().sum::<usize>(), 0);
}

#[tokio::test]
async fn body_smaller_than_locked_size_is_continued() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let cache = Cache::new();
    let beginning = wheels[0].bytes()[..700].to_vec();
    server.next([Answer::Other(beginning)]);
    cache.fetch(&lock(&server, &wheels)).await.unwrap();
    assert_eq!(server.ranges(), [None, Some("bytes=700-".to_owned())]);
    assert_eq!(cache.whole().len(), 1);
}

#[tokio::test]
async fn slow_server_is_waited_for_and_silent_one_is_asked_again() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    // The whole transfer takes longer than the allowed silence.
    server.next([Answer::Slow(Duration::from_millis(5))]);
    Cache::new().fetch(&lock(&server, &wheels)).await.unwrap();
    assert_eq!(server.asked().len(), 1);
    server.next([Answer::Silence(600)]);
    Cache::new().fetch(&lock(&server, &wheels)).await.unwrap();
    assert_eq!(server.ranges(), [None, Some("bytes=600-".to_owned())]);
}

#[tokio::test]
async fn trickling_server_is_asked_again_and_then_given_up() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let lock = lock(&server, &wheels);
    // The server is never silent for long: it sends 97 bytes at a time.
    let trickle = Answer::Slow(Duration::from_millis(40));
    let patience = Patience {
        silence: Duration::from_mins(1),
        slow: Duration::from_millis(300),
        least: 18_000,
    };
    let fetch = async |cache: &Cache| {
        Fetcher::with_patience(cache.0.path(), None, patience).unwrap().fetch(&lock).await
    };
    let cache = Cache::new();
    server.next([trickle.clone()]);
    fetch(&cache).await.unwrap();
    let asked = server.ranges();
    assert_eq!((asked.len(), &asked[0]), (2, &None));
    let range = asked[1].as_ref().unwrap();
    assert!(range.starts_with("bytes=") && range != "bytes=0-", "{range}");
    assert_eq!((cache.whole().len(), cache.begun()), (1, vec![]));

    let cache = Cache::new();
    server.next(vec![trickle; 4]);
    let error = fetch(&cache).await.unwrap_err();
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.ends_with(": less than 18000 bytes came in 300ms"), "{said}");
    assert_eq!((server.asked().len(), cache.whole()), (4, vec![]));
}

#[tokio::test]
async fn unreachable_server_is_an_error_that_names_the_wheel() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let lock = lock(&server, &wheels);
    drop(server);
    let cache = Cache::new();
    let error = cache.fetch(&lock).await.unwrap_err();
    assert!(matches!(error, FetchError::Transport { .. }), "{error:?}");
    assert!(error.to_string().starts_with("could not fetch alpha-1.0-py3-none-any.whl from "));
    assert_eq!(cache.whole(), [] as [PathBuf; 0]);
}
