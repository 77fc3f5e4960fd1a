"""The command klayers."""

import signal
import sys

from klayers._klayers import _run_command


def main() -> int:
    """Runs the command with the arguments of this process, and returns its exit code."""
    # Ctrl-C ends the command at once and without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _run_command(sys.argv)


if __name__ == "__main__":
    sys.argv[0] = "klayers"
    sys.exit(main())
