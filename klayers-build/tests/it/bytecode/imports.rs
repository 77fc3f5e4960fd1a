//! Python loads the bytecode, and it is the code of the source.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use klayers_layer::bytecode::{BytecodeCache, Pack};
use klayers_layer::interpreter::Interpreter;

use super::pythons::{pythons, standard_library};
use super::{sources, unpacked, wheel};

/// Runs a script with a folder as `sys.argv[1]`.
fn run(interpreter: &Interpreter, script: &str, folder: &Path) -> String {
    let mut command = Command::new(interpreter.path());
    command.args(["-I", "-S", "-B", "-c", script]).arg(folder).env_clear();
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "Python {}: {stderr}", interpreter.version());
    String::from_utf8(output.stdout).unwrap()
}

fn unpack(pack: &Pack, folder: &Path) {
    for file in &pack.files {
        let path = folder.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, unpacked(pack, file)).unwrap();
    }
}

#[test]
fn bytecode_is_loaded_regardless_of_time_and_content_of_its_source() {
    let import = "import sys; sys.path.insert(0, sys.argv[1]); import pkg.deep as deep; \
                  print(deep.answer(), deep.__spec__.cached)";
    for interpreter in pythons() {
        let folder = tempfile::tempdir().unwrap();
        let cache = BytecodeCache::open(&folder.path().join("cache"));
        let files = [("pkg/__init__.py", ""), ("pkg/deep.py", "def answer():\n    return 6 * 7\n")];
        let pack = cache.compile(wheel("a"), &interpreter, sources(files)).unwrap();
        let layer = folder.path().join("layer");
        unpack(&pack, &layer);
        // If Python compiled the source, the answer would be different.
        fs::write(layer.join("pkg/__init__.py"), "").unwrap();
        fs::write(layer.join("pkg/deep.py"), "def answer():\n    return 0\n").unwrap();
        let source = fs::File::options().append(true).open(layer.join("pkg/deep.py")).unwrap();
        source.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(100)).unwrap();
        let cached = layer.join("pkg").join(format!(
            "__pycache__/deep.cpython-3{}.pyc",
            interpreter.version().python().minor()
        ));
        let said = run(&interpreter, import, &layer);
        assert_eq!(said, format!("42 {}\n", cached.display()));
    }
}

#[test]
fn bytecode_equals_compiled_source() {
    // Python compares code objects by their parts, with constants by type and value. File names and
    // line tables are compared here.
    let compare = "
import marshal, os, sys
def parts(code):
    lines = code.co_linetable if hasattr(code, 'co_linetable') else code.co_lnotab
    yield code.co_filename, code.co_name, lines
    for constant in code.co_consts:
        if hasattr(constant, 'co_code'):
            yield from parts(constant)
count = 0
for name in sorted(os.listdir(sys.argv[1])):
    if not name.endswith('.py'):
        continue
    source = open(os.path.join(sys.argv[1], name), 'rb').read()
    cached = os.path.join(sys.argv[1], '__pycache__', name[:-2] + sys.implementation.cache_tag + '.pyc')
    pyc = open(cached, 'rb').read()
    loaded = marshal.loads(pyc[16:])
    code = compile(source, '/opt/python/' + name, 'exec', dont_inherit=True)
    assert loaded == code, name
    assert list(parts(loaded)) == list(parts(code)), name
    count += 1
print(count)
";
    for interpreter in pythons() {
        let folder = tempfile::tempdir().unwrap();
        let cache = BytecodeCache::open(&folder.path().join("cache"));
        let layer = folder.path().join("layer");
        fs::create_dir(&layer).unwrap();
        let library = standard_library(&interpreter);
        let names = ["argparse.py", "datetime.py", "ftplib.py", "pickle.py", "typing.py"];
        let mut files: Vec<(&str, String)> = names
            .into_iter()
            .map(|name| (name, fs::read_to_string(library.join(name)).unwrap()))
            .collect();
        files.push(("constants.py", CONSTANTS.to_owned()));
        for (name, content) in &files {
            fs::write(layer.join(name), content).unwrap();
        }
        let sources = sources(files.iter().map(|(name, content)| (*name, content.as_str())));
        let pack = cache.compile(wheel("a"), &interpreter, sources).unwrap();
        unpack(&pack, &layer);
        assert_eq!(run(&interpreter, compare, &layer), "6\n");
    }
}

/// Every kind of constant.
const CONSTANTS: &str = "
NUMBERS = (0, -1, 255, 2**31, -2**63, 10**40, 0.0, -0.0, 1.5, 1e400, 2j, -0j, True, False, None, ...)
STRINGS = ('', 'a', 'ab', '*', 'é', 'a b', 'ü' * 20, 'a' * 300, 'a-' * 200, '𝄞', '\\ud800', b'', b'x', b'xyz')
def member(x):
    '''Documented.'''
    return x in {None, ..., 'a', 'b', 1, 1.0j, (1, 'a', b'c')} or x in {'k', 'l', 'm'} or x[1:2]
class Class:
    def method(self, *, key=('a', ('b', ()))):
        self.one = self.two = self.three = lambda: (yield key)
        return [x for x in (1, 2, 3)], x in {'k', 'l', 'm'}
";
