"""`migrate`, by the role that owns the tables."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections

from foundation import roles
from foundation.services import approval_right as approval_rights


class Command(Migrate):
    """
    Migrate with DATABASE_OWNER_URL: the product's own role may not change tables.

    First come the default rights in the schema (config/sql/grants.sql), which new tables inherit;
    last the groups of the roles and the rights of the approvals, when everything is migrated.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["plan"] or options["check_unapplied"]):
            with connections[options["database"]].cursor() as cursor:
                cursor.execute((Path(settings.BASE_DIR) / "config/sql/grants.sql").read_text())
        super().handle(*args, **options)
        if not (options["plan"] or options["check_unapplied"] or options["app_label"]):
            roles.sync(using=options["database"])
            approval_rights.sync(using=options["database"])
