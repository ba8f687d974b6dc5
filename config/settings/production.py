"""Production: nothing has a default that matters; `check --deploy` says what is missing."""

from config import logs
from config.settings.base import *  # noqa: F403
from config.settings.base import BASE_DIR, env

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.list(
    "CSRF_TRUSTED_ORIGINS", default=[f"https://{host}" for host in ALLOWED_HOSTS]
)
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_IDLE_SECONDS = 60 * env.int("SESSION_IDLE_MINUTES", default=30)
CSRF_COOKIE_SECURE = True
MFA_STAFF_ROLES = env.list("MFA_STAFF_ROLES", default=["*"])
MFA_PORTAL_ROLES = env.list("MFA_PORTAL_ROLES", default=["OWNER", "FINANCE"])
PASSWORD_STAFF_DAYS = env.int("PASSWORD_STAFF_DAYS", default=90)
PASSWORD_CHANGE_GIVEN = env.bool("PASSWORD_CHANGE_GIVEN", default=True)
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL")
env.str("EMAIL_URL")  # invitations and notices; `base` reads it
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM")
SITE_URL = env.str("SITE_URL", default=f"https://{ALLOWED_HOSTS[0]}" if ALLOWED_HOSTS else "")
env.str("CACHE_URL")  # many processes count together; `base` reads it
LOGGING = logs.settings(as_json=True, level=env.str("LOG_LEVEL", default="INFO"))

# `manage.py collectstatic` fills it; WhiteNoise serves it compressed.
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
