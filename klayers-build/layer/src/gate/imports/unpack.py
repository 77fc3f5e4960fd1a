"""Unpacks a layer into a folder."""

import json
import sys
import zipfile

job = json.load(sys.stdin)
with zipfile.ZipFile(job["zip"]) as layer:
    size = sum(entry.file_size for entry in layer.infolist())
    if size > job["limit"]:
        sys.exit(f"it unpacks to {size} bytes; Lambda takes at most {job['limit']} bytes")
    layer.extractall(job["folder"])
