"""Staff, their roles and what a role may come by approved proposals, or from an operator."""

from django.db import migrations

from foundation import guards, sql

_ACCOUNTS = """
DROP TRIGGER staff_account_rights ON public.foundation_user_user_permissions;
DROP TRIGGER staff_account_rights ON public.foundation_user_groups;
DROP FUNCTION public.foundation_staff_account_rights();
DROP TRIGGER staff_account_stays ON public.foundation_user;
DROP TRIGGER staff_account_changed ON public.foundation_user;
DROP TRIGGER staff_account_made ON public.foundation_user;
DROP FUNCTION public.foundation_staff_account_guard();
DROP FUNCTION public.foundation_mailbox(text);
DROP FUNCTION public.foundation_staff_account_approved(public.foundation_user);
DROP FUNCTION public.foundation_approved_now(text, text);
DROP FUNCTION public.foundation_by_operator();
DROP FUNCTION public.foundation_staff_by_hand()"""
_GROUPS = """
DROP TRIGGER staff_role_whole ON public.auth_group_permissions;
DROP TRIGGER staff_role_whole ON public.foundation_staff_role;
DROP FUNCTION public.foundation_staff_role_whole();
DROP TRIGGER staff_group_rights ON public.auth_group_permissions;
DROP FUNCTION public.foundation_staff_group_rights();
DROP TRIGGER staff_group_guard ON public.auth_group;
DROP FUNCTION public.foundation_staff_group_guard()"""


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("foundation", "0028_link_traces"),
    ]

    operations = [
        sql.migrate_file("foundation", "staff_account", _ACCOUNTS),
        sql.migrate_file("foundation", "staff_role"),
        sql.migrate_file("foundation", "staff_group", _GROUPS),
        # what a right is called is `migrate`'s affair: another name would be another right
        guards.only_read("auth_permission"),
        guards.only_read("django_content_type"),
    ]
