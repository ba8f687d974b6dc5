"""Processes with channels: registering merchants there, and what is agreed with them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from channels.models.registration import ANSWER_WITHIN
from settlement.processes.stage import Process, Stage

REGISTRATION = Process(
    "registration",
    _("Registering a merchant with channels"),
    (
        Stage(
            "terms",
            _("Agreed with the channel"),
            _("Say for what it registers merchants, and who reviews, settles and bears the loss."),
            ("REG-6",),
            doors=("manage channel_terms",),
            writes=("channels.Channel",),
        ),
        Stage(
            "request",
            _("Asked for"),
            _("Choose channels and products of what the merchant's application was approved for."),
            ("REG-1", "REG-2"),
            doors=("admin:channels_registration_request",),
            writes=("channels.Registration",),
        ),
        Stage(
            "submit",
            _("Sent to the channel"),
            _("Send it, and write down the channel's reference."),
            ("REG-3",),
            doors=("step channels.registration.submit",),
            moves=("channels.Registration: REQUESTED > SUBMITTED",),
            writes=("channels.RegistrationTransition",),
        ),
        Stage(
            "answer",
            _("The channel's own review"),
            _("Ask the channel, and write down its words; what it refused may be asked anew."),
            ("REG-4", "REG-5", "REG-7"),
            doors=("step channels.registration.pending", "step channels.registration.approved",
                   "step channels.registration.refused"),
            moves=("channels.Registration: SUBMITTED > SUBMITTED, APPROVED, REFUSED",),
            writes=("channels.RegistrationTransition",),
            within=ANSWER_WITHIN,
            then=("request",),
        ),
    ),
)  # fmt: skip

PROCESSES = (REGISTRATION,)
