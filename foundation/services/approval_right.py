"""The registered actions and their rights, written down for the database to hold proposals to."""

from __future__ import annotations

from django.db import transaction

from foundation import registries
from foundation.models import ApprovalRight


def sync(*, using: str = "default") -> int:
    """
    Write down which right each registered action asks of its checker; return how many there are.

    Safe to run any number of times; what is right is not written again. Rule: AP-14
    (docs/rules/approvals.md).
    """
    wanted = {action.name: action.permission for action in registries.approval_actions}
    rows = ApprovalRight.objects.using(using)
    with transaction.atomic(using=using):
        present = dict(rows.values_list("action", "permission"))
        rows.exclude(action__in=wanted).delete()
        for name, permission in wanted.items():
            if present.get(name) != permission:
                rows.update_or_create(action=name, defaults={"permission": permission})
    return len(wanted)
