"""Says which extension modules this interpreter loads, and its C library's version."""

import _imp
import json
import os

try:
    library = os.confstr("CS_GNU_LIBC_VERSION")
except (AttributeError, OSError, ValueError):
    library = None
print(json.dumps({"suffixes": _imp.extension_suffixes(), "libc": library}))
