"""`manage.py fill_database`: fill the database with boards and notices."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection, transaction

from notices.boards import BOARDS
from notices.generator import MAX_NOTICES, MIN_NOTICES, READ_BOARDS, make_notices
from notices.models import Board, Notice

BATCH = 1000


class Command(BaseCommand):
    """Replace all boards and notices; keep devices."""

    help = "Replace all boards and notices by made-up ones, the same for the same arguments."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--notices",
            type=int,
            default=5000,
            help=f"how many, {MIN_NOTICES} to {MAX_NOTICES} (default: %(default)s)",
        )
        parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")

    def handle(self, *args: Any, notices: int, seed: int, **options: Any) -> None:
        """Check the arguments, write all rows in one transaction and print their number."""
        if not MIN_NOTICES <= notices <= MAX_NOTICES:
            raise CommandError(
                f"--notices {notices}: give {MIN_NOTICES} to {MAX_NOTICES}; fewer leave "
                f"{' and '.join(READ_BOARDS)} without ten pages to turn.",
                returncode=2,
            )
        if seed < 0:
            raise CommandError(f"--seed {seed}: give 0 or more.", returncode=2)
        try:
            with transaction.atomic():
                Board.objects.all().delete()  # cascades to notices
                Board.objects.bulk_create(Board(code=c, name=name) for c, name in BOARDS.items())
                Notice.objects.bulk_create(make_notices(notices, seed), batch_size=BATCH)
        except DatabaseError as error:
            raise CommandError(
                f"Nothing was changed: {str(error).splitlines()[0]}. "
                "Has `manage.py migrate` been run on this database?",
                returncode=2,
            ) from error
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # now, so that autovacuum does not do it during a run
        read = Notice.objects.on_boards(list(READ_BOARDS)).count()
        self.stdout.write(
            f"Filled with {len(BOARDS)} boards and {notices} notices "
            f"({' + '.join(READ_BOARDS)}: {read}) from seed {seed}."
        )
