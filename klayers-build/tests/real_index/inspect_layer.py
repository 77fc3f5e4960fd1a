"""Looks at an unpacked layer from within Python; ends with an assertion if something is wrong.

    inspect_layer.py metadata FOLDER NAME==VERSION...   what importlib.metadata says of it
    inspect_layer.py use FOLDER PROGRAM                 run a program, load the entry points

FOLDER is the layer's `python` folder. Nothing else may be on Python's path, apart from the
standard library and, for a start, the folder of this script.
"""

import base64
import csv
import hashlib
import importlib
import importlib.metadata
import pathlib
import re
import sys
import sysconfig


def main(part, folder, *arguments):
    folder = pathlib.Path(folder).resolve()
    # Python puts a script's own folder first.
    assert pathlib.Path(sys.path.pop(0)).resolve() == pathlib.Path(__file__).resolve().parent
    assert pathlib.Path(sys.path[0]).resolve() == folder, sys.path
    stdlib = pathlib.Path(sysconfig.get_path("stdlib"))
    for place in sys.path[1:]:
        assert place.endswith(".zip") or stdlib in [p := pathlib.Path(place), p.parent], place
    parts = {"metadata": metadata, "use": use}
    print(parts[part](folder, *arguments))


def metadata(folder, *pins):
    """Each distribution is found, and lists its files as they are."""
    expected = dict(pin.split("==") for pin in pins)
    found = {normalized(dist.metadata["Name"]): dist for dist in distributions(folder)}
    assert sorted(found) == sorted(expected), (sorted(found), sorted(expected))
    owned = set()
    for name, version in expected.items():
        assert importlib.metadata.version(name) == version, name
        owned |= check_files(folder, importlib.metadata.distribution(name))
        check_launchers(folder, importlib.metadata.distribution(name))
    present = {path for path in folder.rglob("*") if path.is_file()}
    assert present == owned, sorted(map(str, present ^ owned))[:20]
    return f"{len(found)} distributions, {len(owned)} files"


def check_files(folder, dist):
    """Every file that is listed is there, with that hash and size; returns them."""
    owned = set()
    for file in dist.files:
        path = pathlib.Path(file.locate()).resolve()
        assert path.is_file() and folder in path.parents, file
        assert path not in owned, f"{file} is listed twice"
        owned.add(path)
        if path.name == "RECORD" and path.parent.parent == folder:
            assert file.hash is None and file.size is None, file
            continue
        content = path.read_bytes()
        assert file.hash.mode == "sha256", file
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
        assert file.hash.value == digest.rstrip(b"=").decode(), file
        assert file.size == len(content), file
    # Newer Pythons leave files that are not there out of `files`.
    assert len(list(csv.reader(dist.read_text("RECORD").splitlines()))) == len(owned), dist.name
    return owned


def check_launchers(folder, dist):
    """Every console script has a launcher for the runtime, which is a program of Python."""
    for script in dist.entry_points:
        if script.group in ("console_scripts", "gui_scripts"):
            launcher = folder / "bin" / script.name
            first, rest = launcher.read_text(encoding="utf-8").split("\n", 1)
            assert first == "#!/var/lang/bin/python3.12", launcher
            compile(rest, str(launcher), "exec")


def use(folder, program):
    """The program runs, on modules of the layer alone, and the entry points load."""
    exec(program, {})
    loaded, lacking = 0, []
    for dist in distributions(folder):
        for entry_point in dist.entry_points:
            try:
                load(entry_point)
                loaded += 1
            except ModuleNotFoundError as error:
                # An optional dependency that nobody asked for; what is in the layer must load.
                top = error.name.partition(".")[0]
                assert not list(folder.glob(f"{top}*")), (entry_point, error)
                lacking.append(f"{entry_point.name} lacks {top}")
    stdlib = pathlib.Path(sysconfig.get_path("stdlib"))
    ours = 0
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) and module.__name__ != "__main__":
            parents = pathlib.Path(module.__file__).resolve().parents
            assert folder in parents or stdlib in parents, module
            ours += folder in parents
    assert ours, "no module of the layer is loaded"
    return f"{ours} modules, {loaded} entry points loaded{''.join(', ' + lack for lack in lacking)}"


def load(entry_point):
    try:
        return entry_point.load()
    except AttributeError:
        if entry_point.group in ("console_scripts", "gui_scripts"):
            raise
        # A plugin may be a module that its package imports only when it is asked for.
        return importlib.import_module(f"{entry_point.module}.{entry_point.attr}")


def distributions(folder):
    return list(importlib.metadata.distributions(path=[str(folder)]))


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(*sys.argv[1:])
