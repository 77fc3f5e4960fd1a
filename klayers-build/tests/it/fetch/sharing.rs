//! Tests a cache that several fetchers and processes share.

use super::*;
use crate::support::command::Home;

#[tokio::test]
async fn fetchers_that_share_a_cache_request_each_wheel_once() {
    let wheels = [wheel("alpha"), wheel("beta")];
    let server = WheelServer::of(&wheels).await;
    let (cache, lock) = (Cache::new(), lock(&server, &wheels));
    let fetchers = [(); 8].map(|()| cache.patient_fetcher());
    // The answers are slow, so that all fetchers have time to ask.
    server.next([Answer::Slow(Duration::from_millis(2)), Answer::Slow(Duration::from_millis(2))]);
    let all = futures::future::join_all(fetchers.iter().map(|fetcher| fetcher.fetch(&lock)));
    let all = all.await.into_iter().map(Result::unwrap);
    let paths: Vec<Vec<PathBuf>> =
        all.map(|wheels| wheels.into_iter().map(|wheel| wheel.path).collect()).collect();
    assert!(paths.iter().all(|found| *found == paths[0]));
    assert_eq!(server.asked().len(), 2);
    assert_eq!((cache.whole().len(), cache.begun()), (2, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_share_a_cache_request_each_wheel_once() {
    let wheels = [wheel("alpha"), wheel("beta")];
    let server = WheelServer::of(&wheels).await;
    let home = Home::new();
    let lock = lock(&server, &wheels).to_pylock(|wheel| wheel.size);
    home.write("pylock.toml", lock);
    server.next([Answer::Slow(Duration::from_millis(5)), Answer::Slow(Duration::from_millis(5))]);
    let arguments = ["build", "alpha", "--python", "3.12", "--lock", "pylock.toml", "--out"];
    let children = ["one", "two", "three"]
        .map(|out| home.command(&[&arguments[..], &[out]].concat()).spawn().unwrap());
    for child in children {
        home.finish(child).ended_with(0);
    }
    assert_eq!(server.asked().len(), 2);
    let zip = |out: &str| fs::read(home.path(&format!("{out}/Klayers-p312-alpha.zip"))).unwrap();
    assert_eq!(zip("one"), zip("two"));
    assert_eq!(zip("one"), zip("three"));
}

#[tokio::test]
async fn truncated_cached_wheel_is_fetched_again() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::of(&wheels).await;
    let lock = lock(&server, &wheels);
    let cache = Cache::new();
    let fetched = cache.fetch(&lock).await.unwrap();
    assert_eq!(server.asked().len(), 1);
    let file = fs::OpenOptions::new().write(true).open(&fetched[0].path).unwrap();
    file.set_len(700).unwrap();
    assert_eq!(cache.fetch(&lock).await.unwrap(), fetched);
    assert_eq!(server.asked().len(), 1);
    assert_eq!((cache.whole().len(), cache.begun()), (1, vec![]));
}

#[tokio::test]
async fn failure_of_one_wheel_keeps_the_others() {
    let wheels = [wheel("alpha"), wheel("beta")];
    let server = WheelServer::of(&wheels[..1]).await;
    let (cache, lock) = (Cache::new(), lock(&server, &wheels));
    let error = cache.fetch(&lock).await.unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 404, .. }), "{error:?}");
    let complete = WheelServer::of(&wheels).await;
    server.asked();
    let lock = super::lock(&complete, &wheels);
    cache.fetch(&lock).await.unwrap();
    assert_eq!(cache.whole().len(), 2);
    let asked: Vec<String> = complete.asked().into_iter().map(|asked| asked.path).collect();
    assert!(asked.contains(&"beta-1.0-py3-none-any.whl".to_owned()), "{asked:?}");
}
