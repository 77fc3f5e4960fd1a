use super::marshal::{self, Layout, MalformedReason};
use super::worker::{Answer, WorkerError};
use crate::interpreter::{Interpreter, cache_tag};
use klayers_core::PythonVersion;

/// The folder of a layer's Python files in a Lambda function, as tracebacks show it.
const ROOT: &str = "/opt/python/";
/// Length limit for a file name on Linux, in bytes.
const MAX_NAME: usize = 255;
/// Size of the header of a `.pyc` file, in bytes: magic number, flags, and hash of the source.
const HEADER: usize = 16;
/// The flags of a hash-based `.pyc` file whose source is not checked (PEP 552).
const UNCHECKED_HASH: [u8; 4] = [1, 0, 0, 0];

/// Returns the path where Python looks for the bytecode of a file. None if the file is not
/// compiled: like pip, this compiles every `.py` file except programs in `bin`.
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
    // As `importlib` does for a file named ".py".
    let stem = if stem.is_empty() { "py" } else { stem };
    Some(format!("{folder}__pycache__/{stem}.{}.pyc", cache_tag(python)))
}

/// Whether a component of a path is longer than a file name may be.
pub(super) fn is_too_long(path: &str) -> bool {
    path.split('/').any(|part| part.len() > MAX_NAME)
}

/// Returns the file name that is stored in the bytecode of a file.
pub(super) fn file_name(source: &str) -> String {
    format!("{ROOT}{source}")
}

/// Checks a worker's answer and brings it into canonical form, which does not depend on what the
/// worker compiled before.
pub(super) fn checked(
    answer: Answer,
    interpreter: &Interpreter,
    file_name: &str,
) -> Result<Answer, WorkerError> {
    match answer {
        Answer::NotCompiled(reason) => Ok(Answer::NotCompiled(reason)),
        Answer::Compiled(pyc) => {
            let pyc = canonical(&pyc, interpreter, file_name).map_err(WorkerError::Bytecode)?;
            Ok(Answer::Compiled(pyc))
        }
    }
}

fn canonical(
    pyc: &[u8],
    interpreter: &Interpreter,
    file_name: &str,
) -> Result<Vec<u8>, MalformedReason> {
    let (header, code) = pyc.split_at_checked(HEADER).ok_or("it is cut off")?;
    if header[..4] != interpreter.magic().bytes() {
        return Err("it has another magic number");
    }
    if header[4..8] != UNCHECKED_HASH {
        return Err("its flags are not those of an unchecked hash");
    }
    let since_311 = interpreter.version().python() >= PythonVersion::new(3, 11);
    let layout = if since_311 { Layout::Since311 } else { Layout::Until310 };
    let code = marshal::canonical(code, layout, file_name)?;
    Ok([header, &code].concat())
}
