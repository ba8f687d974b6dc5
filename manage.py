#!/usr/bin/env python3
"""Django's command line. `./run manage COMMAND` prepares the environment and the servers first."""

import os
import sys


def main() -> None:
    """Run one management command with the settings of the environment (development by default)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:  # whatever was under way is undone or goes on at the next start
        sys.stderr.write("\nStopped.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
