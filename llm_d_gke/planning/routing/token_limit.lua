
local DIRECTORY, LIMIT, CLIENT = "<directory>/", <limit>, "<client>"
local METADATA = "llm-d.tokens"
-- Tokens of a stream are written down in portions of this size. Longer than a count of tokens with its name.
local PORTION, LONGEST = 32, 64
local written = {}

-- A file for each client and minute, whose length is the number of tokens: all workers of an Envoy append to it.
local function account(client, minute)
  local name = client:sub(1, 100):gsub(".", function(character) return ("%02x"):format(character:byte()) end)
  return ("%s%d-%s"):format(DIRECTORY, minute, name)
end

-- The tokens of the client in this minute, nil where they cannot be written down.
local function spend(client, tokens)
  local minute = math.floor(os.time() / 60)
  for path, at in pairs(written) do
    if at < minute then
      os.remove(path)
      written[path] = nil
    end
  end
  local path = account(client, minute)
  local file = io.open(path, "a")
  if not file then return nil end
  written[path] = minute
  if tokens > 0 then file:write(("."):rep(tokens)) end
  local spent = file:seek("end")
  file:close()
  return spent
end

local function refuse(handle, status, code, message)
  local headers = {[":status"] = status, ["content-type"] = "application/json"}
  if status == "429" then headers["retry-after"] = tostring(60 - os.time() % 60) end
  handle:respond(headers, ('{"error":{"message":"%s","type":"rate_limit_error","code":"%s"}}'):format(message, code))
end

function envoy_on_request(handle)
  local client = handle:headers():get(CLIENT)
  local spent = client and spend(client, 0)
  if not spent then return refuse(handle, "503", "tokens_not_counted", "the Gateway cannot count tokens") end
  if spent >= LIMIT then
    return refuse(handle, "429", "tokens_per_minute", ("%d tokens of %d in this minute"):format(spent, LIMIT))
  end
  handle:streamInfo():dynamicMetadata():set(METADATA, "client", client)
end

-- Quotes inside of an answer's texts are escaped, so that these names are the answer's own.
local function last_count(text, name, count)
  for number in text:gmatch('"' .. name .. '"%s*:%s*(%d+)') do count = tonumber(number) end
  return count
end

function envoy_on_response(handle)
  local own = handle:streamInfo():dynamicMetadata():get(METADATA)
  if not own then return end
  local client, counted, waiting, before, edge = own["client"], 0, 0, "", ""
  local total, input, output = nil, 0, 0
  local stream = (handle:headers():get("content-type") or ""):find("text/event-stream", 1, true)
  for chunk in handle:bodyChunks() do
    local text = chunk:getBytes(0, chunk:length())
    if stream then
      -- An event begins at the beginning of a chunk, or anywhere in it.
      local piece = edge .. text
      local _, events = piece:gsub("\ndata:", "")
      edge = piece:sub(1 - #"\ndata:")
      waiting = waiting + events
      if waiting >= PORTION then
        spend(client, waiting)
        counted, waiting = counted + waiting, 0
      end
    end
    local seen = before .. text
    total = last_count(seen, "total_tokens", total)
    input = last_count(seen, "input_tokens", input)
    output = last_count(seen, "output_tokens", output)
    before = seen:sub(-LONGEST)
  end
  local rest = (total or (input + output)) - counted
  if total == nil and input + output == 0 then rest = waiting end
  if rest > 0 then spend(client, rest) end
end
