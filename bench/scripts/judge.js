// Judges the answers of a server at URL/0, URL/1, ...: REQUESTS is a file of what was asked for,
// REPORT gets true (right) or false for each.

import http from 'k6/http';

import { isRight } from './checks.js';

const REQUESTS = JSON.parse(open(__ENV.REQUESTS));

export function setup() {
  return REQUESTS.map((request, i) => isRight(request, http.get(`${__ENV.URL}/${i}`)));
}

export default function () {}

export function handleSummary(data) {
  return { [__ENV.REPORT]: JSON.stringify(data.setup_data) };
}
