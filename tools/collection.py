"""Collections as tools of this folder make them: in the public collection's format, to be published
by the embedded publisher."""

import csv
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def target_folder():
    """Where cargo puts what it builds for release."""
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"]) / "release"


def write_collection(folder, targets, packages, regions):
    """A config folder in the public collection's format, and the configuration that names it."""
    config = folder / "config"
    config.mkdir(parents=True)
    files = {target: {"packages_file": f"packages_{target}.csv"} for target in targets}
    (config / "config.json").write_text(json.dumps({"python_versions": targets, **files}, indent=2))
    for target in targets:
        with (config / f"packages_{target}.csv").open("w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["Package_Name", "License", "Authors/Maintainers"])
            rows.writerows([package, "", ""] for package in packages)
    rows = "".join(f"{code},{name}\n" for code, name in regions.items())
    (config / "regions.csv").write_text("Code,Name\n" + rows)
    toml = folder / "klayers.toml"
    toml.write_text('config_dir = "config"\n')
    return toml


def shown(path):
    """A path as a reader in the checkout would write it."""
    path = pathlib.Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
