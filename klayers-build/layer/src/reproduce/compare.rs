//! Compares a layer with the rebuilt one, with or without bytecode.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytecode::pyc_path;
use crate::interpreter::PythonRelease;
use crate::recipe::Recipe;
use klayers_wheel::{Archive, Entry, EntryPath, RuleError};

use super::Difference;

/// The folder of a layer that is on Python's module path.
const ROOT: &str = "python/";

/// Returns all differences, sorted by path.
pub(super) fn differences(
    layer: &Archive,
    rebuilt: &Archive,
) -> Result<Vec<Difference>, RuleError> {
    let found = compare(layer, rebuilt, &BTreeSet::new())?;
    Ok(found.into_iter().map(|(_, difference)| difference).collect())
}

/// Compares a layer that has bytecode of a release with one that was rebuilt without bytecode.
/// Returns the differences and the number of bytecode files, which are ignored. The entries about
/// bytecode in the lock and in `RECORD` are ignored, too; the rest of these files is compared.
pub(super) fn differences_but_bytecode(
    layer: &Archive,
    rebuilt: &Archive,
    recipe: &Recipe,
    release: &PythonRelease,
) -> Result<(Vec<Difference>, usize), RuleError> {
    // Only the bytecode of existing sources is ignored.
    let sources =
        rebuilt.entries().iter().filter_map(|entry| entry.path.as_str().strip_prefix(ROOT));
    let bytecode: BTreeSet<String> =
        sources.filter_map(|source| pyc_path(source, release.python())).collect();
    let own_lock = format!("klayers/{}/pylock.toml", recipe.layer);
    let mut differences = Vec::new();
    for (entries, difference) in compare(layer, rebuilt, &bytecode)? {
        let agree = match entries {
            Some((one, other)) if one.path.as_str() == own_lock => {
                let (one, other) = (layer.read(one)?, rebuilt.read(other)?);
                with_bytecode(&other, recipe).is_some_and(|other| one == other.as_bytes())
            }
            Some((one, other)) if is_record(&one.path) => {
                let (one, other) = (layer.read(one)?, rebuilt.read(other)?);
                without_bytecode(&one, &bytecode)
                    .is_some_and(|one| Some(one) == without_bytecode(&other, &bytecode))
            }
            _ => false,
        };
        if !agree {
            differences.push(difference);
        }
    }
    let ignored = layer.entries().iter().filter(|entry| is_among(&entry.path, &bytecode));
    Ok((differences, ignored.count()))
}

/// The two files at a path, if both exist with the same compression and mode.
type Pair<'a> = Option<(&'a Entry, &'a Entry)>;

/// Returns the differences, sorted by path, except in the `ignored` files below `python/`.
fn compare<'a>(
    layer: &'a Archive,
    rebuilt: &'a Archive,
    ignored: &BTreeSet<String>,
) -> Result<Vec<(Pair<'a>, Difference)>, RuleError> {
    let compared = |entry: &&Entry| !is_among(&entry.path, ignored);
    let mut missing: BTreeMap<&EntryPath, &Entry> =
        rebuilt.entries().iter().filter(compared).map(|entry| (&entry.path, entry)).collect();
    let mut found = Vec::new();
    for entry in layer.entries().iter().filter(compared) {
        let path = entry.path.clone();
        let form = |entry: &Entry| (entry.compression, entry.executable);
        match missing.remove(&path) {
            None => found.push((None, Difference::Added(path))),
            // Different content with the same CRC can be made on purpose, so compare hashes, too.
            Some(other)
                if (other.crc, other.size) != (entry.crc, entry.size)
                    || layer.sha256(entry)? != rebuilt.sha256(other)? =>
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

/// Adds the recipe's bytecode to the lock of a layer without bytecode.
fn with_bytecode(lock: &[u8], recipe: &Recipe) -> Option<String> {
    let plain = Recipe { bytecode: None, ..recipe.clone() };
    let rest = std::str::from_utf8(lock).ok()?.strip_suffix(&plain.to_toml())?;
    Some(format!("{rest}{}", recipe.to_toml()))
}

/// Returns the lines of `RECORD` except those of bytecode. None if it is malformed.
fn without_bytecode(record: &[u8], bytecode: &BTreeSet<String>) -> Option<Vec<csv::StringRecord>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(record);
    let lines: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().ok()?;
    let is_other = |line: &csv::StringRecord| !line.get(0).is_some_and(|p| bytecode.contains(p));
    Some(lines.into_iter().filter(is_other).collect())
}
