-- Sends the requests of a file one after the other, again and again: bytes that Python rendered.
-- REPORT=file wrk ... URL -- REQUESTS

local requests
local at = 0

function init(args)
   requests = dofile(args[1])
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function done(summary)
   local errors = summary.errors
   local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   local file = assert(io.open(os.getenv("REPORT"), "w"))
   file:write(string.format('{"requests": %d, "failures": %d}', summary.requests, failures))
   file:close()
end
