"""``python -m producer`` is ``chimera``."""

from producer.cli import main

main()
