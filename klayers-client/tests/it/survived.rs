//! Every line of the list of faults that is the client's, fault by fault: what became of it, and
//! that it never was a wrong answer. One line of figures says what was tried.

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

use self::table::{Case, Fault, Then};
use crate::fixture::{Server, collection};
use crate::retries::untrusted;
use crate::{builder, quick, region, target};

const ARN: &str = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4";

/// How often a request is sent at most.
const ATTEMPTS: u32 = 3;

/// The lines of the list.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Line {
    Network,
    Slow,
    NotTheAnswer,
    Down,
    Cache,
    Callers,
    NoneThere,
}

impl Line {
    const ALL: [Self; 7] = [
        Self::Network,
        Self::Slow,
        Self::NotTheAnswer,
        Self::Down,
        Self::Cache,
        Self::Callers,
        Self::NoneThere,
    ];
}

/// What a caller got.
#[derive(Debug)]
enum Outcome {
    Fresh,
    /// The last good answer, with its age in seconds.
    Stale(u64, Error),
    Told(Error),
    /// The one thing that must never be.
    Wrong(#[expect(dead_code, reason = "it is told by `Debug`")] String),
}

async fn ask(client: &Client) -> Outcome {
    match client.answers().latest_arn("requests", &region(), &target()).await {
        Ok(answer) if answer.value.to_string() != ARN => Outcome::Wrong(answer.value.to_string()),
        Ok(answer) => match answer.stale_because {
            None => Outcome::Fresh,
            Some(error) => Outcome::Stale(answer.age.as_secs(), error),
        },
        Err(error) => Outcome::Told(error),
    }
}

/// What was tried and what came of it.
#[derive(Debug, Default)]
struct Tally {
    faults: BTreeMap<Line, BTreeSet<String>>,
    statuses: BTreeSet<u16>,
    injected: usize,
    fresh: usize,
    stale: usize,
    told: usize,
    wrong: usize,
    /// Faults of which something else came than should.
    unexpected: Vec<String>,
}

impl Tally {
    fn judge(&mut self, line: Line, fault: &str, outcome: &Outcome, right: bool) {
        self.faults.entry(line).or_default().insert(fault.to_owned());
        *match outcome {
            Outcome::Fresh => &mut self.fresh,
            Outcome::Stale(..) => &mut self.stale,
            Outcome::Told(_) => &mut self.told,
            Outcome::Wrong(_) => &mut self.wrong,
        } += 1;
        if !right {
            self.unexpected.push(format!("{line:?}, {fault}: {outcome:?}"));
        }
    }
}

#[tokio::test]
async fn every_fault_of_the_list_is_survived() {
    let mut tally = Tally::default();
    faults_of_servers(&mut tally).await;
    faults_before_a_server(&mut tally).await;
    servers_that_go(&mut tally).await;
    callers_at_once(&mut tally).await;
    none_there(&mut tally).await;
    cache::damaged_files(&mut tally).await;
    cache::locked_file(&mut tally).await;
    cache::folders_of_no_use(&mut tally).await;
    cache::processes_at_once(&mut tally);
    cache::full_disk(&mut tally);
    let count = |line| tally.faults.get(&line).map_or(0, BTreeSet::len);
    println!(
        "lines {}, faults {}, statuses tried {}, faults injected {}, fresh answers {}, \
         stale answers {}, errors {}, wrong answers {}",
        tally.faults.len(),
        Line::ALL.map(count).iter().sum::<usize>(),
        tally.statuses.len(),
        tally.injected,
        tally.fresh,
        tally.stale,
        tally.told,
        tally.wrong,
    );
    assert_eq!(tally.unexpected, [""; 0]);
    assert_eq!(tally.wrong, 0);
    assert!(Line::ALL.iter().all(|&line| count(line) > 0), "{:?}", tally.faults);
    assert_eq!(tally.statuses, table::statuses().collect());
}

/// A server that answers well, but for the faults it is told to inject.
struct Injector {
    server: Server,
    plan: Arc<Mutex<Option<(Fault, usize)>>>,
    injected: Arc<AtomicUsize>,
    seen: usize,
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
                None => well(path, headers, stream),
            }
        });
        Self { server, plan, injected, seen: 0 }
    }

    /// Does this to its next requests.
    fn inject(&mut self, fault: &Fault, times: usize) {
        *self.plan.lock().expect("no thread panics") = Some((Arc::clone(fault), times));
        self.requests();
    }

    fn heal(&mut self) {
        *self.plan.lock().expect("no thread panics") = None;
        self.requests();
    }

    /// How many requests came since this was last asked.
    fn requests(&mut self) -> usize {
        let all = self.server.asked().len();
        all - std::mem::replace(&mut self.seen, all)
    }
}

