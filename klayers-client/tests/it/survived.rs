//! Injects every fault that the client must survive, and checks each outcome. A wrong answer must never
//! occur. The test prints one line of figures.

mod cache;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use klayers_client::{Cache, Client, ClientBuilder, Error, TransportFailure};

use self::table::{Case, Fault, Reaction};
use crate::fixture::{Server, collection};
use crate::retries::untrusted;
use crate::{builder, quick, region, target};

const ARN: &str = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4";

/// The attempts per request.
const ATTEMPTS: u32 = 3;

/// The categories of faults.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Category {
    Network,
    Slow,
    NotTheAnswer,
    Down,
    Cache,
    Callers,
    MissingLayer,
}

impl Category {
    const ALL: [Self; 7] = [
        Self::Network,
        Self::Slow,
        Self::NotTheAnswer,
        Self::Down,
        Self::Cache,
        Self::Callers,
        Self::MissingLayer,
    ];
}

/// The result of a lookup.
#[derive(Debug)]
enum Outcome {
    Fresh,
    /// The last valid answer, with its age in seconds.
    Stale(u64, Error),
    Failed(Error),
    /// A wrong answer, which must never occur.
    Wrong(#[expect(dead_code, reason = "printed by `Debug`")] String),
}

async fn ask(client: &Client) -> Outcome {
    match client.answers().latest_arn("requests", &region(), &target()).await {
        Ok(answer) if answer.value.to_string() != ARN => Outcome::Wrong(answer.value.to_string()),
        Ok(answer) => match answer.stale_because {
            None => Outcome::Fresh,
            Some(error) => Outcome::Stale(answer.age.as_secs(), error),
        },
        Err(error) => Outcome::Failed(error),
    }
}

/// Counts of faults and outcomes.
#[derive(Debug, Default)]
struct Tally {
    faults: BTreeMap<Category, BTreeSet<String>>,
    statuses: BTreeSet<u16>,
    injected: usize,
    fresh: usize,
    stale: usize,
    failed: usize,
    wrong: usize,
    /// Faults with an unexpected outcome.
    unexpected: Vec<String>,
}

impl Tally {
    fn judge(&mut self, category: Category, fault: &str, outcome: &Outcome, right: bool) {
        self.faults.entry(category).or_default().insert(fault.to_owned());
        *match outcome {
            Outcome::Fresh => &mut self.fresh,
            Outcome::Stale(..) => &mut self.stale,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Wrong(_) => &mut self.wrong,
        } += 1;
        if !right {
            self.unexpected.push(format!("{category:?}, {fault}: {outcome:?}"));
        }
    }
}

#[tokio::test]
async fn client_survives_every_fault() {
    let mut tally = Tally::default();
    server_faults(&mut tally).await;
    connection_faults(&mut tally).await;
    disappearing_servers(&mut tally).await;
    simultaneous_callers(&mut tally).await;
    missing_layers(&mut tally).await;
    cache::damaged_files(&mut tally).await;
    cache::locked_file(&mut tally).await;
    cache::unusable_folders(&mut tally).await;
    cache::simultaneous_processes(&mut tally);
    cache::full_disk(&mut tally);
    let count = |category| tally.faults.get(&category).map_or(0, BTreeSet::len);
    println!(
        "categories {}, faults {}, statuses tried {}, faults injected {}, fresh answers {}, \
         stale answers {}, errors {}, wrong answers {}",
        tally.faults.len(),
        Category::ALL.map(count).iter().sum::<usize>(),
        tally.statuses.len(),
        tally.injected,
        tally.fresh,
        tally.stale,
        tally.failed,
        tally.wrong,
    );
    assert_eq!(tally.unexpected, [""; 0]);
    assert_eq!(tally.wrong, 0);
    assert!(Category::ALL.iter().all(|&category| count(category) > 0), "{:?}", tally.faults);
    assert_eq!(tally.statuses, table::statuses().collect());
}

/// A server that answers correctly, except for injected faults.
struct Injector {
    server: Server,
    plan: Arc<Mutex<Option<(Fault, usize)>>>,
    injected: Arc<AtomicUsize>,
    counted: usize,
}

impl Injector {
    fn new(headers: &'static str) -> Self {
        let plan = Arc::new(Mutex::new(None::<(Fault, usize)>));
        let injected = Arc::new(AtomicUsize::new(0));
        let (planned, count) = (Arc::clone(&plan), Arc::clone(&injected));
        let server = Server::start(move |path, stream| {
            let fault = planned.lock().expect("no thread panics").as_mut().and_then(|plan| {
                plan.1 = plan.1.checked_sub(1)?;
                Some(Arc::clone(&plan.0))
            });
            match fault {
                Some(fault) => {
                    count.fetch_add(1, Ordering::SeqCst);
                    fault(path, stream)
                }
                None => answer(path, headers, stream),
            }
        });
        Self { server, plan, injected, counted: 0 }
    }

