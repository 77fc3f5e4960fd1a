use super::*;

const LAYER: &str = "arn:aws:lambda:eu-west-1:000000000000:layer:Klayers-p312-sample";

fn arn(number: u64) -> LayerVersionArn {
    format!("{LAYER}:{number}").parse().unwrap()
}

fn at(number: u64) -> Timestamp {
    format!("2026-11-{number:02}T02:00:00Z").parse().unwrap()
}

/// A region with recorded and existing versions of one layer, each with a content. Records without
/// content are adopted ones.
struct Region(RegionView);

impl Region {
    fn new(recorded: &[(u64, RecordedStatus, &str)], there: &[(u64, &str)]) -> Self {
        let mut view = RegionView::default();
        for &(number, status, content) in recorded {
            let record = Record {
                target: "p3.12".parse().unwrap(),
                package: "sample".parse().unwrap(),
                content: (!content.is_empty()).then(|| Digest::of(content.as_bytes())),
                created_at: Some(at(number)),
                status,
            };
            view.recorded.insert(arn(number), record);
            view.add(arn(number), None);
        }
        for &(number, content) in there {
            let digest = Digest::of(content.as_bytes());
            let listed = ListedVersion {
                arn: arn(number),
                description: format!("sample==1 | {digest} | sha256:{digest}"),
                created_at: at(number),
            };
            view.listed.insert(arn(number), listed);
            view.add(arn(number), Some(InspectedVersion { digest, size: 1, is_public: true }));
        }
        Self(view)
    }

    fn private(mut self, number: u64) -> Self {
        if let Some(Some(inspected)) = self.0.inspected.get_mut(&arn(number)) {
            inspected.is_public = false;
        }
        self
    }

    /// The differences, as version number and kind.
    fn differences(&self, public: bool) -> String {
        let differences = self.0.compare(public).into_iter();
        let lines: Vec<String> = differences
            .map(|Difference { arn, kind }| {
                let kind = serde_json::to_value(kind).unwrap();
                format!("{} {}", arn.version(), kind["difference"].as_str().unwrap())
            })
            .collect();
        lines.join(", ")
    }
}

use RecordedStatus::{Deleted, Deprecated, Latest};

#[test]
fn matching_records_have_no_differences() {
    let recorded = [(1, Deleted, "a"), (2, Deprecated, "b"), (3, Latest, "c")];
    let region = Region::new(&recorded, &[(2, "b"), (3, "c")]);
    assert_eq!(region.differences(true), "");
    assert_eq!(region.private(2).private(3).differences(false), "");
}

#[test]
fn each_kind_of_difference_is_found() {
    for (recorded, there, differences) in [
        (&[][..], &[(1, "a")][..], "1 orphan"),
        (&[(1, Latest, "a")], &[], "1 missing"),
        (&[(1, Deprecated, "a"), (2, Latest, "b")], &[(2, "b")], "1 missing"),
        (&[(1, Deleted, "a")], &[(1, "a")], "1 undeleted"),
        (&[(1, Latest, "a")], &[(1, "b")], "1 wrong-hash"),
        (&[(1, Latest, "a")], &[(1, "a"), (2, "a")], "2 doubled"),
        // The double is the older one, or the one that is not the latest.
        (&[(1, Deprecated, "a"), (2, Latest, "a")], &[(1, "a"), (2, "a")], "1 doubled"),
        (&[(1, Latest, "a"), (2, Deprecated, "a")], &[(1, "a"), (2, "a")], "2 doubled"),
        // Content of a deleted version may be published again.
        (&[(1, Deleted, "a"), (2, Latest, "a")], &[(2, "a")], ""),
        // A version with the wrong content is not a double of anything.
        (&[(1, Latest, "a")], &[(1, "b"), (2, "a")], "1 wrong-hash, 2 orphan"),
        (&[(3, Latest, "c")], &[(2, "b"), (1, "a")], "3 missing, 1 orphan, 2 orphan"),
    ] {
        assert_eq!(Region::new(recorded, there).differences(true), differences, "{recorded:?}");
    }
}

#[test]
fn visibility_is_compared_only_if_content_matches() {
    let right = || Region::new(&[(1, Latest, "a")], &[(1, "a")]);
    assert_eq!(right().differences(false), "1 public");
    assert_eq!(right().private(1).differences(true), "1 private");
    let wrong = || Region::new(&[(1, Latest, "a")], &[(1, "b")]);
    assert_eq!(wrong().differences(false), "1 wrong-hash");
    assert_eq!(wrong().private(1).differences(true), "1 wrong-hash");
}

#[test]
fn publications_and_deletions_under_way_are_no_differences() {
    let mut region = Region::new(&[(1, Deleted, "a")], &[(1, "a"), (2, "b"), (3, "c")]);
    region.0.being_deleted.insert(arn(1));
    let published = (arn(2).name().clone(), Digest::of(b"b"));
    region.0.being_published.insert(published, None);
    assert_eq!(region.differences(true), "3 orphan");
}

#[test]
fn pointer_must_name_latest_or_not_exist() {
    let latest = [(1, Deprecated, "a"), (2, Latest, "b")];
    let none = [(1, Deleted, "a"), (2, Deprecated, "b")];
    for (recorded, names, differences) in [
        (latest, Some(2), ""),
        (latest, Some(1), "2 pointer"),
        (latest, None, "2 pointer"),
        (none, Some(2), "2 pointer"),
        (none, None, ""),
    ] {
        let mut region = Region::new(&recorded, &[(1, "a"), (2, "b")]);
        if recorded == none {
            region.0.being_deleted.insert(arn(1));
        }
        let names = names.map(|number| arn(number).to_string());
        let layer = ("p3.12".parse().unwrap(), "sample".parse().unwrap());
        region.0.pointers.insert(layer, names);
        assert_eq!(region.differences(true), differences, "{recorded:?}");
        let begun = (arn(1).name().clone(), Digest::of(b"c"));
        region.0.being_published.insert(begun, None);
        assert_eq!(region.differences(true), "", "left to the run that publishes it");
    }
}

#[test]
fn version_that_could_not_be_inspected_is_not_missing() {
    let mut region = Region::new(&[(1, Latest, "a")], &[(2, "b")]);
    region.0.inspected.clear();
    assert_eq!(region.differences(true), "");
}

#[test]
fn difference_is_one_line_with_escaped_description() {
    let orphan = DifferenceKind::Orphan {
        description: "mine\n\u{1b}[31m".to_owned(),
        sha256: Digest::of(b"a"),
        created: at(1),
    };
    let line = Difference { arn: arn(1), kind: orphan }.to_string();
    assert_eq!(line, format!("orphan {LAYER}:1: not recorded; it says \"mine\\n\\u{{1b}}[31m\""));
}

#[test]
fn content_of_adopted_versions_is_not_compared() {
    let recorded = [(1, RecordedStatus::Deprecated, ""), (2, RecordedStatus::Latest, "")];
    let region = Region::new(&recorded, &[(1, "a"), (2, "a")]);
    assert_eq!(region.differences(true), "");
    assert_eq!(region.differences(false), "1 public, 2 public");
    assert_eq!(Region::new(&recorded, &[(2, "a")]).differences(true), "1 missing");
    assert_eq!(
        Region::new(&recorded, &[(1, "a"), (2, "a")]).private(2).differences(true),
        "2 private"
    );
    // An unrecorded version may be a double of an adopted one.
    let region = Region::new(&recorded, &[(1, "a"), (2, "b"), (3, "b"), (4, "c")]);
    assert_eq!(region.differences(true), "3 doubled, 4 orphan");
}
