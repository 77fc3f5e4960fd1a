//! Settles collisions: paths at which two wheels have different content.
//!
//! With installers, the wheel that is installed last wins. Here the outcome does not depend on the
//! order of the wheels: files that belong to no module are left out, one declaration of a shared
//! namespace is kept, and any other collision is an error.

use std::collections::{BTreeMap, BTreeSet};

use super::AssembleError;
use super::layout::{LayerFile, ROOT, source_of};
use super::namespace::{Declaration, LARGEST_DECLARATION, declaration};
use super::role::Role;
use klayers_wheel::Wheel;

/// The files of one wheel, with their paths in the layer.
#[derive(Debug)]
pub(super) struct WheelPart<'w> {
    pub(super) wheel: &'w Wheel,
    pub(super) files: Vec<LayerFile<'w>>,
}

/// The outcome of all collisions.
#[derive(Debug, Default)]
pub(super) struct SettledCollisions {
    /// Files that were left out.
    pub(super) left_out: Vec<LeftOut>,
    /// Declarations of namespaces, of which one was kept.
    pub(super) namespaces: Vec<SharedNamespace>,
}

/// Files and folders that were left out because their content differs between distributions.
#[derive(Debug)]
pub(super) struct LeftOut {
    /// Paths below `python/`. A folder ends with a slash.
    pub(super) paths: Vec<String>,
    pub(super) distributions: BTreeSet<String>,
}

/// A declaration of a namespace that several distributions have.
#[derive(Debug)]
pub(super) struct SharedNamespace {
    /// The path below `python/`.
    pub(super) path: String,
    /// The distribution whose file was kept.
    pub(super) kept: String,
    pub(super) others: BTreeSet<String>,
}

/// The position of a file: the index of its wheel, and its own index in that wheel.
type FileIndex = (usize, usize);

