//! What is asked for of a collection, what is forced, and what is only looked at.

use std::fmt::Write as _;

use super::{arn, home, recorded};
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

#[test]
fn a_selection_restricts_the_run() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let ran = |arguments: &[&str]| {
        let done = home.run(&[&["run"], arguments].concat()).ended_with(0);
        done.stdout.lines().filter_map(|line| line.trim().strip_prefix("arn:")).count()
    };
    assert_eq!(ran(&["--package", "BETA", "--region", "eu-west-1"]), 1);
    assert!(recorded(&home).keys().eq([&arn("eu-west-1", "p312-beta", 1)]));
    assert_eq!(ran(&["--target", "p3.13-arm64"]), 2);
    assert_eq!(ran(&["--package", "alpha", "--target", "p3.12", "--region", "us-east-1"]), 1);
    assert_eq!(ran(&["--package", "alpha", "--package", "beta"]), 2);
    assert_eq!(ran(&[]), 0);
    assert_eq!(recorded(&home).len(), 6);
}

#[test]
fn what_the_collection_does_not_have_cannot_be_selected() {
    let home = home();
    let before = home.contents();
    for (option, value, message) in [
        (
            "--package",
            "delta",
            "delta is not in the collection's packages lists, and is not a bundle",
        ),
        ("--target", "p3.9", "target p3.9 is not in the collection's config.json"),
        ("--region", "sa-east-1", "region sa-east-1 is not in the collection's regions.csv"),
    ] {
        for command in ["plan", "run"] {
            home.run(&[command, option, value]).refused(
                2,
                &format!(
                    "error: {message}\nhelp: check its spelling, or add it to the config folder\n"
                ),
            );
        }
    }
    assert_eq!(home.contents(), before);
}

#[test]
fn planning_changes_nothing() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let looks = |expected: &str| {
        let before = home.contents();
        for arguments in [&["plan"][..], &["run", "--dry-run"]] {
            let planned = home.run(arguments).ended_with(0);
            assert_eq!(planned.stdout, expected);
            let (now, before) = (home.contents(), &before);
            assert!(now.keys().eq(before.keys()), "{:?}", now.keys());
            assert_eq!(now, *before);
        }
    };
    looks(
        "p3.12 Alpha 1.0: build (new), publish in eu-west-1 (new), us-east-1 (new)\n\
         p3.12 beta 1.0: build (new), publish in eu-west-1 (new), us-east-1 (new)\n\
         p3.13-arm64 Alpha 1.0: build (new), publish in eu-west-1 (new), us-east-1 (new)\n",
    );
    home.run(&["run"]).ended_with(0);
    home.regions(&["us-east-1", "eu-west-1", "eu-west-2"]);
    home.wheels(&[WheelFile::new("beta", "1.1").file("beta.py", "y = 2\n")]);
    looks(
        "p3.12 Alpha 1.0: keep the build, publish in eu-west-2 (new)\n\
         p3.12 beta 1.1: build (changed), publish in eu-west-1 (changed), eu-west-2 (new), \
         us-east-1 (changed)\n\
         p3.13-arm64 Alpha 1.0: keep the build, publish in eu-west-2 (new)\n",
    );
}

#[test]
fn a_forced_build_is_published_only_where_it_is_another_layer() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&["run"]).ended_with(0);
    let before = recorded(&home);
    let built = home.run(&["run", "--force-build"]).ended_with(0);
    assert_eq!(
        built.tally(),
        "3 layers: 3 built, 0 layer versions published, 0 unchanged, 0 failed"
    );
    assert_eq!(recorded(&home), before);

    let forced = ["run", "--force-publish", "--package", "beta", "--region", "us-east-1"];
    let published = home.run(&forced).ended_with(0);
    let arn = |number| arn("us-east-1", "p312-beta", number);
    assert_eq!(published.stdout, format!("p3.12 beta 1.0: build kept\n  {}\n", arn(2)));
    let after = recorded(&home);
    assert_eq!(after.len(), before.len() + 1);
    assert!(after[&arn(1)].expires_at().is_some());
    assert!(after[&arn(2)].expires_at().is_none());
}

