"""Who else came to the portal from the browsers and networks that accounts came from (SIG-18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from foundation import sql

WINDOW: Final = timedelta(days=180)  # what lies further back is no trace any more
PEOPLE: Final = 100  # accounts read of one browser or network
_SIGN_INS: Final = 100  # read of each account, the latest
_MOST: Final = 30  # browsers, and as many networks, the latest

# Of each browser or network the other accounts are found one by one along its index, whatever
# number of sign-ins lies between them: what is read is bounded, not only what is returned.
_OTHERS: Final = """
WITH own AS (
  SELECT s.{column} AS key, (array_agg(s.{name} ORDER BY s.signed_in_at DESC))[1] AS name,
         max(s.signed_in_at) AS last_at
    FROM unnest(%(accounts)s::uuid[]) AS account (id)
   CROSS JOIN LATERAL (
         SELECT device_key, device, network, signed_in_at FROM public.foundation_sign_in
          WHERE user_id = account.id AND door = 'portal'
            AND signed_in_at > %(since)s AND signed_in_at <= %(at)s
          ORDER BY signed_in_at DESC LIMIT %(sign_ins)s) AS s
   WHERE s.{name} <> '' AND s.{column} IS NOT NULL
   GROUP BY s.{column} ORDER BY max(s.signed_in_at) DESC LIMIT %(most)s
)
SELECT own.key, own.name, own.last_at, other.user_id, other.last_at AS other_at,
       other.people > %(people)s AS more,
       EXISTS (SELECT FROM public.foundation_sign_in AS staff
                WHERE staff.door = 'admin' AND staff.{column} = own.key
                  AND staff.signed_in_at > %(since)s) AS staff
  FROM own
 CROSS JOIN LATERAL (
       WITH RECURSIVE step (user_id, place) AS (
         (SELECT s.user_id, 1 FROM public.foundation_sign_in AS s
           WHERE s.door = 'portal' AND s.{column} = own.key ORDER BY s.user_id LIMIT 1)
         UNION ALL
         SELECT (SELECT s.user_id FROM public.foundation_sign_in AS s
                  WHERE s.door = 'portal' AND s.{column} = own.key AND s.user_id > step.user_id
                  ORDER BY s.user_id LIMIT 1), step.place + 1
           FROM step WHERE step.user_id IS NOT NULL AND step.place <= %(people)s
       )
       SELECT step.user_id, count(*) OVER () AS people,
              (SELECT max(s.signed_in_at) FROM public.foundation_sign_in AS s
                WHERE s.door = 'portal' AND s.{column} = own.key AND s.user_id = step.user_id
                  AND s.signed_in_at <= %(at)s) AS last_at
         FROM step WHERE step.user_id IS NOT NULL
       ) AS other
 WHERE other.last_at > %(since)s AND other.user_id <> ALL (%(accounts)s::uuid[])
 ORDER BY own.last_at DESC, own.key, other.last_at DESC
"""


@dataclass(frozen=True, slots=True)
class Trace:
    """
    One browser or network of the accounts asked about, with the others that came from it.

    `name` is what a browser is, or the addresses of a network; `others` are accounts with their
    last sign-in from there; `more` says that it has more than PEOPLE; `staff`, that staff of ours
    signed in from there too.
    """

    name: str
    last_at: datetime
    others: Mapping[UUID, datetime]
    staff: bool
    more: bool


def devices(accounts: Iterable[UUID], at: datetime) -> list[Trace]:
    """Return the browsers that these accounts share with others at the portal, latest first."""
    return _traces("device_key", "device", accounts, at)


def networks(accounts: Iterable[UUID], at: datetime) -> list[Trace]:
    """Return the networks that these accounts share with others at the portal, latest first."""
    return _traces("network", "network", accounts, at)


def _traces(column: str, name: str, accounts: Iterable[UUID], at: datetime) -> list[Trace]:
    asked = list(accounts)
    if not asked:
        return []
    rows = sql.rows(
        _OTHERS.format(column=column, name=name),
        {
            "accounts": asked,
            "at": at,
            "since": at - WINDOW,
            "sign_ins": _SIGN_INS,
            "most": _MOST,
            "people": PEOPLE,
        },
    )
    found: dict[object, Trace] = {}
    others: dict[object, dict[UUID, datetime]] = {}
    for row in rows:
        key = row["key"] if isinstance(row["key"], str) else bytes(row["key"])
        seen = others.setdefault(key, {})
        seen[row["user_id"]] = row["other_at"]
        found.setdefault(key, Trace(row["name"], row["last_at"], seen, row["staff"], row["more"]))
    return list(found.values())
