"""Guards and history of invitations and custom roles."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

UNDO = """
ALTER TABLE public.merchants_membership DROP CONSTRAINT membership_role_of_merchant;
ALTER TABLE public.merchants_invitation DROP CONSTRAINT invitation_role_of_merchant;
DROP TRIGGER refuse_delete ON public.merchants_custom_role;
DROP TRIGGER refuse_delete ON public.merchants_invitation;
DROP TRIGGER invitation_guard ON public.merchants_invitation;
DROP FUNCTION public.merchants_invitation_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("merchants", "0013_invitation")]

    operations = [
        sql.migrate_file("merchants", "invitation", UNDO),
        guards.track("merchants_custom_role"),
        guards.track("merchants_invitation"),
    ]
