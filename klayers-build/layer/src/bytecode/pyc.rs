use super::marshal::{self, Layout, Malformed};
use super::worker::{Answer, WorkerFailure};
use crate::interpreter::{Interpreter, cache_tag};
use klayers_core::PythonVersion;

/// Where a layer's Python files are in a Lambda function; what tracebacks show.
const ROOT: &str = "/opt/python/";
/// The longest file name, in bytes: what Linux file systems take.
const LONGEST_NAME: usize = 255;
/// The magic number, the flags, and the hash of the source.
const HEADER: usize = 16;
/// The flags of a `.pyc` that goes by the hash of its source, which is not to be checked (PEP 552).
const UNCHECKED_HASH: [u8; 4] = [1, 0, 0, 0];

/// Where Python looks for the bytecode of a file; none if the file is not one that is compiled:
/// as pip does, every `.py` file is, but for programs.
///
/// ```
/// use klayers_layer::bytecode::pyc_path;
///
/// let python = "3.12".parse()?;
/// let path = pyc_path("pandas/core/frame.py", python);
/// assert_eq!(path.as_deref(), Some("pandas/core/__pycache__/frame.cpython-312.pyc"));
/// assert_eq!(pyc_path("bin/tool.py", python), None);
/// assert_eq!(pyc_path("pandas/py.typed", python), None);
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
pub fn pyc_path(source: &str, python: PythonVersion) -> Option<String> {
    let (folder, name) = source.split_at(source.rfind('/').map_or(0, |slash| slash + 1));
    let stem = name.strip_suffix(".py").filter(|_| !source.starts_with("bin/"))?;
    // What `importlib` does with a name that is nothing but ".py".
    let stem = if stem.is_empty() { "py" } else { stem };
    Some(format!("{folder}__pycache__/{stem}.{}.pyc", cache_tag(python)))
}

/// Whether a path has a file name that no file can have.
pub(super) fn is_too_long(path: &str) -> bool {
    path.split('/').any(|part| part.len() > LONGEST_NAME)
}

/// The name that the bytecode of a file of a layer carries.
pub(super) fn file_name(source: &str) -> String {
    format!("{ROOT}{source}")
}

/// A worker's answer, if it is what was asked for, in the form that does not depend on the worker's
/// past.
pub(super) fn checked(
    answer: Answer,
    interpreter: &Interpreter,
    file_name: &str,
) -> Result<Answer, WorkerFailure> {
    match answer {
        Answer::NotCompiled(reason) => Ok(Answer::NotCompiled(reason)),
        Answer::Compiled(pyc) => {
            let pyc = canonical(&pyc, interpreter, file_name).map_err(WorkerFailure::Bytecode)?;
            Ok(Answer::Compiled(pyc))
        }
    }
}

fn canonical(pyc: &[u8], interpreter: &Interpreter, file_name: &str) -> Result<Vec<u8>, Malformed> {
    let (header, code) = pyc.split_at_checked(HEADER).ok_or("it is cut off")?;
    if header[..4] != interpreter.magic().bytes() {
        return Err("its magic number is another");
    }
    if header[4..8] != UNCHECKED_HASH {
        return Err("its flags are not those of an unchecked hash");
    }
    let since_311 = interpreter.version().python() >= PythonVersion::new(3, 11);
    let layout = if since_311 { Layout::Since311 } else { Layout::Until310 };
    let code = marshal::canonical(code, layout, file_name)?;
    Ok([header, &code].concat())
}
