"""Reading notices: search, paging, the list of boards."""

from locust import tag

from harness import contract
from harness.user import NoticeApiUser
from harness.workload import sends

LAST_PAGE = 10
LIST_REQUESTS = 5


@tag("read", "search")
@sends(contract.SEARCH)
def search_notices(user: NoticeApiUser) -> None:
    """Type words into the search box."""
    words = user.shared.vocabulary
    user.send(contract.search(words.boards.draw(user.random), words.searches.draw(user.random)))


@tag("read", "browse")
@sends(contract.BROWSE)
def browse_pages(user: NoticeApiUser) -> None:
    """Scroll down through ten pages, in order."""
    boards = user.shared.vocabulary.boards.draw(user.random)
    for page in range(1, LAST_PAGE + 1):
        user.send(contract.browse(boards, page))


@tag("read", "list")
@sends(contract.LIST)
def list_boards(user: NoticeApiUser) -> None:
    """Open the list of boards, again and again, as the app does."""
    for _ in range(LIST_REQUESTS):
        user.send(contract.list_boards())
