use std::collections::BTreeSet;

use super::EntryPath;

/// Returns the modules and packages that a wheel puts at the root of Python's path, sorted.
pub(super) fn at_root<'a>(
    files: impl IntoIterator<Item = &'a EntryPath>,
    dist_info: &str,
) -> Vec<String> {
    let data = format!("{}.data/", dist_info.strip_suffix(".dist-info").unwrap_or(dist_info));
    let modules: BTreeSet<&str> = files
        .into_iter()
        .filter_map(|path| match path.as_str().strip_prefix(&data) {
            None => Some(path.as_str()),
            Some(inside) => {
                inside.strip_prefix("purelib/").or_else(|| inside.strip_prefix("platlib/"))
            }
        })
        .filter_map(module)
        .collect();
    modules.into_iter().map(str::to_owned).collect()
}

/// Returns the top-level module that a file is, or belongs to.
fn module(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (_, extension) = name.rsplit_once('.')?;
    if !matches!(extension, "py" | "so") {
        return None;
    }
    let root = match path.split_once('/') {
        Some((folder, _)) => folder,
        // The name of an extension module may contain its platform:
        // `_x.cpython-312-x86_64-linux-gnu.so`.
        None => path.split('.').next().unwrap_or(path),
    };
    is_identifier(root).then_some(root)
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|other| other == '_' || other.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_level_modules_and_packages_are_found() {
        let files = [
            "one.py",
            "two/__init__.py",
            "two/below.py",
            "namespace/deep/three.py",
            "_four.cpython-312-x86_64-linux-gnu.so",
            "native.libs/libz-1234.so.1",
            "libs-with-dash/x.py",
            "data/readme.txt",
            "a-1.data/purelib/five.py",
            "a-1.data/data/share/six.py",
            "a-1.dist-info/METADATA",
        ];
        let paths: Vec<EntryPath> =
            files.iter().map(|path| EntryPath::parse(path.as_bytes()).expect("a path")).collect();
        let found = at_root(&paths, "a-1.dist-info");
        assert_eq!(found, ["_four", "five", "namespace", "one", "two"]);
    }
}
