"""
Checks of staged text, as SQL over the whole table: every bad value of every row is found.

A check is written for the staged row `s`. The checks of a column are tried in order and the first
that fires is reported, so a later one may rely on the earlier ones (a cast is safe behind its
pattern). PostgreSQL's regular expressions are exact but slow, so a cheap probe comes first that
can only pass rows which all checks would pass. Rule: IMP-3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.db import DataError, transaction

from foundation import money, sql
from foundation.csv_intake.report import MAX_LISTED, MAX_VALUE, BadRow, FileRefused
from foundation.csv_intake.staging import Staged

# Characters nobody sees: controls, line and paragraph separators, direction marks, byte order mark.
UNSEEN: Final = r"[\u0001-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
# In a number also what text may need or nobody types: joiners, soft hyphens, fillers, variation
# selectors, tags. Two numbers that look the same must be the same. `text` takes them in names.
IGNORED: Final = (
    r"[\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u200c\u200d\u206a-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# A number has one way to be written: no full-width digits and letters, no runs of spaces or other
# spaces than the ordinary one, and its accents are composed (NFC).
OTHER_FORM: Final = r"[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\u00a0\u2000-\u200a\u202f\u3000]|  "
SPACES: Final = r"[ \u00a0\u2000-\u200a\u202f\u3000]"
_PLAIN: Final = "^[!-~]*$"  # visible ASCII: neither unseen nor a space
_LEAP_DAY: Final = "(19(7[26]|8[048]|9[26])|20([02468][048]|[13579][26]))-02-29"
_DAY: Final = (
    "((19[7-9][0-9]|20[0-9][0-9])-"
    "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    "|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    f"|02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP_DAY})"
)
_INSTANT: Final = (
    f"^{_DAY}T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{{1,6}})?)?"
    "(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])$"
)

HIDDEN: Final = "***"  # stands for a secret value in a report

# A FROM item (code, exponent) of all currencies: LEFT JOIN ... ON currency.code = s.currency
CURRENCIES: Final = "(VALUES {}) AS currency (code, exponent)".format(
    ", ".join(f"('{code}', {exponent})" for code, exponent in money.CURRENCIES.items())
)


@dataclass(frozen=True, slots=True)
class Check:
    """The condition `bad` on the staged row `s` makes a value bad, for `reason`."""

    reason: str
    bad: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    The checks of one column, in order.

    `probe`, where given, is a cheap condition under which none of them fires; it may raise a
    DataError on a bad value. `plain` says that visible ASCII passes whatever the probe leaves out.
    `secret` values are not repeated in reports.
    """

    column: str
    checks: tuple[Check, ...]
    probe: str = ""
    plain: bool = False
    secret: bool = False

    def case(self, answer: str = "reason") -> str:
        """Return the SQL expression of the first reason (or its detail), null for a good value."""
        whens = " ".join(
            f"WHEN {check.bad} THEN '{getattr(check, answer)}'" for check in self.checks
        )
        return f"CASE {whens} END"


def text(column: str, longest: int, *, required: bool = True) -> Rule:
    """Check text: seen characters only, no space around it, at most `longest` characters."""
    empty = (Check("empty", f"s.{column} = ''"),) if required else ()
    checks = (
        *empty,
        Check("too_long", f"length(s.{column}) > {longest}", str(longest)),
        Check("control_character", f"s.{column} ~ '{UNSEEN}'"),
        Check("surrounding_space", f"s.{column} ~ '^{SPACES}|{SPACES}$'"),
    )
    probe = " AND ".join(f"NOT ({check.bad})" for check in checks[: len(empty) + 1])
    return Rule(column, checks, probe, plain=True)


def code(column: str, longest: int = 64, *, required: bool = True) -> Rule:
    """Check a number or code that rows and people refer to: what looks the same is the same."""
    rule = text(column, longest, required=required)
    ignored = Check("control_character", f"s.{column} ~ '{IGNORED}'")
    other = f"s.{column} ~ '{OTHER_FORM}' OR s.{column} IS NOT NFC NORMALIZED"
    return replace(rule, checks=(*rule.checks, ignored, Check("other_form", other)))


