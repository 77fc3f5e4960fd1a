//! A catalog that was emptied or is gone: what exists is not published a second time.

use super::*;

#[test]
fn a_lost_catalog_publishes_nothing_until_it_is_said_to_be_new() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&["run"]).ended_with(0);
    let published = home.files("published");
    fs::remove_file(home.path("klayers.db")).unwrap();
    let told = "Klayers-p312-Alpha and 2 others exist in eu-west-1 and another region, but the \
                catalog has no records there; nothing was published";
    for arguments in [
        &["run"][..],
        // One layer that is new would make the region look known.
        &["run", "--package", "beta", "--target", "p3.12"],
        &["run", "--region", "eu-west-1"],
    ] {
        let refused = home.run(arguments).ended_with(2);
        let head = told.split(" and another region").next().unwrap();
        assert!(refused.stderr.contains(head), "{}", refused.stderr);
        for way in ["restore it from a backup", "adopt", "reconcile", "--new-collection"] {
            assert!(refused.stderr.contains(way), "{way}: {}", refused.stderr);
        }
        assert_eq!(home.files("published"), published);
        assert!(recorded(&home).is_empty());
    }
    let refused = home.run(&["run"]).ended_with(2);
    assert!(refused.stderr.contains(told), "{}", refused.stderr);

    let again = home.run(&["run", "--new-collection"]).ended_with(0);
    assert!(again.tally().contains("6 layer versions published"), "{}", again.tally());
    assert!(recorded(&home).contains_key(&arn("eu-west-1", "p312-beta", 2)));
    // Now it is known, and nothing is to be said.
    home.run(&["run"]).ended_with(0);
}

#[test]
fn a_hand_made_layer_is_not_published_beside_a_lost_catalog() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&["run"]).ended_with(0);
    fs::remove_file(home.path("klayers.db")).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("python/model.py", zip::write::SimpleFileOptions::default()).unwrap();
    home.write("model.zip", zip.finish().unwrap().into_inner());
    let import =
        ["import", "model.zip", "--name", "model", "--version", "1.0", "--target", "p3.12"];
    let refused = home.run(&import).ended_with(2);
    assert!(refused.stderr.contains("the catalog has no records there"), "{}", refused.stderr);
    home.run(&[&import[..], &["--new-collection"]].concat()).ended_with(0);
}

#[test]
fn a_region_in_which_nothing_exists_is_begun_without_a_word() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&["run"]).ended_with(0);
    home.regions(&["us-east-1", "eu-west-1", "eu-north-1"]);
    let more = home.run(&["run"]).ended_with(0);
    assert!(more.tally().contains("3 layer versions published"), "{}", more.tally());
}

#[test]
fn an_empty_file_is_an_error_for_every_command() {
    let home = home();
    home.write("klayers.db", "");
    home.write("model.zip", "");
    for arguments in [
        &["run"][..],
        &["run", "--dry-run"],
        &["run", "--scheduled"],
        &["plan"],
        &["expire"],
        &["yank", "alpha==1.0", "--reason", "x"],
        &["reconcile"],
        &["report"],
        &["import", "model.zip", "--name", "model", "--version", "1", "--target", "p3.12"],
        &["adopt", "--api", "http://127.0.0.1:9", "--dry-run"],
        &["adopt", "--api", "http://127.0.0.1:9"],
        &["export", "--out", "site"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let refused = home.run(arguments);
        assert!(
            refused.stderr.contains("klayers.db is empty; no command leaves an empty file\n"),
            "{arguments:?}: {}",
            refused.stderr
        );
        assert!(refused.stderr.contains("restore it from a backup"), "{arguments:?}");
        assert_eq!(refused.code, Some(2), "{arguments:?}");
        assert_eq!(fs::metadata(home.path("klayers.db")).unwrap().len(), 0, "{arguments:?}");
    }
}
