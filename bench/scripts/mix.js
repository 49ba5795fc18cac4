// The original test's weighted mix for k6, without wait. MIX describes the requests. With CHECKED=1
// every response is parsed and checked; otherwise bodies are discarded, the fastest way to use k6.

import http from 'k6/http';
import { check } from 'k6';

import { isRight } from './checks.js';

const MIX = JSON.parse(__ENV.MIX);
const CHECKED = __ENV.CHECKED === '1';
const JSON_BODY = { headers: { 'Content-Type': 'application/json' } };

const SEARCH = { kind: 'page', status: 200, words: MIX.words };
const PAGE = { kind: 'page', status: 200 };
const BOARDS = { kind: 'boards', status: 200 };

export const options = { discardResponseBodies: !CHECKED };

function judge(request, response) {
  if (CHECKED) {
    check(response, { right: (r) => isRight(request, r) });
  }
}

function get(url, request) {
  judge(request, http.get(url));
}

function write(send, status, sent) {
  judge({ kind: 'device', status, sent }, send(MIX.device, JSON.stringify(sent), JSON_BODY));
}

function put(fields) {
  write(http.put, 200, Object.assign({ id: MIX.device_id }, fields));
}

const TASKS = {
  search: () => get(MIX.search, SEARCH),
  browse: () => MIX.pages.forEach((url) => get(url, PAGE)),
  subscribe: () => put({ subscriptions: MIX.subscriptions }),
  keywords: () => put({ keywords: MIX.keywords }),
  alarm: () => put({ alarm_switch: Math.random() < 0.5 }),
  list: () => {
    for (let i = 0; i < MIX.lists; i++) {
      get(MIX.boards, BOARDS);
    }
  },
};
const DRAWN = Object.entries(MIX.weights).flatMap(([name, weight]) =>
  Array(weight).fill(TASKS[name]),
);

export default function () {
  if (__ITER === 0) {
    write(http.post, 201, { id: MIX.device_id });
  }
  DRAWN[Math.floor(Math.random() * DRAWN.length)]();
}

export function handleSummary(data) {
  const { http_reqs, http_req_failed, checks } = data.metrics;
  const failures = http_req_failed.values.passes + (checks ? checks.values.fails : 0);
  return { [__ENV.REPORT]: JSON.stringify({ requests: http_reqs.values.count, failures }) };
}
