"""Collections for the tools in this folder: in the format of the public collection, published by the
embedded publisher."""

import csv
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def target_folder():
    """The folder of cargo's release builds."""
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"]) / "release"


def write_collection(folder, targets, packages, regions):
    """Writes a config folder in the format of the public collection, and a klayers.toml for it."""
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
    """The path relative to the checkout, or its name if it is elsewhere."""
    path = pathlib.Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
