//! The behaviour of LocalStack and moto that the publishing tests rely on.

#[cfg(target_os = "linux")]
use std::net::{IpAddr, SocketAddr};
#[cfg(target_os = "linux")]
use std::path::{Path, PathBuf};

use klayers_core::Digest;
use serde_json::json;

use super::{Caller, LAYER, body, zip};
use crate::support::aws::{
    Account, Contents, Fault, FaultProxy, Operation, Rule, boto_view, localstack, moto,
};

#[test]
fn no_two_accounts_are_one() {
    let accounts: Vec<Account> = (0..100).map(|_| Account::new()).collect();
    for (number, account) in accounts.iter().enumerate() {
        assert!(account.id().len() == 12 && account.id().parse::<u64>().is_ok(), "{account:?}");
        assert!(!accounts[..number].contains(account), "{account:?}");
    }
}

#[tokio::test]
async fn accounts_and_regions_are_separate_except_for_public_layers() {
    let Some(localstack) = localstack() else { return };
    let (account, stranger) = (Account::new(), Account::new());
    let ours = Caller::new(&localstack, &account, "eu-west-1");
    let theirs = Caller::new(&localstack, &stranger, "eu-west-1");
    let elsewhere = Caller::new(&localstack, &account, "eu-west-2");

    let zip = zip(1000);
    let version = ours.published(&zip).await;
    assert_eq!(ours.permit(1).await, 201);
    assert_eq!(theirs.published(&zip).await["Version"], 1);
    ours.published(&zip).await;
    assert_eq!(ours.versions().await, [2, 1]);
    assert_eq!(theirs.versions().await, [1]);
    assert_eq!(elsewhere.versions().await, [0_u64; 0]);

    let arn = version["LayerVersionArn"].as_str().unwrap();
    assert_eq!(arn, format!("arn:aws:lambda:eu-west-1:{}:layer:{LAYER}:1", account.id()));
    let seen = theirs.get(&format!("?find=LayerVersion&Arn={arn}")).await;
    let location = seen["Content"]["Location"].as_str().unwrap();
    let download = theirs.client.get(location).send().await.unwrap().bytes().await.unwrap();
    assert!(download == zip.as_slice(), "other bytes: {} of them", download.len());
}

#[tokio::test]
async fn boto_sees_published_versions() {
    let Some(localstack) = localstack() else { return };
    let account = Account::new();
    let caller = Caller::new(&localstack, &account, "sa-east-1");
    let (old, new) = (zip(10), zip(20));
    caller.published(&old).await;
    caller.published(&new).await;
    assert_eq!(caller.permit(2).await, 201);

    let regions = ["sa-east-1", "us-east-1"];
    let mut seen = boto_view(&localstack, &account, &regions, Contents::Downloaded);
    let versions = seen["sa-east-1"][LAYER].as_array_mut().unwrap();
    for (version, zip) in versions.iter_mut().zip([&new, &old]) {
        assert_eq!(version["downloaded"], Digest::of(zip).to_string());
        assert_eq!(version["code_size"], zip.len());
        assert!(version["created"].as_str().is_some_and(|at| at.ends_with("+0000")), "{version}");
        let fields = version.as_object_mut().unwrap();
        fields.retain(|name, _| ["version", "license", "statements"].contains(&name.as_str()));
    }
    let arn = format!("arn:aws:lambda:sa-east-1:{}:layer:{LAYER}:2", account.id());
    let public = json!({
        "Sid": "make_public",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": arn,
    });
    let expected = json!([
        { "version": 2, "license": "Apache-2.0", "statements": [public] },
        { "version": 1, "license": "Apache-2.0", "statements": [] },
    ]);
    assert_eq!(seen, json!({ "sa-east-1": { LAYER: expected }, "us-east-1": {} }));

    let listed = boto_view(&localstack, &account, &["sa-east-1"], Contents::Listed);
    assert!(listed["sa-east-1"][LAYER][0].get("downloaded").is_none(), "{listed}");
}

