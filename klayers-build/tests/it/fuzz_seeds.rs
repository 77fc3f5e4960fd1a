//! Runs the fuzzer's targets on its seeds, so that they are tested on the stable compiler too.

use bad_wheels::seeds;

#[path = "../../../fuzz/src/targets.rs"]
mod targets;

fn run(target: &str, call: fn(&[u8])) {
    let seeds: Vec<_> = seeds().into_iter().filter(|seed| seed.target == target).collect();
    assert!(seeds.len() > 5, "{} seeds for {target}", seeds.len());
    for seed in seeds {
        call(&seed.bytes);
    }
}

#[test]
fn reader_accepts_or_refuses_its_seeds() {
    run("reader", targets::reader);
}

#[test]
fn record_parser_accepts_or_refuses_its_seeds() {
    run("record", targets::record);
}

#[test]
fn metadata_parser_accepts_or_refuses_its_seeds() {
    run("metadata", targets::metadata);
}

#[test]
fn layers_of_seed_wheels_hold_the_content_of_the_wheels() {
    run("assembly", targets::assembly);
}

#[test]
fn layers_of_wheels_with_unusual_files_hold_these_files() {
    run("files", targets::files);
}

#[test]
fn native_libraries_are_read_or_refused() {
    run("library", targets::library);
}
