//! `klayers-pipeline import`: a hand-made layer is listed and stored like the others.

use std::io::Write as _;

use klayers_catalog::{Catalog as _, Include, Query, SqliteCatalog};
use klayers_core::{Digest, LayerVersion, Origin, Status};
use zip::write::SimpleFileOptions;

use crate::samples::digest;
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

const MODEL: [&str; 9] = [
    "import",
    "model.zip",
    "--name",
    "spacy_model_en_small",
    "--version",
    "2.2.5",
    "--target",
    "p3.12",
    "--license=MIT",
];

fn zip_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in files {
        zip.start_file(*path, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn home() -> Home {
    let home = Home::new();
    home.wheels(&[WheelFile::new("beta", "1.0").file("beta.py", "y = 1\n")]);
    home.collection(&[("p3.12", &["beta"])], &["us-east-1", "eu-west-1"]);
    home
}

fn recorded(home: &Home) -> Vec<LayerVersion> {
    let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
    let query = Query { include: Include::All, ..Query::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(catalog.layer_versions(&query)).unwrap()
}

#[test]
fn imported_layer_is_published_once_superseded_and_ignored_by_run() {
    let home = home();
    // Nothing is resolved, so uv is not needed.
    home.fake_uv("exit 9");
    let zip = zip_of(&[("python/model/__init__.py", "x = 1\n")]);
    home.write("model.zip", &zip);
    let done = home.run(&MODEL).ended_with(0);
    let arn = |region: &str, number: u64| {
        format!(
            "arn:aws:lambda:{region}:000000000000:layer:Klayers-p312-spacy_model_en_small:{number}"
        )
    };
    let expected = format!(
        "p3.12 spacy_model_en_small 2.2.5: imported, {} bytes\n  {}\n  {}\n",
        zip.len(),
        arn("eu-west-1", 1),
        arn("us-east-1", 1)
    );
    assert_eq!(done.stdout, expected);
    let versions = recorded(&home);
    assert_eq!(versions.len(), 2);
    for version in &versions {
        assert_eq!(version.status, Status::Latest);
        assert!(matches!(version.build.origin, Origin::Imported { .. }));
        assert_eq!(version.build.content_digest(), Some(Digest::of(&zip)));
        assert_eq!(version.build.dependencies[0].to_string(), "spacy-model-en-small==2.2.5");
        assert_eq!(version.build.license.as_deref(), Some("MIT"));
        let digest = digest(&version.build).to_string();
        assert_eq!(
            std::fs::read(home.path(&format!("published/content/{digest}.zip"))).unwrap(),
            zip
        );
    }

    let again = home.run(&MODEL).ended_with(0);
    assert!(again.stdout.ends_with("unchanged\n"), "{}", again.stdout);
    assert_eq!(recorded(&home), versions);

    home.write("model.zip", zip_of(&[("python/model/__init__.py", "x = 2\n")]));
    let one = [&MODEL[..], &["--region", "eu-west-1"]].concat();
    let changed = home.run(&one).ended_with(0);
    assert!(
        changed.stdout.ends_with(&format!("\n  {}\n", arn("eu-west-1", 2))),
        "{}",
        changed.stdout
    );
    let versions = recorded(&home);
    let statuses: Vec<bool> =
        versions.iter().map(|version| version.status == Status::Latest).collect();
    assert_eq!(statuses, [true, false, true]);

    std::fs::remove_file(home.path("bin/uv")).unwrap();
    if !uv_is_there() {
        return;
    }
    let run = home.run(&["run", "--force-build", "--force-publish"]).ended_with(0);
    assert!(run.stderr.starts_with("1 layers: 1 built, 2 layer versions"), "{}", run.stderr);
    let mut after = recorded(&home);
    after.retain(|version| matches!(version.build.origin, Origin::Imported { .. }));
    assert_eq!(after, versions);
}

#[test]
fn layer_that_cannot_be_imported_is_refused_without_leftovers() {
    let home = home();
    home.write("model.zip", zip_of(&[("model.py", "x = 1\n")]));
    home.write("text.zip", "no zip at all");
    let model = |change: &[&'static str]| -> Vec<&'static str> {
        let mut arguments = MODEL.to_vec();
        for pair in change.chunks(2) {
            let at = arguments.iter().position(|argument| *argument == pair[0]);
            match at {
                Some(at) => arguments[at + 1] = pair[1],
                None => arguments.extend(pair),
            }
        }
        arguments
    };
    let before = home.contents();
    for (arguments, message) in [
        (
            model(&["--name", "Beta"]),
            "the collection builds Klayers-p312-Beta itself, so the next run would replace the \
             imported layer; choose another name, or remove it from the collection's lists\n",
        ),
        (model(&["--target", "p3.99"]), "no runtime is known for p3.99\nhelp: "),
        (model(&["--region", "sa-east-1"]), "region sa-east-1 is not in the collection's"),
    ] {
        let refused = home.run(&arguments).ended_with(2);
        assert!(refused.stderr.starts_with(&format!("error: {message}")), "{}", refused.stderr);
        assert_eq!(home.contents(), before);
    }
    home.run(&MODEL).refused(
        2,
        "error: model.zip cannot be a layer\n  caused by: entry model.py is not in a folder, so \
         no runtime finds it; Python modules belong in python/\nhelp: correct the zip, then import it \
         again\n",
    );
    home.run(&model(&["import", "text.zip"])).ended_with(2);
    home.run(&model(&["import", "absent.zip"])).refused(
        1,
        "error: could not import absent.zip\n  caused by: No such file or directory (os error 2)\n\
         help: check the path, or create the file\n",
    );
    assert_eq!(recorded(&home), []);
    assert_eq!(home.files("artifacts"), [] as [String; 0]);
    assert_eq!(home.files("published"), [] as [String; 0]);
}