#[tokio::test]
async fn localstack_works_behind_the_proxy() {
    let Some(localstack) = localstack() else { return };
    let dropped = Rule::new(Fault::AnswerDropped).on(Operation::PublishLayerVersion).times(1);
    let proxy = FaultProxy::start(&localstack, [dropped]).await;
    let account = Account::new();
    for region in ["eu-west-1", "eu-west-2", "eu-west-3"] {
        let caller = Caller::new(&proxy.url(), &account, region);
        assert!(caller.publish(&zip(10)).send().await.is_err());
        assert_eq!(caller.versions().await, [1]);
        caller.published(&zip(10)).await;
        assert_eq!(caller.versions().await, [2, 1]);
    }
}

#[tokio::test]
async fn moto_has_other_partitions() {
    let Some(moto) = moto() else { return };
    let account = Account::new();
    for (region, partition) in [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        let caller = Caller::new(&moto, &account, region);
        let answer = caller.publish(&zip(10)).send().await.unwrap();
        let arn = format!("arn:{partition}:lambda:{region}:{}:layer:{LAYER}:1", account.id());
        assert_eq!(body(answer).await["LayerVersionArn"], arn);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn test_servers_listen_only_on_loopback() {
    let proxy = FaultProxy::start(&"http://127.0.0.1:9".parse().unwrap(), []).await;
    let servers =
        [("the proxy", Some(proxy.url())), ("LocalStack", localstack()), ("moto", moto())];
    for (name, url) in servers {
        let Some(port) = url.and_then(|url| url.port()) else { continue };
        let sockets = listening_beside(port);
        assert!(sockets.iter().any(|socket| socket.port() == port), "{name}: {sockets:?}");
        for socket in sockets {
            assert!(socket.ip().is_loopback(), "{name} listens on {socket}");
        }
    }
}

/// Returns all addresses on which the process that owns a port listens.
#[cfg(target_os = "linux")]
fn listening_beside(port: u16) -> Vec<SocketAddr> {
    let sockets = listening();
    let of = |inodes: &[u64]| -> Vec<SocketAddr> {
        let there = sockets.iter().filter(|(inode, _)| inodes.contains(inode));
        there.map(|(_, address)| *address).collect()
    };
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut inodes = processes.map(|process| inodes_of(&process.path()));
    let found = inodes.find(|inodes| of(inodes).iter().any(|socket| socket.port() == port));
    of(&found.expect("a process that listens"))
}

/// Returns the inode numbers of a process's sockets.
#[cfg(target_os = "linux")]
fn inodes_of(process: &Path) -> Vec<u64> {
    let Ok(files) = std::fs::read_dir(process.join("fd")) else { return Vec::new() };
    let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let inode = |link: PathBuf| {
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok()
    };
    links.filter_map(inode).collect()
}

/// Returns all listening TCP sockets from proc(5). Addresses are hexadecimal numbers of 32 bits,
/// each in the byte order of the machine.
#[cfg(target_os = "linux")]
fn listening() -> Vec<(u64, SocketAddr)> {
    const LISTEN: &str = "0A";
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(lines) = std::fs::read_to_string(table) else { continue };
        for line in lines.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] != LISTEN {
                continue;
            }
            let (address, port) = fields[1].split_once(':').unwrap();
            let words = (0..address.len()).step_by(8).map(|at| &address[at..at + 8]);
            let bytes: Vec<u8> = words
                .flat_map(|word| u32::from_str_radix(word, 16).unwrap().to_ne_bytes())
                .collect();
            let ip: IpAddr = match <[u8; 4]>::try_from(bytes.as_slice()) {
                Ok(bytes) => bytes.into(),
                Err(_) => <[u8; 16]>::try_from(bytes.as_slice()).unwrap().into(),
            };
            let port = u16::from_str_radix(port, 16).unwrap();
            found.push((fields[9].parse().unwrap(), SocketAddr::new(ip, port)));
        }
    }
    found
}
