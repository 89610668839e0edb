"""`python -m posetrack`: the same as the `posetrack` command."""

import sys

from posetrack.cli import main

if __name__ == "__main__":
    sys.exit(main())
