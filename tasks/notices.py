"""Tasks that read: search notices, page through them, list the boards."""

from locust import tag

from harness.users import ApiUser, sends
from notice_api import contract
from notice_api.words import WordLists

# Both are from the original test (2020-09-20). Boards with fewer than 91 notices have no page 10:
# the server answers 404.
LAST_PAGE = 10
LIST_REQUESTS = 5


@tag("read", "search")
@sends(contract.SEARCH)
def search_notices(user: ApiUser) -> None:
    """Search the notices of some boards for words in the title."""
    words: WordLists = user.words
    user.send(contract.search(words.boards.draw(user.random), words.searches.draw(user.random)))


@tag("read", "browse")
@sends(contract.BROWSE)
def browse_pages(user: ApiUser) -> None:
    """Read the first ten pages of the notices of some boards, in order."""
    words: WordLists = user.words
    boards = words.boards.draw(user.random)
    for page in range(1, LAST_PAGE + 1):
        user.send(contract.browse(boards, page))


@tag("read", "list")
@sends(contract.LIST)
def list_boards(user: ApiUser) -> None:
    """Fetch the list of boards five times in a row."""
    for _ in range(LIST_REQUESTS):
        user.send(contract.list_boards())
