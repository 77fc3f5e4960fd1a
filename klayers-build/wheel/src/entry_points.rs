use serde::{Deserialize, Serialize};

use super::{EntryPath, RuleError};

/// A console script or graphical script of a wheel ([entry points specification][spec]).
///
/// [spec]: https://packaging.python.org/en/latest/specifications/entry-points/
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EntryPoint {
    /// The file name of the command.
    pub name: String,
    /// The module of the function.
    pub module: String,
    /// The function, possibly of an object: `cli.main`.
    pub function: String,
}

/// Reads the scripts of an `entry_points.txt`, sorted by name.
///
/// # Errors
///
/// Names the line that is not an entry point, or whose name or function could lead out of `bin` or
/// the launcher.
pub fn console_scripts(text: &str) -> Result<Vec<EntryPoint>, RuleError> {
    let mut scripts: Vec<EntryPoint> = Vec::new();
    let mut in_scripts = false;
    for (index, line) in text.lines().enumerate() {
        let refuse = |reason| RuleError::EntryPoint { line: index + 1, reason };
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            let section = section.strip_suffix(']').ok_or_else(|| refuse("] expected"))?;
            in_scripts = matches!(section.trim(), "console_scripts" | "gui_scripts");
            continue;
        }
        if !in_scripts {
            continue;
        }
        let (name, reference) =
            line.split_once('=').ok_or_else(|| refuse("name = module:function expected"))?;
        let reference = reference.split('[').next().unwrap_or_default();
        let (module, function) = reference
            .split_once(':')
            .ok_or_else(|| refuse("module:function expected after the name"))?;
        let (name, module, function) = (name.trim(), module.trim(), function.trim());
        if !is_file_name(name) {
            return Err(refuse("the name is not one that a file in bin may have"));
        }
        if !is_dotted_name(module) || !is_dotted_name(function) {
            return Err(refuse("module:function expected after the name"));
        }
        scripts.push(EntryPoint {
            name: name.to_owned(),
            module: module.to_owned(),
            function: function.to_owned(),
        });
    }
    scripts.sort_by(|one, other| one.name.cmp(&other.name));
    if scripts.windows(2).any(|pair| pair[0].name == pair[1].name) {
        return Err(RuleError::EntryPoint { line: 0, reason: "two scripts have the same name" });
    }
    Ok(scripts)
}

fn is_file_name(name: &str) -> bool {
    EntryPath::parse(name.as_bytes()).is_ok() && !name.contains(['/', ':'])
}

/// Whether a name consists of identifiers separated by dots. It becomes part of a program, so no
/// other characters are allowed.
fn is_dotted_name(name: &str) -> bool {
    name.split('.').all(|part| {
        part.chars().next().is_some_and(|c| c == '_' || c.is_alphabetic())
            && part.chars().all(|c| c == '_' || c.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_and_gui_scripts_are_read() {
        let text = "# tools\n[console_scripts]\nfoo = foo:main\nbar=foo.sub:obj.run [x]\n\n\
             [gui_scripts]\na-gui = foo:gui\n[other]\nx = anything at all\n";
        let scripts = console_scripts(text).expect("scripts");
        let read: Vec<String> = scripts
            .iter()
            .map(|script| format!("{}={}:{}", script.name, script.module, script.function))
            .collect();
        assert_eq!(read, ["a-gui=foo:gui", "bar=foo.sub:obj.run", "foo=foo:main"]);
    }

    #[test]
    fn entry_points_that_leave_bin_or_inject_code_are_refused() {
        for line in [
            "../x = a:b",
            "a/b = a:b",
            ".. = a:b",
            "x",
            "x = a",
            "x = a:",
            "x = :b",
            "x = a:b;import os",
            "x = a b:c",
            "x = a:b()",
            "x = a:b\\n",
            "= a:b",
            "x = 1a:b",
            "\u{202e}x = a:b",
            "a:x = a:b",
        ] {
            assert!(console_scripts(&format!("[console_scripts]\n{line}\n")).is_err(), "{line}");
        }
        let longest = |length: usize| format!("[console_scripts]\n{} = a:b\n", "x".repeat(length));
        assert!(console_scripts(&longest(255)).is_ok());
        assert!(console_scripts(&longest(256)).is_err());
        assert!(console_scripts("[console_scripts\nx = a:b\n").is_err());
        assert!(console_scripts("[console_scripts]\nx = a:b\nx = a:c\n").is_err());
    }
}
