//! Builds a package that the real index has only as a source distribution.

use std::process::Command;

use crate::layer::Layer;
use crate::python::any_python;
use crate::tools::{output, pipeline, scratch};

#[test]
fn docopt_from_the_real_index_is_built_from_its_source_and_works() {
    let build = &mut pipeline();
    build.args(["build", "docopt==0.6.2", "--allow-sdist", "docopt"]);
    let layer = Layer::build(build, scratch());
    let lock = std::fs::read_to_string(layer.own_lock("pylock.toml")).expect("the lock");
    assert!(lock.contains("docopt-0.6.2.tar.gz"), "{lock}");
    let python = any_python();
    let folder = layer.unpacked_by_python(&python).join("python");
    let use_it = "import docopt; assert docopt.docopt('usage: x NAME', ['me'])['NAME'] == 'me'";
    output(Command::new(&python).args(["-S", "-B", "-c", use_it]).env("PYTHONPATH", folder));
}
