//! What a killed run left behind goes with a later one.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};
use crate::support::staged::now;

#[test]
fn a_run_removes_what_was_left_a_day_ago_and_nobody_holds() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    home.collection(&[("p3.12", &["sample"])], &["us-east-1"]);
    home.wheels(&[WheelFile::new("sample", "1.0").file("sample.py", "x = 1\n")]);
    let days = |days: u64| SystemTime::from(now()) - Duration::from_hours(24 * days);
    let write = |path: &str, changed: SystemTime| {
        let path = home.write(path, "a part");
        File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
        path
    };
    let digest = "0".repeat(64);
    let partial = |first: char| format!("caches/klayers/partial/{first}{}", &digest[1..]);
    let old = [
        write("artifacts/staging/.layer-old", days(2)),
        write(&partial('a'), days(2)),
        write("caches/klayers/wheels/00/.sealed-old", days(2)),
        write("caches/klayers/bytecode/00/.pack-old", days(2)),
    ];
    let held = write(&partial('b'), days(2));
    let kept = [
        write("artifacts/staging/.layer-young", days(0)),
        write(&partial('c'), days(0)),
        // A wheel is no leftover, however old it is.
        write(&format!("caches/klayers/wheels/00/{digest}.whl"), days(900)),
        held.clone(),
    ];
    let lock = File::open(&held).unwrap();
    lock.lock().unwrap();
    home.run(&["run"]).ended_with(0);
    for path in &old {
        assert!(!path.exists(), "{}", path.display());
    }
    for path in &kept {
        assert_eq!(fs::read(path).unwrap(), b"a part", "{}", path.display());
    }
}
