"""Tests: the same as everywhere, with fixed keys and a cheap password hash."""

import os

os.environ.setdefault("SECRET_KEY", "tests-only-" + "0123456789abcdef" * 4)
os.environ.setdefault("FIELD_KEYS", '{"test": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}')
os.environ.setdefault("LOOKUP_KEY", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
os.environ.setdefault("PASSWORD_PEPPER", "tests only pepper")
os.environ.setdefault("CHANNEL_SIMULATOR_SECRET", "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=")

from config.settings.base import *  # noqa: F403

ALLOWED_HOSTS = ["*"]
AXES_ENABLED = False
WHITENOISE_AUTOREFRESH = True  # each client of a test would look through every static file
# Both are Argon2 still; this one at the least that the system checks let pass (S2-09).
PASSWORD_HASHERS = ["tests.hashers.Argon2PasswordHasher"]
PAYMENT_PASSWORD_ARGON2 = {"time_cost": 2, "memory_cost": 19456, "parallelism": 1}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