def matching(
    column: str, pattern: str, reason: str = "malformed", *, required: bool = True
) -> Rule:
    """Check the whole value against PostgreSQL's regular expression `pattern`."""
    wrong = Check(reason, f"s.{column} <> '' AND s.{column} !~ '^({pattern})$'")
    return Rule(column, (_empty(column), wrong) if required else (wrong,))


def choice(column: str, allowed: Sequence[str], *, required: bool = True) -> Rule:
    """Check that the value is one of `allowed` (literals of ours, never input)."""
    listed = ", ".join(f"'{value}'" for value in ["", *allowed])
    wrong = Check("not_allowed", f"s.{column} NOT IN ({listed})")
    return Rule(column, (_empty(column), wrong) if required else (wrong,))


def currency(column: str = "currency") -> Rule:
    """Check a currency code; needs the join of CURRENCIES."""
    return Rule(column, (_empty(column), Check("currency_unknown", "currency.code IS NULL")))


def amount(column: str, *, exponent: str = "currency.exponent", zero: bool = False) -> Rule:
    """
    Check an amount in major units against its currency's decimals, as `Money.parse` does.

    Where the currency is unknown only the shape is checked: the currency's own column reports it.
    """
    whole, part = f"split_part(s.{column}, '.', 1)", f"split_part(s.{column}, '.', 2)"
    shape = f"s.{column} !~ '^[0-9]+(?:[.][0-9]+)?$'"
    minor = amount_minor(column, exponent=exponent)
    nothing = f"ltrim(s.{column}, '0.') = ''"
    checks = (
        _empty(column),
        Check("amount_malformed", shape),
        Check("amount_too_large", f"length({whole}) > {money.MAX_WHOLE_DIGITS}"),
        Check("too_many_decimals", f"length({part}) > {exponent}"),
        Check("amount_too_large", f"length({whole}) > 11 AND {minor} > {money.MAX_MINOR}"),
        *([] if zero else [Check("amount_zero", nothing)]),
    )
    probe = f"NOT ({shape}) AND length({whole}) <= 11 AND length({part}) <= {exponent}"
    return Rule(column, checks, probe if zero else f"{probe} AND NOT ({nothing})")


def amount_minor(column: str, *, exponent: str = "currency.exponent") -> str:
    """Return the SQL expression of a checked amount in minor units: exact, a bigint."""
    whole, part = f"split_part(s.{column}, '.', 1)", f"split_part(s.{column}, '.', 2)"
    return f"({whole} || rpad({part}, {exponent}, '0'))::bigint"


def instant(column: str) -> Rule:
    """
    Check an ISO 8601 time with offset on a day that exists, 1970 to 2099; a cast is safe then.
    """
    value = f"s.{column}"
    probe = (
        f"({value} LIKE '20__-__-__T__:__:__Z' OR {value} LIKE '20__-__-__T__:__:__+__:__')"
        f" AND translate({value}, '0123456789', '') IN ('--T::Z', '--T::+:')"
        f" AND {value} NOT LIKE '___________24%' AND {value} NOT LIKE '_________________60%'"
        f" AND {value} NOT LIKE '____________________15%' AND {value}::timestamptz IS NOT NULL"
    )
    wrong = Check("instant_malformed", f"{value} !~ '{_INSTANT}'")
    return Rule(column, (_empty(column), wrong), probe)


def date(column: str) -> Rule:
    """Check an ISO 8601 date that exists, years 1970 to 2099; a cast is safe then."""
    wrong = Check("date_malformed", f"s.{column} !~ '^{_DAY}$'")
    return Rule(column, (_empty(column), wrong))


def _empty(column: str) -> Check:
    return Check("empty", f"s.{column} = ''")


def find_bad(staged: Staged, rules: Sequence[Rule], *, joins: str = "") -> None:
    """
    List every bad value of the staged file in `<table>_bad`.

    `joins` may bring in reference tables (LEFT JOIN, at most one row each).
    """
    if _all_fine(staged, rules, joins):
        return
    reasons = ", ".join(rule.case() for rule in rules)
    lines = ", ".join(
        f"('{rule.column}', {_reported(rule)}, {rule.case()}, {rule.case('detail')})"
        for rule in rules
    )
    sql.execute(
        f"INSERT INTO {staged.table}_bad"
        f" SELECT s.row_no, c.name, left(c.value, {MAX_VALUE}), c.reason, c.detail"
        f" FROM {staged.table} s {joins}"
        f" CROSS JOIN LATERAL (VALUES {lines}) AS c (name, value, reason, detail)"
        f" WHERE coalesce({reasons}) IS NOT NULL AND c.reason IS NOT NULL"
    )


