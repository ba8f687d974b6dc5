"""Settings that every environment shares; what differs between machines comes from variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from config import databases, logs
from config.settings.beat_schedule import CELERY_BEAT_SCHEDULE as CELERY_BEAT_SCHEDULE

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent.parent

SECRET_KEY = env.str("SECRET_KEY")
DEBUG = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "config.admin.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "import_export",
    "django_celery_beat",
    "axes",
    "allauth.account",  # what allauth.mfa stands on; its own pages and tables are not used
    "allauth.mfa",
    "django_htmx",
    "config",
    "foundation",
    "merchants",
    "ledger",
    "channels",
    "settlement",
]

MIDDLEWARE = [
    "config.health.probes",
    "foundation.middleware.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "foundation.middleware.RequestMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # the request, for its passkeys
    "django.contrib.messages.middleware.MessageMiddleware",
    "foundation.middleware.SecondStepMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# `default` is the application's role, which may not write the ledger's tables; `owner` migrates
# and nothing else.
DATABASES = {
    "default": databases.from_url(env.str("DATABASE_URL")),
    "owner": databases.from_url(
        env.str("DATABASE_OWNER_URL", default=env.str("DATABASE_URL")),
        session={"statement_timeout": "0"},
    ),
}
DATABASES["owner"]["TEST"] = {"MIRROR": "default"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "foundation.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 30 * 60  # seconds that a link for a new password is good
# How many days a sign-in password is good, 0 for ever; and whether one that another person set is
# changed at the first sign-in (docs/rules/sign_in.md).
PASSWORD_STAFF_DAYS = env.int("PASSWORD_STAFF_DAYS", default=0)
PASSWORD_PORTAL_DAYS = env.int("PASSWORD_PORTAL_DAYS", default=0)
PASSWORD_CHANGE_GIVEN = env.bool("PASSWORD_CHANGE_GIVEN", default=False)
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 1  # hours
AXES_RESET_ON_SUCCESS = True  # five in a row, not five in an hour
AXES_LOCKOUT_CALLABLE = "foundation.portal.sign_in.locked_out"
AXES_USERNAME_CALLABLE = "foundation.portal.guess.counted_name"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]

# E-mail: smtp+tls://user:password@host:587, filemail:///folder or consolemail://.
EMAIL_URL = env.str("EMAIL_URL", default="consolemail://")
vars().update(env.email_url_config(EMAIL_URL))
# Where people reach the portal: links in e-mails begin with it.
SITE_URL = env.str("SITE_URL", default="http://127.0.0.1:8000")
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default="countinghouse@localhost")

# The second step of signing in (docs/rules/sign_in.md). Its secrets are encrypted by our keys.
MFA_ADAPTER = "foundation.mfa.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
# Who must have one: roles of staff and of merchants' people; "*" is everybody. Who must and has
# none is led to it at sign-in and can do nothing else.
MFA_STAFF_ROLES: list[str] = env.list("MFA_STAFF_ROLES", default=[])
MFA_PORTAL_ROLES: list[str] = env.list("MFA_PORTAL_ROLES", default=[])

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Chinese (simplified)")), ("en", _("English"))]
# A catalogue per package, so that each package carries its own words.
LOCALE_PATHS = [
    BASE_DIR / "locale" / name
    for name in (
        "foundation",
        "merchants",
        "ledger",
        "channels",
        "settlement",
        "templates",
        "admin",
    )
]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"  # the institution's zone: business dates are computed in it
CUT_OFF = "00:00"  # local time; a business day is [cut-off, cut-off of the next day)

# The admin's theme; its menu comes from the registry, and nothing is fetched from elsewhere.
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Countinghouse"),
    "SITE_HEADER": _("Countinghouse"),
    "SITE_SYMBOL": "account_balance",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("admin_door/icon.svg"),
        }
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {"action": lambda request: reverse("portal:language")},
    "ACCOUNT": {
        "navigation": [
            {"title": _("My account"), "link": lambda request: reverse("account:account")}
        ]
    },
    "STYLES": [lambda request: static("admin_door/admin.css")],
    "SCRIPTS": [
        lambda request: static("both_doors/focus.js"),
        lambda request: static("admin_door/file_field.js"),
    ],
    "SIDEBAR": {"navigation": "foundation.admin.menu.navigation"},
    "COLORS": {
        "primary": {
            "50": "oklch(97.7% .013 236.62)",
            "100": "oklch(95.1% .026 236.824)",
            "200": "oklch(90.1% .058 230.902)",
            "300": "oklch(82.8% .111 230.318)",
            "400": "oklch(74.6% .16 232.661)",
            "500": "oklch(68.5% .169 237.323)",
            "600": "oklch(52.5% .134 242.749)",
            "700": "oklch(46% .12 242.749)",
            "800": "oklch(40% .105 240.79)",
            "900": "oklch(35% .09 240.876)",
            "950": "oklch(29.3% .066 243.157)",
        }
    },
}

# What a browser may load: our own files, and nothing else. The admin states its own policy.
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # served from where they lie: nothing has to be collected first

# How many proxies of ours stand in front, each appending to X-Forwarded-For; 0 trusts no header.
PROXY_COUNT = env.int("PROXY_COUNT", default=0)

SESSION_ENGINE = "foundation.session_store"  # the database has hashes of the cookies alone
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 8 * 3600  # from signing in on, however much it is used (SIG-7)
SESSION_IDLE_SECONDS = 8 * 3600
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
# Counted while the files arrive; what is larger is not read to its end.
UPLOAD_MAX_FILE_BYTES = 10 * 1024 * 1024
UPLOAD_MAX_REQUEST_BYTES = 64 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "foundation.upload_limit.UploadLimit",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "foundation.upload_limit.NamelessFiles",
]

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="memory://")
CELERY_BROKER_TRANSPORT_OPTIONS = env.json("CELERY_BROKER_TRANSPORT_OPTIONS", default={})
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 900  # below every lease, which is below the broker's visibility time-out
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "foundation.timetable:Timetable"

CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Our handlers write to stderr: turned into a logger, it would swallow what they write.
CELERY_WORKER_REDIRECT_STDOUTS = False
LOGGING = logs.settings(as_json=False, level=env.str("LOG_LEVEL", default="WARNING"))

# Keys live outside the database. FIELD_KEYS: {"key id": "base64 of 32 bytes"}; the first writes.
FIELD_KEYS: dict[str, str] = env.json("FIELD_KEYS")
# base64 of 32 bytes: keyed look-up hashes of card and account numbers
LOOKUP_KEY = env.str("LOOKUP_KEY")
PASSWORD_PEPPER = env.str("PASSWORD_PEPPER")  # mixed into payment passwords before hashing
# Still read: a payment password of a former pepper is hashed with the present one at its next use.
PASSWORD_PEPPERS_FORMER: list[str] = env.json("PASSWORD_PEPPERS_FORMER", default=[])
# Raise it, and every payment password is hashed anew at its next use. memory_cost is in KiB.
PAYMENT_PASSWORD_ARGON2: dict[str, Any] = {"time_cost": 3, "memory_cost": 65536, "parallelism": 4}
ONE_TIME_CODE_SENDER = "email"  # a name in foundation.registries.code_senders
BANK_ACCOUNT_COOLING_HOURS = env.int("BANK_ACCOUNT_COOLING_HOURS", default=24)
EMAIL_TIMEOUT = 10  # seconds

# The simulated payout channel. Without URL and secret it is not configured: payouts wait, unsent.
CHANNEL_SIMULATOR: dict[str, Any] = {
    "base_url": env.str("CHANNEL_SIMULATOR_URL", default=""),
    "secret": env.str("CHANNEL_SIMULATOR_SECRET", default=""),  # base64 of 32 bytes
    "connect_timeout": env.float("CHANNEL_SIMULATOR_CONNECT_TIMEOUT", default=3.0),  # seconds
    "write_timeout": env.float("CHANNEL_SIMULATOR_WRITE_TIMEOUT", default=5.0),
    "read_timeout": env.float("CHANNEL_SIMULATOR_READ_TIMEOUT", default=10.0),
}

# Webhooks: how many calls are under way at once, so that slow receivers leave workers to the money;
# which networks are never called beside those that are not public (our own public ones, a NAT64
# prefix); whether http://127.0.0.1 may be called, for development alone (docs/rules/webhooks.md).
WEBHOOK_SENDERS = env.int("WEBHOOK_SENDERS", default=2)
WEBHOOK_REFUSED_NETWORKS: list[str] = env.list("WEBHOOK_REFUSED_NETWORKS", default=[])
WEBHOOK_LOCAL = env.bool("WEBHOOK_LOCAL", default=False)

# Counters that all web processes share: redis://host:port/1 or unix://path?db=1 of a Valkey or
# Redis. Without it each process counts by itself. Nothing is kept there that must not be lost.
CACHE_URL = env.str("CACHE_URL", default="")
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "countinghouse",
        "OPTIONS": {"socket_connect_timeout": 0.3, "socket_timeout": 0.3},
    }
    if CACHE_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# Requests of one key in a minute; 0 is without limit.
API_READ_PER_MINUTE = env.int("API_READ_PER_MINUTE", default=1200)
API_WRITE_PER_MINUTE = env.int("API_WRITE_PER_MINUTE", default=600)
API_MAX_BODY_BYTES = 2_097_152  # a thousand payments have room
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["foundation.api.throttle.KeyThrottle"],
    "NUM_PROXIES": 0,  # an address is the socket's: a header can say anything
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["foundation.api.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "foundation.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "foundation.api.problem.handle",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Countinghouse",
    "DESCRIPTION": (
        "Amounts are integers of the minor unit beside a currency. Lists come in pages: pass"
        " `next_cursor` on as `cursor`. Every POST needs an `Idempotency-Key`. A merchant's key"
        " sees its own book; a key of the institution names one with `merchant_no`."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "foundation.api.schema.in_the_readers_language",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "WithdrawalStatus": "settlement.models.Withdrawal.Status",
        "MerchantStatus": "merchants.models.Merchant.Status",
        "ApiKeyKind": "merchants.models.ApiKey.Kind",
        "Scope": "merchants.models.Scope",
    },
}
