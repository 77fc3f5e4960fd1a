"""Finds the layers that a Lambda function needs.

KLAYERS_API_URL selects a collection other than the public one.
"""

import klayers

for package in ["requests", "pillow"]:
    print(klayers.latest_arn(package, region="us-east-1", python="3.13"))

# The error for an unknown name suggests similar names.
try:
    print(klayers.latest_arn("reqeusts", region="us-east-1", python="3.13"))
except klayers.UnknownPackageError as error:
    print(f"no {error.package}, but {' and '.join(error.suggestions)}")
