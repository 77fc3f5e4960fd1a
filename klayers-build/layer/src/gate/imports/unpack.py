"""Unpacks a layer into a folder."""

import json
import sys
import zipfile

job = json.load(sys.stdin)
with zipfile.ZipFile(job["zip"]) as layer:
    size = sum(entry.file_size for entry in layer.infolist())
    if size > job["most"]:
        sys.exit(f"it unpacks to {size} bytes, which is more than the {job['most']} that Lambda takes")
    layer.extractall(job["folder"])
