"""Generate made-up notices.

Invariant: the same count and random seed give the same rows, on any day and any machine.
"""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from faker import Faker

from .boards import BOARDS
from .models import Notice

# Each of the boards that the load test reads gets 18 % of the notices.
READ_BOARDS = ("cse", "main")
READ_BOARD_SHARE = 0.18
# The two boards get 108 of 300 notices; ten pages, which the load test reads, need at least 91.
MIN_NOTICES = 300
MAX_NOTICES = 1_000_000

FIRST_DAY = date(2017, 3, 2)
LAST_DAY = date(2020, 9, 20)
CAMPUS_TIME = ZoneInfo("Asia/Seoul")

# Shares of all notices.
UNDATED = 0.02
ANONYMOUS = 0.1
NO_REFERENCE = 0.3
FIXED = 0.01

OFFICES = ("학생지원팀", "교무팀", "행정실", "학사지원팀", "총무팀", "학과 사무실")

TITLES = (
    "{year}학년도 {term}학기 국가장학금 {n}차 신청 안내",
    "{year}학년도 {term}학기 성적우수 장학생 선발 안내",
    "{company} 장학재단 {year}년도 장학생 모집",
    "[장학] 근로장학생 추가 모집 ({n}명)",
    "{year}학년도 {term}학기 등록금 납부 안내",
    "{year}학년도 {term}학기 등록금 분할 납부 신청",
    "{year}학년도 {term}학기 수강신청 일정 안내",
    "[학사] 수강신청 변경 및 취소 기간 안내",
    "{year}학년도 전기 졸업논문 제출 안내",
    "{year}학년도 졸업 요건 확인 안내 ({n}차)",
    "{year}학년도 {term}학기 휴학 및 복학 신청 안내",
    "{company} {year}년 하반기 신입사원 채용 안내",
    "[채용] {company} {job} 모집",
    "[채용] 학과 조교 채용 공고 ({n}명)",
    "{year}학년도 {term}학기 기숙사 입사생 선발 안내",
    "기숙사 {n}층 소독 및 점검 안내",
    "중앙도서관 시험 기간 연장 운영 안내",
    "도서관 전자자료 이용 교육 신청 ({n}회차)",
    "[특강] {name} 교수 초청 특강 안내",
    "{company} {name} 대표 초청 취업 특강",
    "{city} 지역 봉사활동 참가자 모집",
    "TOEIC 모의시험 응시자 모집 ({n}회차)",
    "AI 해커톤 참가팀 모집 및 Workshop 안내",
    "[Global] {year} Exchange Student Program 설명회",
    "SW중심대학 Python 프로그래밍 캠프 참가 신청",
    "교내 네트워크 점검에 따른 서비스 중단 안내",
)


def make_notices(count: int, seed: int) -> Iterator[Notice]:
    """Yield `count` unsaved notices, oldest first.

    Dates are spread evenly from FIRST_DAY to LAST_DAY. Notices are collected on the hour, so some
    share both `date` and `created_at`, and only their ids order them.
    """
    fake = Faker("ko_KR")
    fake.seed_instance(seed)
    rng = random.Random(seed)
    numbers: Counter[str] = Counter()
    days = (LAST_DAY - FIRST_DAY).days
    for position, board in enumerate(_boards(count, rng)):
        numbers[board] += 1
        day = FIRST_DAY + timedelta(days=days * position // (count - 1))
        collected = datetime.combine(day, time(rng.randint(9, 18)), CAMPUS_TIME)
        yield Notice(
            id=f"{board}-{numbers[board]:06d}",
            board_id=board,
            title=_title(day, fake, rng),
            link=f"https://{board}.campus.example/notice/{numbers[board]}",
            date=None if rng.random() < UNDATED else day,
            author=None if rng.random() < ANONYMOUS else rng.choice([*OFFICES, fake.name()]),
            reference=None if rng.random() < NO_REFERENCE else f"첨부파일 {rng.randint(1, 5)}개",
            is_fixed=rng.random() < FIXED,
            created_at=collected,
        )


def _boards(count: int, rng: random.Random) -> list[str]:
    """Return the board code of each notice, shuffled."""
    read = [board for board in READ_BOARDS for _ in range(round(count * READ_BOARD_SHARE))]
    others = [board for board in BOARDS if board not in READ_BOARDS]
    boards = read + rng.choices(others, k=count - len(read))
    rng.shuffle(boards)
    return boards


def _title(day: date, fake: Faker, rng: random.Random) -> str:
    return rng.choice(TITLES).format(
        year=day.year,
        term=1 if day.month < 8 else 2,
        n=rng.randint(1, 9),
        company=fake.company(),
        job=fake.job(),
        name=fake.name(),
        city=fake.city(),
    )
