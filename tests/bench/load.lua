-- What the bench has wrk send; settings come in the environment.
--   BENCH_METHOD, BENCH_BODY   of the one request, which is then sent as it is
--   BENCH_PIPELINE=N           N requests in one write
--   BENCH_TOKENS=FILE          tokens of 53 bytes without separators, one after the other, from
--   BENCH_FIRST=N              the Nth on
--   BENCH_COUNTER=TEXT         what each request's path has in place of COUNTER: TEXT, the time at which
--                              this load began, and a number
-- done() prints one line of JSON.
local TOKEN_SIZE = 53
local pipeline = tonumber(os.getenv("BENCH_PIPELINE") or "1")
local token_file = os.getenv("BENCH_TOKENS")
local counter = os.getenv("BENCH_COUNTER")

wrk.method = os.getenv("BENCH_METHOD") or "GET"
wrk.body = os.getenv("BENCH_BODY")

-- A request in two halves, with what changes between them.
local function halves(text, gap)
  local from, to = text:find(gap, 1, true)
  return text:sub(1, from - 1), text:sub(to + 1)
end

local function repeated(next_request)
  if pipeline == 1 then return next_request end
  return function()
    local requests = {}
    for i = 1, pipeline do requests[i] = next_request() end
    return table.concat(requests)
  end
end

local function start(make)
  init = function() request = make() end
  request = function() end -- tells wrk that there is one
end

if token_file then
  start(function()
    local file = assert(io.open(token_file, "rb"))
    local tokens = file:read("*a")
    file:close()
    local count = #tokens / TOKEN_SIZE
    local at = tonumber(os.getenv("BENCH_FIRST") or "0") % count
    local head, tail = halves(wrk.format(), "TOKEN")
    return repeated(function()
      local from = at * TOKEN_SIZE
      at = (at + 1) % count
      return head .. tokens:sub(from + 1, from + TOKEN_SIZE) .. tail
    end)
  end)
elseif counter then
  start(function()
    local head, tail = halves(wrk.format(), "COUNTER")
    local number = 0
    head = head .. counter .. os.time() .. ":"
    return function()
      number = number + 1
      return head .. number .. tail
    end
  end)
elseif pipeline > 1 then
  start(function()
    local requests = wrk.format():rep(pipeline)
    return function() return requests end
  end)
end

-- wrk knows none where there are few samples: then the longest stands for it. Of requests in one write it
-- takes the time until the last answer.
local function percentile(latency, percent)
  local found = latency:percentile(percent)
  return found > 0 and found or latency.max
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'bench {"requests": %d, "seconds": %.6f, "p50": %.1f, "p99": %.1f, "refused": %d, "broken": %d, "timeouts": %d}\n',
    summary.requests, summary.duration / 1e6, percentile(latency, 50), percentile(latency, 99),
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