    /// Injects a fault into the next requests.
    fn inject(&mut self, fault: &Fault, times: usize) {
        *self.plan.lock().expect("no thread panics") = Some((Arc::clone(fault), times));
        self.requests();
    }

    fn heal(&mut self) {
        *self.plan.lock().expect("no thread panics") = None;
        self.requests();
    }

    /// The number of requests since the last call.
    fn requests(&mut self) -> usize {
        let all = self.server.asked().len();
        all - std::mem::replace(&mut self.counted, all)
    }
}

fn answer(path: &str, headers: &str, stream: &mut TcpStream) -> io::Result<()> {
    let body = collection(path).unwrap_or_else(|| "[]".to_owned());
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// A client that accepts the public collection's account, with short timeouts for the case.
fn impatient(server: &Server, case: &Case) -> ClientBuilder {
    let builder = builder(server)
        .accounts(["770693421928".parse().expect("an account")])
        .retry_policy(quick().attempts(ATTEMPTS));
    match case.reaction {
        Reaction::OutOfTime => builder.total_timeout(Duration::from_millis(600)),
        _ => builder.read_timeout(case.read_timeout),
    }
}

async fn server_faults(tally: &mut Tally) {
    let mut server = Injector::new("Cache-Control: max-age=0\r\n");
    let down = table::status(503);
    let folder = tempfile::tempdir().expect("a folder");
    let build = |case: &Case, cache: Cache| {
        impatient(&server.server, case).cache(cache).build().expect("a client")
    };
    // Clients are reused, since making one takes longer than most cases.
    let mut clients = BTreeMap::new();
    let cases = table::cases();
    for case in &cases {
        clients.entry((case.reaction, case.read_timeout)).or_insert_with(|| {
            (build(case, Cache::none()), build(case, Cache::memory().folder(folder.path())))
        });
    }
    for case in &cases {
        let (uncached, cached) = &clients[&(case.reaction, case.read_timeout)];
        tally.statuses.extend(case.status);
        let expected = |error: &Error| (case.expected)(error);

        // The fault in every request, without a cached answer.
        server.inject(&case.fault, usize::MAX);
        let outcome = ask(uncached).await;
        let most = if case.reaction == Reaction::Retries { ATTEMPTS } else { 1 };
        let right = matches!(&outcome, Outcome::Failed(error) if expected(error))
            && u32::try_from(server.requests()) == Ok(most);
        tally.judge(case.category, &case.name, &outcome, right);

        // The fault in the first request only.
        server.inject(&case.fault, 1);
        let outcome = ask(uncached).await;
        let right = match &outcome {
            Outcome::Fresh => case.reaction == Reaction::Retries && server.requests() == 2,
            Outcome::Failed(error) => case.reaction != Reaction::Retries && expected(error),
            _ => false,
        };
        tally.judge(case.category, &case.name, &outcome, right);

        // The fault in every request, with a cached answer.
        server.heal();
        assert!(matches!(ask(cached).await, Outcome::Fresh), "{}", case.name);
        server.inject(&case.fault, usize::MAX);
        let outcome = ask(cached).await;
        let right = match &outcome {
            Outcome::Stale(_, error) => case.reaction != Reaction::Fails && expected(error),
            Outcome::Failed(error) => case.reaction == Reaction::Fails && expected(error),
            _ => false,
        };
        tally.judge(case.category, &case.name, &outcome, right);

        // The cached answer is still in memory and on the disk.
        if case.category == Category::NotTheAnswer {
            server.inject(&down, usize::MAX);
            let other =
                impatient(&server.server, case).cache(Cache::memory().folder(folder.path()));
            for client in [cached, &other.build().expect("a client")] {
                let outcome = ask(client).await;
                let right = matches!(outcome, Outcome::Stale(..));
                tally.judge(case.category, &case.name, &outcome, right);
            }
        }
    }
    tally.injected += server.injected.load(Ordering::SeqCst);
}

/// The host name does not resolve, the connection is refused, or the certificate is not trusted.
async fn connection_faults(tally: &mut Tally) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let refused = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let (self_signed, connected) = untrusted();
    for (name, url, expected) in [
        ("a name that does not resolve", "http://layers.invalid", TransportFailure::Resolve),
        ("no connection", refused.as_str(), TransportFailure::Connect),
        ("a certificate that nobody signed", self_signed.as_str(), TransportFailure::Tls),
    ] {
        let client = Client::builder().base_url(url).retry_policy(quick()).build();
        let outcome = ask(&client.expect("a client")).await;
        let right = matches!(
            &outcome,
            Outcome::Failed(Error::Transport { failure, .. }) if *failure == expected
        );
        tally.judge(Category::Network, name, &outcome, right);
        tally.injected += 1;
    }
    assert_eq!(connected.load(Ordering::SeqCst), 1, "no retry with an untrusted certificate");
}

/// The last valid answer is used with its age if the server disappears, but only within the limit.
async fn disappearing_servers(tally: &mut Tally) {
    for (name, limit, stale_is_used) in [
        ("gone for less than the limit", Duration::from_secs(3_600), true),
        ("gone for longer", Duration::from_secs(30), false),
    ] {
        let (url, gone) = answering_once("Cache-Control: max-age=10\r\nAge: 100\r\n");
        let client = Client::builder()
            .base_url(url)
            .retry_policy(quick())
            .cache(Cache::memory().stale_if_error(limit))
            .build()
            .expect("a client");
        assert!(matches!(ask(&client).await, Outcome::Fresh));
        gone.join().expect("no panic").expect("an answer");
        let outcome = ask(&client).await;
        let right = match &outcome {
            Outcome::Stale(age, error) => stale_is_used && *age >= 100 && error.is_transient(),
            Outcome::Failed(error) => !stale_is_used && error.is_transient(),
            _ => false,
        };
        tally.judge(Category::Down, name, &outcome, right);
        tally.injected += 1;
    }
}

fn answering_once(headers: &'static str) -> (String, JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        // The head of the request is shorter and arrives in one piece.
        let mut head = [0; 4096];
        let length = stream.read(&mut head)?;
        let head = String::from_utf8_lossy(&head[..length]).into_owned();
        answer(head.split(' ').nth(1).unwrap_or_default(), headers, &mut stream)
    });
    (url, thread)
}

