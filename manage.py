#!/usr/bin/env python3
"""Django's command line. `./run manage COMMAND` prepares the environment and the servers first."""

import os
import sys


def main() -> None:
    """Run one management command with the settings of the environment (development by default)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    from django.core.management import execute_from_command_line

    try:
        speak_like_the_terminal()
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:  # whatever was under way is undone or goes on at the next start
        sys.stderr.write("\nStopped.\n")
        sys.exit(130)


def speak_like_the_terminal() -> None:
    """Answer in Chinese where the terminal's locale is Chinese, else in English."""
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.utils import translation

    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    chinese = next(filter(None, named), "").startswith("zh")
    try:
        django.setup()
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")
    translation.activate("zh-hans" if chinese else "en")


if __name__ == "__main__":
    main()
