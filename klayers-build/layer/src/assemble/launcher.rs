//! The small programs that installers put into `bin`.

use klayers_core::PythonVersion;

use super::interpreter;
use klayers_wheel::{EntryPoint, Wheel};

/// The console scripts of a wheel that get a launcher.
///
/// pip's wheel is for all versions of Python, and yet `bin` must have a `pip3.12`. Installers
/// therefore replace the version that the wheel names, if it names one, by their own.
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

/// The launcher of a console script.
///
/// Everything below its first line is what installers agree on to the byte; a layer that differed
/// there would differ from what they lay out.
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

/// A script of a wheel with the runtime's interpreter in its first line; none if that line asks for
/// no Python, and the script is to stay as it is.
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
    fn a_launcher_imports_the_object_and_calls_the_function() {
        let script = EntryPoint {
            name: "bar".to_owned(),
            module: "foo.sub".to_owned(),
            function: "obj.run".to_owned(),
        };
        let launcher = String::from_utf8(launcher(&script, PYTHON)).expect("text");
        insta::assert_snapshot!(launcher);
    }

    #[test]
    fn pip_gets_the_version_of_the_target_in_place_of_its_own() {
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
    fn only_scripts_for_python_are_rewritten() {
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
