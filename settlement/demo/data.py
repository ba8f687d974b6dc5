"""
The demo's data set: 60 merchants, 30 business days of 2026, about 30,000 payments and refunds.

Everything follows from one seed, so two machines make the same files to the byte.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from foundation.money import Money

SEED: Final = 20260105
FIRST_DAY: Final = date(2026, 1, 5)
BUSINESS_DAYS: Final = 30
MERCHANTS: Final = 60
ZONE: Final = ZoneInfo("Asia/Shanghai")

_CITIES: Final = (
    ("上海", "上海"), ("北京", "北京"), ("广东", "深圳"), ("浙江", "杭州"), ("四川", "成都"),
    ("江苏", "南京"), ("湖北", "武汉"), ("陕西", "西安"), ("福建", "厦门"), ("山东", "青岛"),
)  # fmt: skip
_NAMES: Final = (
    "和顺", "明德", "锦程", "云山", "青禾", "悦来", "长风", "嘉木", "星河", "百川",
    "松鹤", "聚源", "安泰", "春晓", "金穗", "海棠", "清泉", "朝阳", "同心", "如意",
)  # fmt: skip
_TRADES: Final = (
    "餐饮",
    "茶业",
    "书店",
    "超市",
    "服饰",
    "五金",
    "药房",
    "家居",
    "旅行",
    "电子商务",
)
_CODE_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODE_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
# product, channel, weight, code kind
_WAYS: Final = (
    ("qr_code", "wechat", 46, "dynamic"),
    ("qr_code", "alipay", 34, "static"),
    ("card", "unionpay", 14, ""),
    ("gateway", "netsunion", 6, ""),
)


@dataclass(frozen=True, slots=True)
class Shop:
    """One merchant of the demo; `size` is how busy it is."""

    merchant_no: str
    name: str
    registration_no: str
    region: str
    city: str
    schedule: str
    size: int


def business_days(is_business_day: Iterable[date]) -> list[date]:
    """Return the demo's business days from the calendar's days, in order."""
    days = sorted(day for day in is_business_day if day >= FIRST_DAY)
    return days[:BUSINESS_DAYS]


def shops() -> list[Shop]:
    """Return the merchants, always the same ones."""
    rng = random.Random(SEED)
    made = []
    for index in range(MERCHANTS):
        region, city = _CITIES[index % len(_CITIES)]
        trade = _TRADES[(index * 7 + index // 20) % len(_TRADES)]
        name = f"{city}{_NAMES[index % len(_NAMES)]}{trade}"
        schedule = "T0" if index % 12 == 5 else "D1" if index % 15 == 7 else "T1"
        made.append(
            Shop(
                merchant_no=f"M26{index + 1:04d}",
                name=f"{name}有限公司",
                registration_no=_registration_no(rng),
                region=region,
                city=city,
                schedule=schedule,
                size=rng.choice((2, 3, 5, 8, 13, 34)),
            )
        )
    return made


def _registration_no(rng: random.Random) -> str:
    """Return a made-up unified social credit code whose check digit is right (GB 32100)."""
    body = (
        "91"
        + f"{rng.randrange(110000, 660000)}"
        + "".join(rng.choice(_CODE_ALPHABET) for _ in range(9))
    )
    total = sum(_CODE_ALPHABET.index(char) * w for char, w in zip(body, _CODE_WEIGHTS, strict=True))
    return body + _CODE_ALPHABET[(31 - total % 31) % 31]


def write(folder: Path, days: Sequence[date]) -> None:
    """Write merchants.csv, fees.csv, and payments and refunds before and of the last day."""
    listed = shops()
    _write(
        folder / "merchants.csv",
        "merchant_no,name,registration_no,city,region,country,schedule",
        (
            [s.merchant_no, s.name, s.registration_no, s.city, s.region, "CN", s.schedule]
            for s in listed
        ),
    )
    _write(
        folder / "fees.csv",
        "merchant_no,product,channel,rate_percent,fixed,minimum,cap,currency,fee_on_refund,effective_from",
        _fees(listed),
    )
    payments = list(_payments(listed, days))
    refunds = list(_refunds(payments, days))
    for name, head, rows, instant in (
        (
            "payments",
            "payment_no,order_no,merchant_no,product,channel,amount,currency,captured_at,payer_ref,code_kind",
            payments,
            7,
        ),
        ("refunds", "refund_no,payment_no,amount,currency,refunded_at,merchant_no", refunds, 4),
    ):
        last = days[-1].isoformat()
        _write(folder / f"{name}_before.csv", head, (r for r in rows if r[instant][:10] < last))
        _write(folder / f"{name}_last_day.csv", head, (r for r in rows if r[instant][:10] >= last))


def _write(path: Path, head: str, rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(head.split(","))
        out.writerows(rows)


def _fees(listed: Sequence[Shop]) -> Iterator[list[str]]:
    """The standard price, dearer and cheaper products, a price of their own for the largest."""
    yield ["*", "*", "*", "0.60", "", "", "", "", "kept", "2026-01-01"]
    yield ["*", "card", "*", "0.55", "", "", "20.00", "CNY", "returned", "2026-01-01"]
    yield ["*", "gateway", "*", "0.30", "0.50", "1.00", "", "CNY", "kept", "2026-01-01"]
    for shop in listed:
        if shop.size == 34:
            yield [
                shop.merchant_no,
                "qr_code",
                "*",
                "0.38",
                "",
                "",
                "",
                "CNY",
                "kept",
                "2026-01-01",
            ]


def _payments(listed: Sequence[Shop], days: Sequence[date]) -> Iterator[list[str]]:
    rng = random.Random(SEED + 1)
    weights = [shop.size for shop in listed]
    ways, way_weights = [way[:2] + way[3:] for way in _WAYS], [way[2] for way in _WAYS]
    number = 0
    for day in days:
        for _ in range(rng.randrange(930, 1030)):
            number += 1
            shop = rng.choices(listed, weights)[0]
            product, channel, code = rng.choices(ways, way_weights)[0]
            fen = min(rng.randrange(100, 20_000) * rng.choice((1, 1, 1, 2, 5)), 500_00)
            if product != "qr_code":
                fen = rng.randrange(50_00, 8_000_00)
            at = datetime.combine(day, time(8), ZONE) + timedelta(seconds=rng.randrange(14 * 3600))
            yield [
                f"P{number:08d}", f"O{number:08d}", shop.merchant_no, product, channel,
                Money(fen, "CNY").major, "CNY", at.isoformat(), f"payer-{rng.randrange(9000):04d}",
                code,
            ]  # fmt: skip


def _refunds(payments: Sequence[Sequence[str]], days: Sequence[date]) -> Iterator[list[str]]:
    """About two in a hundred payments go back, whole or in half, up to three days later."""
    rng = random.Random(SEED + 2)
    latest = datetime.combine(days[-1], time(23), ZONE)
    for number, payment in enumerate(rng.sample(list(payments), len(payments) // 45), 1):
        at = datetime.fromisoformat(payment[7]) + timedelta(hours=rng.randrange(1, 72))
        if at > latest:
            continue
        paid = Money.parse(payment[5], "CNY").minor
        part = paid if rng.random() < 0.7 else max(paid // 2, 1)
        amount = Money(part, "CNY").major
        yield [f"R{number:06d}", payment[0], amount, "CNY", at.isoformat(), payment[2]]
