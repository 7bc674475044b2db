"""`python3 -m hak`, for those who have the package on their path."""

import sys

from hak.cli import main

sys.exit(main(sys.argv[1:]))
