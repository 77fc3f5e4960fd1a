use std::sync::Arc;

use super::*;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn claim(place: &str, arn: &str, number: u64, status: Status) -> Claim {
    Claim {
        region: place.parse().unwrap(),
        arn: format!("arn:aws:lambda:{arn}:{number}").parse().unwrap(),
        version: "1".parse().unwrap(),
        dependencies: Arc::from(["b==2", "a==1", "b==2"].map(|pin| pin.parse().unwrap())),
        requirements_hash: None,
        status,
        created_at: None,
        license: None,
    }
}

fn read(versions: Vec<Claim>) -> ReadLayer {
    let (target, package) = ("p3.8".parse().unwrap(), "A".parse().unwrap());
    ReadLayer { target, package, versions, build: None, left_out: Vec::new() }
}

#[test]
fn what_is_of_something_else_or_contradicts_itself_is_left_out() {
    let here = "eu-west-1:770693421928:layer:Klayers-python38-a";
    let old = Status::Deprecated { expires_at: AT, yanked: None };
    let one = claim("eu-west-1", here, 1, old.clone());
    let (adoption, left_out) = adoption(
        read(vec![
            claim("eu-west-1", here, 10, Status::Latest),
            one.clone(),
            one,
            claim("eu-west-1", here, 9, Status::Latest),
            claim("us-east-1", here, 2, old.clone()),
            claim("eu-west-1", "eu-west-1:770693421928:layer:Klayers-p39-a", 3, old.clone()),
            claim("eu-west-1", here, 4, old.clone()),
            Claim { version: "2".parse().unwrap(), ..claim("eu-west-1", here, 4, old) },
        ]),
        AT,
    );
    let numbers: Vec<u64> = adoption.versions.iter().map(|version| version.arn.version()).collect();
    assert_eq!(numbers, [1, 4, 10]);
    let build = &adoption.versions[0].build;
    assert_eq!(
        build.dependencies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["b==2", "a==1", "b==2"]
    );
    assert_eq!(build.requirements_hash, Digest::of(b"b==2\na==1\nb==2"));
    assert_eq!(build.origin, Origin::Adopted { at: AT });
    let reasons: Vec<String> = left_out.iter().map(|it| it.reason.to_string()).collect();
    let arn = format!("arn:aws:lambda:{here}");
    assert_eq!(
        reasons,
        [
            format!("{arn}:2 belongs to another region"),
            "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p39-a:3 belongs to a layer for \
         another package or target"
                .to_owned(),
            format!("{arn}:4 is listed twice, with different content"),
            format!("{arn}:9 is marked as the latest, but so is {arn}:10"),
        ]
    );
}