/// The answer that a layer does not exist is never fresh, whatever the server says.
async fn missing_layers(tally: &mut Tally) {
    let fresh = "Cache-Control: max-age=300\r\n";
    let none: Fault = Arc::new(move |_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\n{fresh}Content-Length: 2\r\nConnection: close\r\n\r\n[]")
    });
    for (name, spelling) in
        [("no layer yet", "requests"), ("no layer of this spelling", "Requests")]
    {
        let mut server = Injector::new(fresh);
        let client = builder(&server.server).build().expect("a client");
        server.inject(&none, usize::MAX);
        for _ in 0..2 {
            let outcome = match client.latest_arn(spelling, &region(), &target()).await {
                Ok(arn) => Outcome::Wrong(arn.to_string()),
                Err(error) => Outcome::Failed(error),
            };
            let right = matches!(&outcome, Outcome::Failed(error) if error.is_not_found());
            tally.judge(Category::MissingLayer, name, &outcome, right && server.requests() > 0);
        }
        server.heal();
        let outcome = ask(&client).await;
        tally.judge(Category::MissingLayer, name, &outcome, matches!(outcome, Outcome::Fresh));
        tally.injected += server.injected.load(Ordering::SeqCst);
    }
}

/// A hundred callers share one request and its retries.
async fn simultaneous_callers(tally: &mut Tally) {
    const CALLERS: usize = 100;
    for (name, fault, times, requests, found) in [
        ("100 callers, no fault", table::status(503), 0, 1, true),
        ("100 callers, 503 twice", table::status(503), 2, 3, true),
        ("100 callers, 404", table::status(404), usize::MAX, 1, false),
    ] {
        let mut server = Injector::new("Cache-Control: max-age=300\r\n");
        let held: Fault = Arc::new(move |path, stream| {
            thread::sleep(Duration::from_millis(300));
            fault(path, stream)
        });
        server.inject(&held, times);
        let client = builder(&server.server).build().expect("a client");
        let calls: Vec<_> = (0..CALLERS)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { ask(&client).await })
            })
            .collect();
        for call in calls {
            let outcome = call.await.expect("no panic");
            let right = matches!(outcome, Outcome::Fresh) == found
                && matches!(outcome, Outcome::Failed(_)) != found;
            tally.judge(Category::Callers, name, &outcome, right);
        }
        assert_eq!(server.requests(), requests, "{name}");
        tally.injected += server.injected.load(Ordering::SeqCst);
    }
}
