"""Start-up of Django's glue."""

from django.apps import AppConfig


class GlueConfig(AppConfig):
    """Make our Celery application the current one before any package sends a task."""

    name = "config"

    def ready(self) -> None:
        """Import it: the application makes itself the current one."""
        import config.celery  # noqa: F401
