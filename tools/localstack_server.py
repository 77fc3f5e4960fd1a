"""LocalStack, only on the addresses in GATEWAY_LISTEN.

LocalStack's server takes only the port from an IPv4 address and listens on all interfaces.
"""

import functools

from twisted.internet import endpoints

endpoints.TCP4ServerEndpoint = functools.partial(
    endpoints.TCP4ServerEndpoint, interface="127.0.0.1"
)

from localstack.runtime.main import main  # noqa: E402: must come after the endpoint above

if __name__ == "__main__":
    main()
