// The checks of notice_api/contract.py for k6. `python -m bench` lets both judge the same wrong
// answers before it measures, and stops when they differ.

const PAGE_SIZE = 10;
const DAY =
  '\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])' +
  '|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|[12]\\d))'; // leap years apart
const DATE = new RegExp(`^${DAY}$`);
const MOMENT = new RegExp(
  `^${DAY}T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)$`,
);

const isText = (value) => typeof value === 'string';
const isTextOrNull = (value) => value === null || typeof value === 'string';
const isObject = (value) => typeof value === 'object' && value !== null;

// Say whether an answer is right. `request` has what its kind needs:
// {kind: 'page', status, words?}, {kind: 'boards', status} or {kind: 'device', status, sent}.
export function isRight(request, response) {
  if (response.status !== request.status) {
    return false;
  }
  let answer;
  try {
    answer = response.json(); // faster here than JSON.parse(response.body)
  } catch (_) {
    return false;
  }
  switch (request.kind) {
    case 'page':
      return isPage(answer, request.words);
    case 'boards':
      return isBoards(answer);
    default:
      return isDevice(answer) && echoes(answer, request.sent);
  }
}

function isPage(page, words) {
  if (
    !isObject(page) ||
    !Number.isInteger(page.count) ||
    !isTextOrNull(page.next) ||
    !isTextOrNull(page.previous) ||
    !Array.isArray(page.results)
  ) {
    return false;
  }
  const results = page.results;
  if (
    results.length > PAGE_SIZE ||
    (page.next !== null && results.length < PAGE_SIZE) ||
    page.count < results.length
  ) {
    return false;
  }
  let newest = null;
  for (const notice of results) {
    if (!isNotice(notice)) {
      return false;
    }
    if (notice.date !== null) {
      if (newest !== null && newest < notice.date) {
        return false;
      }
      newest = notice.date;
    }
    if (words) {
      const title = notice.title.toLowerCase();
      if (!words.some((word) => title.includes(word))) {
        return false;
      }
    }
  }
  return true;
}

function isNotice(notice) {
  return (
    isObject(notice) &&
    isText(notice.id) &&
    isText(notice.title) &&
    isText(notice.link) &&
    (notice.date === null || (isText(notice.date) && DATE.test(notice.date))) &&
    isTextOrNull(notice.author) &&
    isTextOrNull(notice.reference) &&
    typeof notice.is_fixed === 'boolean' &&
    isText(notice.created_at) &&
    MOMENT.test(notice.created_at)
  );
}

function isBoards(boards) {
  return (
    Array.isArray(boards) &&
    boards.length > 0 &&
    boards.every((board) => isObject(board) && isText(board.name) && isText(board.api_url))
  );
}

function isDevice(device) {
  return (
    isObject(device) &&
    isText(device.id) &&
    isText(device.id_method) &&
    isText(device.keywords) &&
    isText(device.subscriptions) &&
    (device.alarm_switch === undefined || typeof device.alarm_switch === 'boolean')
  );
}

function echoes(device, sent) {
  for (const field in sent) {
    if (device[field] !== sent[field]) {
      return false;
    }
  }
  return true;
}
