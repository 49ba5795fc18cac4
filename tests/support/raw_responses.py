"""Responses as bytes: right, wrong, and those on which we are stricter than `requests`."""

from __future__ import annotations

import gzip
import zlib

UP_TO_THE_CLOSE = (
    "up to the close",
    "up to the close, unsaid",
    "up to the close, empty",
    "HTTP/1.0",
    "100 before up to the close",
    "gzip up to the close",
)
NOT_KEPT = (
    *UP_TO_THE_CLOSE,
    "chunked and closed",
    "close with a length",
    "HTTP/1.0 with a length",
    "bytes behind the answer",
    "another answer behind it",
    "half an answer behind it",
)

JSON = b'{"count": 1}'


def deflated(plain: bytes, window_bits: int) -> bytes:
    packer = zlib.compressobj(wbits=window_bits)
    return packer.compress(plain) + packer.flush()


def whole(head: bytes, body: bytes = JSON) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


S = b"HTTP/1.1 200 OK\r\n"
CHUNKED = S + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = gzip.compress(JSON, mtime=0)

RIGHT = {
    "length": whole(S),
    "length 0": whole(S, b""),
    "length with zeros before": S + b"Content-Length: 0002\r\n\r\nok",
    "no reason phrase": whole(b"HTTP/1.1 200\r\n"),
    "empty reason phrase": whole(b"HTTP/1.1 200 \r\n"),
    "odd casing": b"HTTP/1.1 200 oK\r\ncOnTeNt-LeNgTh: 2\r\nCONNECTION: Keep-Alive\r\n\r\nok",
    "no space behind the colon": S + b"Content-Length:2\r\nX-A:b\r\n\r\nok",
    "much space behind the colon": S + b"Content-Length: \t 2\r\nX-A:   b\r\n\r\nok",
    "empty header": whole(S + b"X-Empty:\r\n"),
    "repeated headers": whole(S + b"Vary: a\r\nX: y\r\nVARY: b\r\nvary: c\r\n"),
    "colons in a value": whole(S + b"X-Time: 12:30:00\r\n"),
    "latin-1 in a value": whole(S + b"X-Name: J\xfcrgen\r\n"),
    "line ends in the body": whole(S, b"\r\n\r\nHTTP/1.1 500 X\r\n\r\n"),
    "a name that ends like another's": whole(S + b"X-Content-Encoding: gzip\r\n"),
    "a value that looks like a header": whole(S + b"X-Note: Content-Encoding: gzip\r\n"),
    "upgrade offered": whole(S + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    "chunked": CHUNKED + b'5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n',
    "chunked, empty": CHUNKED + b"0\r\n\r\n",
    "chunked, capital size": CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n",
    "chunked, zeros before a size": CHUNKED + b"0002\r\nok\r\n000\r\n\r\n",
    "chunked, extensions": CHUNKED + b"2;name=value\r\nok\r\n0;last\r\n\r\n",
    "chunked, quoted extension": CHUNKED + b'2;a="b c"\r\nok\r\n0\r\n\r\n',
    "chunked, trailers": CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 1\r\nX-End: 2\r\n\r\n",
    "chunked, odd casing": S + b"TRANSFER-ENCODING: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked and closed": S + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nok\r\n0\r\n\r\n",
    "up to the close": S + b"Connection: close\r\n\r\nok",
    "up to the close, unsaid": S + b"\r\nok",
    "up to the close, empty": S + b"Connection: close\r\n\r\n",
    "close with a length": whole(S + b"Connection: close\r\n"),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nold",
    "HTTP/1.0 with a length": whole(b"HTTP/1.0 200 OK\r\n"),
    "HTTP/1.0 kept alive": whole(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "304": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
    "304 with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
    "304 with gzip": b"HTTP/1.1 304 X\r\nContent-Encoding: gzip\r\n\r\n",
    "302": whole(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n", b""),
    "404": whole(b"HTTP/1.1 404 Not Found\r\n"),
    "500": whole(b"HTTP/1.1 500 X\r\n"),
    "status beyond the known": whole(b"HTTP/1.1 799 X\r\n"),
    "100 before": b"HTTP/1.1 100 Continue\r\n\r\n" + whole(S),
    "100 with a header before": b"HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n"
    + whole(S + b"X-C: d\r\n"),
    "100 twice before": b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
    "100 before up to the close": b"HTTP/1.1 100 Continue\r\n\r\n" + S + b"\r\nok",
    "gzip": whole(S + b"Content-Encoding: gzip\r\n", GZIP),
    "gzip, odd casing": whole(S + b"CONTENT-ENCODING: GZip\r\n", GZIP),
    "x-gzip": whole(S + b"Content-Encoding: x-gzip\r\n", GZIP),
    "gzip in chunks": S + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (7, GZIP[:7], len(GZIP) - 7, GZIP[7:]),
    "gzip up to the close": S + b"Content-Encoding: gzip\r\n\r\n" + GZIP,
    "gzip of nothing": whole(S + b"Content-Encoding: gzip\r\n", gzip.compress(b"", mtime=0)),
    "gzip, but empty": whole(S + b"Content-Encoding: gzip\r\n", b""),
    "gzip in two members": whole(S + b"Content-Encoding: gzip\r\n", GZIP + GZIP),
    "deflate": whole(S + b"Content-Encoding: deflate\r\n", deflated(JSON, 15)),
    "raw deflate": whole(S + b"Content-Encoding: deflate\r\n", deflated(JSON, -15)),
    "identity": whole(S + b"Content-Encoding: identity\r\n"),
    "not UTF-8": whole(S, b"\xff\xfe\x00"),
    "bytes behind the answer": whole(S) + b"garbage",
    "another answer behind it": whole(S)
    + whole(b"HTTP/1.1 500 X\r\nX-Not: ours\r\n", b"not ours"),
    "half an answer behind it": whole(S) + b"HTTP/1.1 500 X\r\nX-N",
}
WRONG = {
    "nothing": b"",
    "an empty line": b"\r\n\r\n",
    "empty lines, then an answer": b"\r\n\r\n" + whole(S),
    "half a version": b"HTTP/1",
    "two lengths": S + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "garbage": b"garbage\r\n\r\n",
    "a length that is never reached": S + b"Content-Length: 5\r\n\r\nok",
    "a chunk that is cut": CHUNKED + b"5\r\nok",
    "chunks without an end": CHUNKED + b"2\r\nok\r\n",
    "a chunk's size that is none": CHUNKED + b"zz\r\nok\r\n0\r\n\r\n",
    "no gzip": whole(S + b"Content-Encoding: gzip\r\n"),
    "no deflate": whole(S + b"Content-Encoding: deflate\r\n", b"\xff\xff\xff\xff"),
    "a status of letters": whole(b"HTTP/1.1 abc X\r\n"),
    "a status below 100": whole(b"HTTP/1.1 099 X\r\n"),
    "a status of four digits": whole(b"HTTP/1.1 2000 X\r\n"),
    "another version": whole(b"HTTP/2.0 200 OK\r\n"),
    "no version": whole(b"HTTP 200 OK\r\n"),
    "only 100": b"HTTP/1.1 100 Continue\r\n\r\n",
}
# What `requests` takes and we refuse, each because an answer like it shows a broken server.
STRICTER = {
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "RFC 9112, 2.2: lines end in CRLF"),
    "a length beside chunked": (
        S + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "RFC 9112, 6.3: may be an attempt at smuggling",
    ),
    "a status line that is cut": (b"HTTP/1.1 200", "the headers never came"),
    "a length of letters": (S + b"Content-Length: two\r\n\r\nok", "RFC 9112, 6.3: unrecoverable"),
    "a negative length": (S + b"Content-Length: -2\r\n\r\nok", "RFC 9112, 6.3: unrecoverable"),
    "a header without a colon": (whole(S + b"X-Broken\r\n"), "no field line"),
    "a space before a colon": (whole(S + b"X-A : b\r\n"), "RFC 9112, 5.1: not allowed"),
    "a head that is cut": (S + b"X-A: b\r\n", "more headers may have followed"),
    "trailers that are cut": (CHUNKED + b"2\r\nok\r\n0\r\n", "the end of the answer never came"),
    "gzip that is cut": (
        whole(S + b"Content-Encoding: gzip\r\n", GZIP[:-9]),
        "its checksum never came",
    ),
    "an unknown coding": (
        whole(S + b"Content-Encoding: compress\r\n"),
        "nobody can judge that body",
    ),
    "103 before": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + whole(S),
        "http.client takes the 103 for the answer; see the test of announcements",
    ),
    "101": (
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n",
        "nobody asked for another protocol",
    ),
}
