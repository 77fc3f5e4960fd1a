//! Where a layer differs from the one that was made again, with its bytecode or without.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytecode::pyc_path;
use crate::interpreter::PythonRelease;
use crate::recipe::Recipe;
use klayers_wheel::{Archive, Entry, EntryPath, RuleError};

use super::Difference;

/// The folder of a layer that is on Python's path.
const ROOT: &str = "python/";

/// All differences, sorted by path.
pub(super) fn differences(layer: &Archive, made: &Archive) -> Result<Vec<Difference>, RuleError> {
    let found = found(layer, made, &BTreeSet::new())?;
    Ok(found.into_iter().map(|(_, difference)| difference).collect())
}

/// The differences between a layer with bytecode of a release and one that was made again without
/// it, in all but the bytecode; and how many files of bytecode were passed over. Where the layer
/// speaks of its bytecode, in its lock and in `RECORD`, the rest of what it says is compared.
pub(super) fn differences_but_bytecode(
    layer: &Archive,
    made: &Archive,
    recipe: &Recipe,
    release: &PythonRelease,
) -> Result<(Vec<Difference>, usize), RuleError> {
    // What is no bytecode of a file that is there is not passed over.
    let sources = made.entries().iter().filter_map(|entry| entry.path.as_str().strip_prefix(ROOT));
    let bytecode: BTreeSet<String> =
        sources.filter_map(|source| pyc_path(source, release.python())).collect();
    let own_lock = format!("klayers/{}/pylock.toml", recipe.layer);
    let mut differences = Vec::new();
    for (entries, difference) in found(layer, made, &bytecode)? {
        let agree = match entries {
            Some((one, other)) if one.path.as_str() == own_lock => {
                let (one, other) = (layer.read(one)?, made.read(other)?);
                with_bytecode(&other, recipe).is_some_and(|other| one == other.as_bytes())
            }
            Some((one, other)) if is_record(&one.path) => {
                let (one, other) = (layer.read(one)?, made.read(other)?);
                without(&one, &bytecode).is_some_and(|one| Some(one) == without(&other, &bytecode))
            }
            _ => false,
        };
        if !agree {
            differences.push(difference);
        }
    }
    let passed_over = layer.entries().iter().filter(|entry| is_among(&entry.path, &bytecode));
    Ok((differences, passed_over.count()))
}

/// The two files of a path, where both are there in one form.
type Pair<'a> = Option<(&'a Entry, &'a Entry)>;

/// The differences, sorted by path, but for these files below the root of Python's path.
fn found<'a>(
    layer: &'a Archive,
    made: &'a Archive,
    passed_over: &BTreeSet<String>,
) -> Result<Vec<(Pair<'a>, Difference)>, RuleError> {
    let compared = |entry: &&Entry| !is_among(&entry.path, passed_over);
    let mut missing: BTreeMap<&EntryPath, &Entry> =
        made.entries().iter().filter(compared).map(|entry| (&entry.path, entry)).collect();
    let mut found = Vec::new();
    for entry in layer.entries().iter().filter(compared) {
        let path = entry.path.clone();
        let form = |entry: &Entry| (entry.compression, entry.executable);
        match missing.remove(&path) {
            None => found.push((None, Difference::Added(path))),
            // Who wants to can make other content of the same CRC.
            Some(other)
                if (other.crc, other.size) != (entry.crc, entry.size)
                    || layer.sha256(entry)? != made.sha256(other)? =>
            {
                let pair = (form(other) == form(entry)).then_some((entry, other));
                found.push((pair, Difference::Content(path)));
            }
            Some(other)
                if form(other) != form(entry) || other.compressed_size != entry.compressed_size =>
            {
                found.push((None, Difference::Form(path)));
            }
            Some(_) => {}
        }
    }
    let missing = missing.into_keys().cloned();
    found.extend(missing.map(|path| (None, Difference::Missing(path))));
    found.sort_by(|(_, one), (_, other)| one.cmp(other));
    Ok(found)
}

fn is_among(path: &EntryPath, paths: &BTreeSet<String>) -> bool {
    path.as_str().strip_prefix(ROOT).is_some_and(|path| paths.contains(path))
}

fn is_record(path: &EntryPath) -> bool {
    let folder = path.as_str().strip_prefix(ROOT).and_then(|path| path.strip_suffix("/RECORD"));
    folder.is_some_and(|folder| folder.ends_with(".dist-info") && !folder.contains('/'))
}

/// The lock of a layer without bytecode, as it would be with that of the recipe.
fn with_bytecode(lock: &[u8], recipe: &Recipe) -> Option<String> {
    let plain = Recipe { bytecode: None, ..recipe.clone() };
    let rest = std::str::from_utf8(lock).ok()?.strip_suffix(&plain.to_toml())?;
    Some(format!("{rest}{}", recipe.to_toml()))
}

/// The lines of `RECORD`, but for those of bytecode. None if it is malformed.
fn without(record: &[u8], bytecode: &BTreeSet<String>) -> Option<Vec<csv::StringRecord>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(record);
    let lines: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().ok()?;
    let is_other = |line: &csv::StringRecord| !line.get(0).is_some_and(|p| bytecode.contains(p));
    Some(lines.into_iter().filter(is_other).collect())
}