fn well(path: &str, headers: &str, stream: &mut TcpStream) -> io::Result<()> {
    let body = collection(path).unwrap_or_else(|| "[]".to_owned());
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// A client of the public collection's account, which is in a hurry as the fault wants it.
fn impatient(server: &Server, case: &Case) -> ClientBuilder {
    let builder = builder(server)
        .accounts(["770693421928".parse().expect("an account")])
        .retry_policy(quick().attempts(ATTEMPTS));
    match case.then {
        Then::OutOfTime => builder.total_timeout(Duration::from_millis(600)),
        _ => builder.read_timeout(case.patience),
    }
}

async fn faults_of_servers(tally: &mut Tally) {
    let mut server = Injector::new("Cache-Control: max-age=0\r\n");
    let down = table::status(503);
    let folder = tempfile::tempdir().expect("a folder");
    let build = |case: &Case, cache: Cache| {
        impatient(&server.server, case).cache(cache).build().expect("a client")
    };
    // To make a client takes longer than most of what it does here.
    let mut clients = BTreeMap::new();
    let cases = table::cases();
    for case in &cases {
        clients.entry((case.then, case.patience)).or_insert_with(|| {
            (build(case, Cache::none()), build(case, Cache::memory().folder(folder.path())))
        });
    }
    for case in &cases {
        let (bare, keeping) = &clients[&(case.then, case.patience)];
        tally.statuses.extend(case.status);
        let told = |error: &Error| (case.told)(error);

        // Whenever it is asked, with nothing kept.
        server.inject(&case.fault, usize::MAX);
        let outcome = ask(bare).await;
        let most = if case.then == Then::AskedAgain { ATTEMPTS } else { 1 };
        let right = matches!(&outcome, Outcome::Told(error) if told(error))
            && u32::try_from(server.requests()) == Ok(most);
        tally.judge(case.line, &case.name, &outcome, right);

        // Once.
        server.inject(&case.fault, 1);
        let outcome = ask(bare).await;
        let right = match &outcome {
            Outcome::Fresh => case.then == Then::AskedAgain && server.requests() == 2,
            Outcome::Told(error) => case.then != Then::AskedAgain && told(error),
            _ => false,
        };
        tally.judge(case.line, &case.name, &outcome, right);

        // With an answer that was good.
        server.heal();
        assert!(matches!(ask(keeping).await, Outcome::Fresh), "{}", case.name);
        server.inject(&case.fault, usize::MAX);
        let outcome = ask(keeping).await;
        let right = match &outcome {
            Outcome::Stale(_, error) => case.then != Then::Told && told(error),
            Outcome::Told(error) => case.then == Then::Told && told(error),
            _ => false,
        };
        tally.judge(case.line, &case.name, &outcome, right);

        // Which is there still, in memory and on the disk.
        if case.line == Line::NotTheAnswer {
            server.inject(&down, usize::MAX);
            let other =
                impatient(&server.server, case).cache(Cache::memory().folder(folder.path()));
            for client in [keeping, &other.build().expect("a client")] {
                let outcome = ask(client).await;
                let right = matches!(outcome, Outcome::Stale(..));
                tally.judge(case.line, &case.name, &outcome, right);
            }
        }
    }
    tally.injected += server.injected.load(Ordering::SeqCst);
}

/// No name, no connection, no trust.
async fn faults_before_a_server(tally: &mut Tally) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let refused = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let (self_signed, greeted) = untrusted();
    for (name, url, expected) in [
        ("a name that does not resolve", "http://layers.invalid", TransportFailure::Resolve),
        ("no connection", refused.as_str(), TransportFailure::Connect),
        ("a certificate that nobody signed", self_signed.as_str(), TransportFailure::Tls),
    ] {
        let client = Client::builder().base_url(url).retry_policy(quick()).build();
        let outcome = ask(&client.expect("a client")).await;
        let right = matches!(
            &outcome,
            Outcome::Told(Error::Transport { failure, .. }) if *failure == expected
        );
        tally.judge(Line::Network, name, &outcome, right);
        tally.injected += 1;
    }
    assert_eq!(greeted.load(Ordering::SeqCst), 1, "trust is not asked for again");
}

/// The last good answer of a server that is gone stands in with its age, within the bound alone.
async fn servers_that_go(tally: &mut Tally) {
    for (name, bound, stands_in) in [
        ("gone for less than the bound", Duration::from_hours(1), true),
        ("gone for longer", Duration::from_secs(30), false),
    ] {
        let (url, gone) = answering_once("Cache-Control: max-age=10\r\nAge: 100\r\n");
        let client = Client::builder()
            .base_url(url)
            .retry_policy(quick())
            .cache(Cache::memory().stale_if_error(bound))
            .build()
            .expect("a client");
        assert!(matches!(ask(&client).await, Outcome::Fresh));
        gone.join().expect("no panic").expect("an answer");
        let outcome = ask(&client).await;
        let right = match &outcome {
            Outcome::Stale(age, error) => stands_in && *age >= 100 && error.is_transient(),
            Outcome::Told(error) => !stands_in && error.is_transient(),
            _ => false,
        };
        tally.judge(Line::Down, name, &outcome, right);
        tally.injected += 1;
    }
}

fn answering_once(headers: &'static str) -> (String, JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        // The head of a request for a layer is shorter, and comes in one piece.
        let mut head = [0; 4096];
        let length = stream.read(&mut head)?;
        let head = String::from_utf8_lossy(&head[..length]).into_owned();
        well(head.split(' ').nth(1).unwrap_or_default(), headers, &mut stream)
    });
    (url, thread)
}

/// That there is no layer is never fresh, whatever the server says of its answer.
async fn none_there(tally: &mut Tally) {
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
                Err(error) => Outcome::Told(error),
            };
            let right = matches!(&outcome, Outcome::Told(error) if error.is_not_found());
            tally.judge(Line::NoneThere, name, &outcome, right && server.requests() > 0);
        }
        server.heal();
        let outcome = ask(&client).await;
        tally.judge(Line::NoneThere, name, &outcome, matches!(outcome, Outcome::Fresh));
        tally.injected += server.injected.load(Ordering::SeqCst);
    }
}

/// A hundred callers share what comes of one request, and of its repetitions.
async fn callers_at_once(tally: &mut Tally) {
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
                && matches!(outcome, Outcome::Told(_)) != found;
            tally.judge(Line::Callers, name, &outcome, right);
        }
        assert_eq!(server.requests(), requests, "{name}");
        tally.injected += server.injected.load(Ordering::SeqCst);
    }
}