/// The regions of the public collection, with a space before some names, as its list has them.
const REGIONS: &str = "Code,Name\r\n\
    us-east-1,US East (N. Virginia)\r\nus-east-2, US East (Ohio)\r\nus-west-1, US West (N. California)\r\n\
    us-west-2, US West (Oregon)\r\naf-south-1,Africa (Cape Town)\r\nap-east-1, Asia Pacific (Hong Kong)\r\n\
    ap-south-1, Asia Pacific (Mumbai)\r\nap-northeast-2, Asia Pacific (Seoul)\r\n\
    ap-southeast-1, Asia Pacific (Singapore)\r\nap-southeast-2, Asia Pacific (Sydney)\r\n\
    ap-southeast-3,Asia Pacific (Jakarta)\r\nap-northeast-1, Asia Pacific (Tokyo)\r\n\
    ca-central-1, Canada (Central)\r\neu-central-1, EU (Frankfurt)\r\neu-west-1, EU (Ireland)\r\n\
    eu-west-2, EU (London)\r\neu-west-3, EU (Paris)\r\neu-north-1, EU (Stockholm)\r\neu-south-1, EU (Milan)\r\n\
    me-south-1, Middle East (Bahrain)\r\nsa-east-1, South America (Sao Paulo)\r\n\
    ap-southeast-5,Asia Pacific (Malaysia)\r\n";

/// Packages lists with what the public ones have: spaces after commas, quoted extras, short and
/// long rows, a byte order mark, line ends of both kinds, lines that are empty or there twice.
const LISTS: [(&str, &str); 5] = [
    (
        "p3.10",
        "Package_Name,License,Authors/Maintainers\nrequests,Apache-2.0,Kenneth <me@example.org>\n\
         \"psycopg[binary,pool]\", LGPL-3.0, Daniele Varrazzo\nPillow\n",
    ),
    (
        "p3.11",
        "\u{feff}Package_Name,License,Authors/Maintainers\r\nrequests,Apache-2.0,Kenneth\r\n\
         pandasql,Open Yhat Inc.,one,two,three\r\n\r\n,,\r\nrequests,Apache-2.0,Kenneth\r\n",
    ),
    (
        "p3.12",
        "Package_Name,License,Authors/Maintainers\nfuzzywuzzy[speedup],GPL (v2), Adam\n\
         lonely,\"MIT, or so\",\"One, and another\"\nPillow,HPND,\"Jeffrey \"\"Alex\"\" Clark\"\n",
    ),
    (
        "p3.12-arm64",
        "Package_Name,License,Authors/Maintainers\n  requests  ,  Apache-2.0  , Kenneth\nPillow,,",
    ),
    (
        "p3.13",
        "Package_Name,License,Authors/Maintainers\nlonely, MIT, Zoë\npandasql,,\nlonely, MIT, Zoë\n",
    ),
];

#[test]
fn a_config_folder_of_the_public_collection_is_planned_as_it_is() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    home.collection(&[], &[]);
    for name in ["requests", "Pillow", "pandasql", "lonely", "pool", "binary", "speedup"] {
        home.wheels(&[WheelFile::new(name, "1.0")]);
    }
    // An extra that a wheel does not offer is passed over by uv.
    home.wheels(&[WheelFile::new("psycopg", "3.2"), WheelFile::new("fuzzywuzzy", "0.18")]);
    let mut config = String::from("{\n  \"python_versions\": [");
    let targets: Vec<String> = LISTS.iter().map(|(target, _)| format!("{target:?}")).collect();
    let _ = write!(config, "{}]", targets.join(", "));
    for (target, list) in LISTS {
        let file = format!("packages_{}.csv", target.replace('.', ""));
        let _ = write!(config, ",\n  {target:?}: {{\"packages_file\": {file:?}}}");
        home.write(&format!("config/{file}"), list);
    }
    home.write("config/config.json", config + "\n}\n");
    home.write("config/regions.csv", REGIONS);

    let before = home.contents();
    let planned = home.run(&["plan"]).ended_with(0);
    // Before it may stand that a runtime is past its date.
    let tally = "12 layers: 12 to build, 264 layer versions to publish, 0 failed\n";
    assert!(planned.stderr.ends_with(tally), "{}", planned.stderr);
    let layers: Vec<&str> = planned
        .stdout
        .lines()
        .filter_map(|line| line.split_once(": build (new), "))
        .map(|l| l.0)
        .collect();
    insta::assert_snapshot!(layers.join("\n"));
    assert_eq!(home.contents(), before);
}
