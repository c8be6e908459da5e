"""`python -m tf_defocus` is the command `tf-defocus`."""

import sys

from tf_defocus.cli import main

sys.exit(main())