/// Settles all collisions between wheels.
///
/// # Errors
///
/// [`AssembleError::Conflict`] if two wheels disagree about a module.
pub(super) fn settle(parts: &mut [WheelPart<'_>]) -> Result<SettledCollisions, AssembleError> {
    let colliding = colliding(parts);
    if colliding.is_empty() {
        return Ok(SettledCollisions::default());
    }
    let mut dropped: BTreeSet<String> = BTreeSet::new();
    let mut namespaces = Vec::new();
    let mut conflicts = Vec::new();
    for (path, places) in &colliding {
        match Role::of(path) {
            Role::Folder(folder) if is_no_module(parts, folder) => {
                dropped.insert(format!("{folder}/"));
            }
            Role::Init => match best_declaration(parts, places)? {
                Some(kept) => namespaces.push((path.clone(), places.clone(), kept)),
                None => conflicts.push(path.clone()),
            },
            // Bytecode follows its source if that collides; otherwise it can be left out.
            Role::Bytecode if colliding.contains_key(&source_of(path)) => {}
            Role::Bytecode | Role::Script | Role::Project => {
                dropped.insert(path.clone());
            }
            Role::Folder(_) | Role::Module => conflicts.push(path.clone()),
        }
    }
    if let Some(path) = conflicts.iter().find(|path| is_source(path.as_str())).or(conflicts.first())
    {
        let (path, more) = (path.clone(), conflicts.len() - 1);
        let mut distributions = distributions(parts, &colliding[&path]).into_iter();
        let mut next = || distributions.next().unwrap_or_default();
        return Err(AssembleError::Conflict { first: next(), second: next(), path, more });
    }
    let left_out = left_out(parts, &dropped);
    let namespaces = namespaces
        .into_iter()
        .map(|(path, places, kept)| keep_one(parts, path, &places, kept))
        .collect();
    for part in parts.iter_mut() {
        part.files.retain(|file| !is_dropped(relative(&file.path), &dropped));
    }
    Ok(SettledCollisions { left_out, namespaces })
}

/// Returns the paths at which wheels have different content, with the colliding files.
fn colliding(parts: &[WheelPart<'_>]) -> BTreeMap<String, Vec<FileIndex>> {
    let mut all: Vec<(&str, FileIndex)> = Vec::new();
    for (wheel, part) in parts.iter().enumerate() {
        let files = part.files.iter().enumerate();
        all.extend(files.map(|(at, file)| (file.path.as_str(), (wheel, at))));
    }
    all.sort_unstable();
    let same_path = |one: &(&str, FileIndex), other: &(&str, FileIndex)| one.0 == other.0;
    all.chunk_by(same_path)
        .filter(|files| {
            let mut digests = files.iter().map(|(_, (wheel, at))| {
                let LayerFile { source, .. } = &parts[*wheel].files[*at];
                source.sha256()
            });
            let first = digests.next();
            digests.any(|other| Some(other) != first)
        })
        .map(|files| {
            let places = files.iter().map(|(_, place)| *place).collect();
            (relative(files[0].0).to_owned(), places)
        })
        .collect()
}

/// Whether no wheel needs a top-level folder as a module: every wheel that has the folder also has
/// other modules.
fn is_no_module(parts: &[WheelPart<'_>], folder: &str) -> bool {
    let inside = format!("{ROOT}{folder}/");
    let holds =
        |part: &&WheelPart<'_>| part.files.iter().any(|file| file.path.starts_with(&inside));
    parts.iter().filter(holds).all(|part| {
        let modules = &part.wheel.inventory().modules;
        modules.iter().any(|module| {
            module != folder && !matches!(Role::of(&format!("{module}/x")), Role::Folder(_))
        })
    })
}

/// Chooses the namespace declaration to keep. None if one of the files is more than a declaration.
fn best_declaration(
    parts: &[WheelPart<'_>],
    places: &[FileIndex],
) -> Result<Option<FileIndex>, AssembleError> {
    let mut best: Option<(Declaration, _, FileIndex)> = None;
    for &(wheel, at) in places {
        let (part, file) = (&parts[wheel], &parts[wheel].files[at]);
        let Some(entry) = file.entry.filter(|entry| entry.content.size <= LARGEST_DECLARATION)
        else {
            return Ok(None);
        };
        let content = part.wheel.read(entry)?;
        let Some(found) = declaration(&content) else { return Ok(None) };
        // Between equally good declarations the digest decides, so the order of wheels does not.
        let candidate = (found, file.source.sha256(), (wheel, at));
        let is_better =
            best.as_ref().is_none_or(|best| (best.0, best.1) < (candidate.0, candidate.1));
        if is_better {
            best = Some(candidate);
        }
    }
    Ok(best.map(|(.., place)| place))
}

/// Replaces the other files by the one that is kept. All distributions list it in their `RECORD`.
fn keep_one(
    parts: &mut [WheelPart<'_>],
    path: String,
    places: &[FileIndex],
    (wheel, at): FileIndex,
) -> SharedNamespace {
    let kept = parts[wheel].files[at].source.clone();
    let digest = kept.sha256();
    let mut others = distributions(parts, places);
    let owner = name(parts[wheel].wheel);
    others.remove(&owner);
    for &(other, file) in places {
        let part = &mut parts[other];
        if part.files[file].source.sha256() != digest {
            part.files[file].source = kept.clone();
        }
    }
    // Only the bytecode of the kept file remains.
    let is_bytecode = |file: &LayerFile<'_>| {
        let path_of_file = relative(&file.path);
        Role::of(path_of_file) == Role::Bytecode && source_of(path_of_file) == path
    };
    for &(other, _) in places.iter().filter(|(other, _)| *other != wheel) {
        parts[other].files.retain(|file| !is_bytecode(file));
    }
    SharedNamespace { path, kept: owner, others }
}

/// Groups the dropped paths by the distributions that have them.
fn left_out(parts: &[WheelPart<'_>], dropped: &BTreeSet<String>) -> Vec<LeftOut> {
    let mut by_owners: BTreeMap<BTreeSet<String>, Vec<String>> = BTreeMap::new();
    for path in dropped {
        let is_meant = |file: &LayerFile<'_>| {
            let file = relative(&file.path);
            file == path || (path.ends_with('/') && file.starts_with(path.as_str()))
        };
        let holders = parts.iter().filter(|part| part.files.iter().any(is_meant));
        let holders = holders.map(|part| name(part.wheel)).collect();
        by_owners.entry(holders).or_default().push(path.clone());
    }
    let grouped = by_owners.into_iter();
    grouped.map(|(distributions, paths)| LeftOut { paths, distributions }).collect()
}

/// Whether a file is dropped, or its top-level folder, or the source of its bytecode.
fn is_dropped(path: &str, dropped: &BTreeSet<String>) -> bool {
    let folder = path.split_once('/').map(|(folder, _)| format!("{folder}/"));
    dropped.contains(path)
        || folder.is_some_and(|folder| dropped.contains(&folder))
        || (Role::of(path) == Role::Bytecode && dropped.contains(&source_of(path)))
}

fn distributions(parts: &[WheelPart<'_>], places: &[FileIndex]) -> BTreeSet<String> {
    places.iter().map(|(wheel, _)| name(parts[*wheel].wheel)).collect()
}

/// Formats a distribution's name and version.
pub(super) fn name(wheel: &Wheel) -> String {
    format!("{} {}", wheel.name(), wheel.filename().version())
}

fn relative(path: &str) -> &str {
    path.strip_prefix(ROOT).unwrap_or(path)
}

fn is_source(path: &str) -> bool {
    path.as_bytes().ends_with(b".py")
}
