"""Development and the demo on one machine: `./run` sets the variables that `base` asks for."""

from config.settings.base import *  # noqa: F403
from config.settings.base import env

DEBUG = env.bool("DEBUG", default=False)
# Nobody who tries the demo is to be stopped.
API_READ_PER_MINUTE = env.int("API_READ_PER_MINUTE", default=60_000)
API_WRITE_PER_MINUTE = env.int("API_WRITE_PER_MINUTE", default=60_000)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", "testserver"]
