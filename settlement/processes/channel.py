"""Processes with channels: registering merchants there, and what is agreed with them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from channels.models.registration import ANSWER_WITHIN, SUBMIT_WITHIN
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
            doors=("manage channel_terms", "admin:channels_channel_terms"),
            decides=("channels.terms",),
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
            doors=("step channels.registration.submit", "step channels.registration.withdraw"),
            moves=("channels.Registration: REQUESTED > SUBMITTED, WITHDRAWN",),
            writes=("channels.RegistrationTransition",),
            within=SUBMIT_WITHIN,
        ),
        Stage(
            "answer",
            _("The channel's own review"),
            _("Ask the channel, and write down its words; what it refused may be asked anew."),
            ("REG-4", "REG-5", "REG-7", "REG-9"),
            doors=("step channels.registration.pending", "step channels.registration.approved",
                   "step channels.registration.refused"),
            moves=("channels.Registration: SUBMITTED > SUBMITTED, APPROVED, REFUSED, WITHDRAWN",),
            writes=("channels.RegistrationTransition",),
            within=ANSWER_WITHIN,
            then=("request", "end"),
        ),
        Stage(
            "end",
            _("Ended"),
            _("Write down that the channel ended it, or propose that we do; tell it who leaves."),
            ("REG-10", "REG-12"),
            doors=("step channels.registration.ended", "step channels.registration.end",
                   "step channels.registration.leave"),
            decides=("channels.registration_end",),
            moves=("channels.Registration: APPROVED > ENDED",),
            writes=("channels.RegistrationTransition",),
            then=("request",),
        ),
    ),
)  # fmt: skip

PROCESSES = (REGISTRATION,)
