"""Development and the demo on one machine: `./run` sets the variables that `base` asks for."""

from pathlib import Path

from config.settings.base import *  # noqa: F403
from config.settings.base import BASE_DIR, env

DEBUG = env.bool("DEBUG", default=False)
# Nobody who tries the demo is to be stopped.
API_READ_PER_MINUTE = env.int("API_READ_PER_MINUTE", default=60_000)
API_WRITE_PER_MINUTE = env.int("API_WRITE_PER_MINUTE", default=60_000)
WEBHOOK_LOCAL = env.bool("WEBHOOK_LOCAL", default=True)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", "testserver"]
# Invitations and notices lie there as files; EMAIL_URL sends them.
if not env.str("EMAIL_URL", default=""):
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(
        Path(env.str("COUNTINGHOUSE_VAR", default=str(BASE_DIR / "var"))) / "mail"
    )