def _reported(rule: Rule) -> str:
    return f"'{HIDDEN}'" if rule.secret else f"s.{rule.column}"


def _all_fine(staged: Staged, rules: Sequence[Rule], joins: str) -> bool:
    """Probe all rows cheaply; False means that the exact checks have to look."""
    probes = [f"({rule.probe or f'{rule.case()} IS NULL'})" for rule in rules]
    plain = [rule for rule in rules if rule.plain]
    if plain:
        together = " || ".join(f"s.{rule.column}" for rule in plain)
        exact = ", ".join(rule.case() for rule in plain)
        probes.append(f"({together} ~ '{_PLAIN}' OR coalesce({exact}) IS NULL)")
    # Not EXISTS: whoever asks for one row gets a plan that is slow when there is none.
    statement = (
        f"SELECT count(*) AS bad FROM {staged.table} s {joins}"
        f" WHERE ({' AND '.join(probes)}) IS NOT TRUE"
    )
    try:
        with transaction.atomic():
            return not sql.rows(statement)[0]["bad"]
    except DataError:
        return False


def duplicates(staged: Staged, keys: Sequence[str], column: str) -> None:
    """
    List every row whose `keys` stand in an earlier row of the file; `column` is the one reported.
    """
    listed = ", ".join(keys)
    same = " AND ".join(f"s.{key} = d.{key}" for key in keys)
    sql.execute(
        f"INSERT INTO {staged.table}_bad"
        f" SELECT s.row_no, '{column}', left(s.{column}, {MAX_VALUE}), 'duplicate_in_file', d.first"
        f" FROM {staged.table} s JOIN (SELECT {listed}, min(row_no) AS first FROM {staged.table}"
        f" GROUP BY {listed} HAVING count(*) > 1) d ON {same} WHERE s.row_no > d.first"
    )


def conflicts(
    staged: Staged,
    join: str,
    compared: Mapping[str, tuple[str, str]],
    *,
    shown: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """
    List every value that differs from the stored row of the same number, naming both.

    `join` brings in the stored row (JOIN ... ON ...). `compared` maps a column to two SQL
    expressions of the same type: what the file says and what is stored; `shown` to what is named
    in their place. Call it when `find_bad` found nothing, so that casts are safe.
    """
    named = {**compared, **(shown or {})}
    lines = ", ".join(
        f"('{column}', ({named[column][0]})::text, ({named[column][1]})::text,"
        f" ({ours}) IS DISTINCT FROM ({stored}))"
        for column, (ours, stored) in compared.items()
    )
    differs = " OR ".join(
        f"({ours}) IS DISTINCT FROM ({stored})" for ours, stored in compared.values()
    )
    sql.execute(
        f"INSERT INTO {staged.table}_bad SELECT s.row_no, c.name,"
        f" left(coalesce(c.ours, ''), {MAX_VALUE}), 'conflict',"
        f" left(coalesce(c.stored, ''), {MAX_VALUE}) FROM {staged.table} s {join}"
        " CROSS JOIN LATERAL (VALUES "
        f"{lines}) AS c (name, ours, stored, differs) WHERE ({differs}) AND c.differs"
    )


def raise_if_bad(staged: Staged) -> None:
    """Refuse the file when any check found something in it. Raises FileRefused."""
    counts = sql.rows(
        f"SELECT count(DISTINCT row_no) AS rows, count(*) AS entries FROM {staged.table}_bad"
    )[0]
    if not counts["entries"]:
        return
    listed = sql.rows(
        f"SELECT row_no, column_name, value, reason, detail FROM {staged.table}_bad"
        f" ORDER BY row_no, column_name, reason LIMIT {MAX_LISTED}"
    )
    bad = [
        BadRow(row["row_no"], row["column_name"], row["value"], row["reason"], row["detail"])
        for row in listed
    ]
    raise FileRefused(
        bad,
        counts["rows"] + staged.bad_uncounted,
        counts["entries"] - len(bad) + staged.bad_uncounted,
    )
