//! Reports of runs, and the lease.

use std::collections::BTreeMap;

use super::*;

pub(crate) async fn run_reports_get_increasing_numbers(home: &impl Home) {
    let catalog = home.open();
    let mut numbers = Vec::new();
    for layers in 1..=4 {
        numbers.push(catalog.record_run(&report(layers)).await.unwrap());
    }
    assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
    let catalog = home.open();
    let expected = [(numbers[3], report(4)), (numbers[2], report(3))];
    assert_eq!(catalog.runs(2).await.unwrap(), expected);
    assert_eq!(catalog.runs(usize::MAX).await.unwrap().len(), 4);
    assert_eq!(catalog.runs(0).await.unwrap(), []);
    assert_eq!(catalog.run(numbers[1]).await.unwrap(), Some(report(2)));
    for unknown in [numbers[3] + 1, u64::MAX] {
        assert_eq!(catalog.run(unknown).await.unwrap(), None);
    }
}

pub(crate) async fn lease_is_replaced_only_if_expected_lease_matches(home: &impl Home) {
    let catalog = home.open();
    let (first, renewed, other) = (
        lease("one", 1, "02:00:00.000000001"),
        lease("one", 1, "02:01:30"),
        lease("two", 1, "03:00:00"),
    );
    let replace = async |expected: Option<&Lease>, with: Option<&Lease>| {
        catalog.replace_lease(expected, with).await.unwrap()
    };
    assert!(!replace(Some(&first), Some(&other)).await);
    assert!(replace(None, Some(&first)).await);
    assert_eq!(home.open().lease().await.unwrap().as_ref(), Some(&first));
    assert!(!replace(None, Some(&other)).await);
    assert!(replace(Some(&first), Some(&renewed)).await);
    // The earlier value of a renewed lease no longer matches.
    for with in [None, Some(&other)] {
        assert!(!replace(Some(&first), with).await);
    }
    assert_eq!(catalog.lease().await.unwrap().as_ref(), Some(&renewed));
    assert!(replace(Some(&renewed), Some(&other)).await);
    assert!(replace(Some(&other), None).await);
    assert_eq!(catalog.lease().await.unwrap(), None);
}

pub(crate) async fn only_one_of_concurrent_processes_gets_the_lease(home: &impl Home) {
    home.open();
    let tasks: Vec<_> = (0..16)
        .map(|process| {
            let (catalog, lease) = (home.open(), lease("one", process, "02:00:00"));
            tokio::spawn(async move { catalog.replace_lease(None, Some(&lease)).await.unwrap() })
        })
        .collect();
    let mut taken = Vec::new();
    for (process, task) in (0..).zip(tasks) {
        if task.await.unwrap() {
            taken.push(lease("one", process, "02:00:00"));
        }
    }
    assert_eq!(taken.len(), 1);
    assert_eq!(home.open().lease().await.unwrap(), taken.pop());
}

fn lease(host: &str, process: u32, until: &str) -> Lease {
    Lease { host: host.to_owned(), process, until: at(&format!("2026-11-01T{until}Z")) }
}

/// A report that is identified by its number of layers.
fn report(layers: usize) -> RunReport {
    RunReport {
        begun_at: at("2026-11-01T02:00:00.123456789Z"),
        milliseconds: 1,
        scheduled: true,
        whole: true,
        layers,
        unchanged: 0,
        failed: 0,
        built: Vec::new(),
        published: BTreeMap::from([(region("eu-west-1"), 3)]),
        completed: Vec::new(),
        replaced: Vec::new(),
        failures: Vec::new(),
        warnings: Vec::new(),
    }
}

pub(crate) async fn pointers_are_owed_until_they_are_moved(home: &impl Home) {
    let catalog = home.open();
    let owed = |place: &str, name: &str| OwedPointer {
        region: region(place),
        target: target("p3.12-arm64"),
        package: package(name),
    };
    let sorted =
        [owed("eu-west-1", "Pillow"), owed("eu-west-1", "requests"), owed("us-east-1", "a")];
    for pointer in sorted.iter().rev().chain(&sorted) {
        catalog.owe_pointer(pointer).await.unwrap();
    }
    let told = home.open().owed_pointers().await.unwrap();
    assert_eq!(told, sorted);
    assert_eq!(told[0].package.spelling(), "Pillow");
    for _ in 0..2 {
        catalog.pointer_moved(&sorted[1]).await.unwrap();
        assert_eq!(catalog.owed_pointers().await.unwrap(), [sorted[0].clone(), sorted[2].clone()]);
    }
}
