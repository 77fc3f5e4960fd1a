//! What the fuzzer starts from goes through what the fuzzer calls, on the stable compiler too.

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
fn the_reader_survives_its_seeds() {
    run("reader", targets::reader);
}

#[test]
fn the_reader_survives_the_seeds_of_record() {
    run("record", targets::record);
}

#[test]
fn the_reader_survives_the_seeds_of_metadata() {
    run("metadata", targets::metadata);
}

#[test]
fn layers_of_the_seeds_hold_what_their_wheels_hold() {
    run("assembly", targets::assembly);
}

#[test]
fn layers_of_wheels_with_odd_files_hold_them() {
    run("files", targets::files);
}

#[test]
fn native_libraries_are_read_or_refused() {
    run("library", targets::library);
}
