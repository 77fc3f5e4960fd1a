//! Launchers: the small programs that installers put into `bin`.

use klayers_core::PythonVersion;

use super::interpreter;
use klayers_wheel::{EntryPoint, Wheel};

/// Returns the console scripts of a wheel that get a launcher.
///
/// pip's wheel is for all versions of Python, but `bin` must have a `pip3.12`. Like installers,
/// this replaces the version that the wheel names, if any, by the target's.
pub(super) fn scripts(wheel: &Wheel, python: PythonVersion) -> Vec<EntryPoint> {
    let scripts = wheel.inventory().scripts.clone();
    if wheel.name().normalized() == "pip" { with_version(scripts, python) } else { scripts }
}

fn with_version(mut scripts: Vec<EntryPoint>, python: PythonVersion) -> Vec<EntryPoint> {
    scripts.retain(|script| !script.name.starts_with("pip3."));
    let pip = scripts.iter().find(|script| script.name == "pip").cloned();
    scripts.extend(pip.map(|pip| EntryPoint { name: format!("pip{python}"), ..pip }));
    scripts
}

/// Creates the launcher of a console script.
///
/// Everything after the first line is identical, byte for byte, to the launchers of installers.
pub(super) fn launcher(script: &EntryPoint, python: PythonVersion) -> Vec<u8> {
    let EntryPoint { module, function, .. } = script;
    let object = function.split('.').next().unwrap_or_default();
    format!(
        "#!{}\n\
         # -*- coding: utf-8 -*-\n\
         import sys\n\
         from {module} import {object}\n\
         if __name__ == \"__main__\":\n\
         {:4}if sys.argv[0].endswith(\"-script.pyw\"):\n\
         {:8}sys.argv[0] = sys.argv[0][:-11]\n\
         {:4}elif sys.argv[0].endswith(\".exe\"):\n\
         {:8}sys.argv[0] = sys.argv[0][:-4]\n\
         {:4}sys.exit({function}())\n",
        interpreter(python),
        "",
        "",
        "",
        "",
        "",
    )
    .into_bytes()
}

/// Replaces the interpreter in a script's first line by the runtime's. None if the first line does
/// not start with `#!python`; the script then stays unchanged.
pub(super) fn with_interpreter(script: &[u8], python: PythonVersion) -> Option<Vec<u8>> {
    let rest = script.strip_prefix(b"#!python")?;
    let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    let mut rewritten = format!("#!{}", interpreter(python)).into_bytes();
    rewritten.extend_from_slice(&rest[end..]);
    Some(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: PythonVersion = PythonVersion::new(3, 12);

    #[test]
    fn launcher_imports_object_and_calls_function() {
        let script = EntryPoint {
            name: "bar".to_owned(),
            module: "foo.sub".to_owned(),
            function: "obj.run".to_owned(),
        };
        let launcher = String::from_utf8(launcher(&script, PYTHON)).expect("text");
        insta::assert_snapshot!(launcher);
    }

    #[test]
    fn pip_launcher_gets_version_of_target() {
        let script = |name: &str| EntryPoint {
            name: name.to_owned(),
            module: "pip._internal.cli.main".to_owned(),
            function: "main".to_owned(),
        };
        for named in [&["pip", "pip3"][..], &["pip", "pip3", "pip3.9"], &["pip", "pip3", "pip3.12"]]
        {
            let scripts = with_version(named.iter().copied().map(script).collect(), PYTHON);
            assert_eq!(scripts, ["pip", "pip3", "pip3.12"].map(script), "{named:?}");
        }
    }

    #[test]
    fn only_python_scripts_are_rewritten() {
        let rewritten = |script: &str| {
            with_interpreter(script.as_bytes(), PYTHON)
                .map(|bytes| String::from_utf8(bytes).expect("text"))
        };
        let expected = Some("#!/var/lang/bin/python3.12\nprint(1)\n".to_owned());
        assert_eq!(rewritten("#!python\nprint(1)\n"), expected);
        assert_eq!(rewritten("#!pythonw -u\nprint(1)\n"), expected);
        assert_eq!(rewritten("#!/usr/bin/env bash\necho\n"), None);
        assert_eq!(rewritten(""), None);
    }
}
