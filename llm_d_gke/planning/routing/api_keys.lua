local FILE = "<file>"
local INFERENCE = {<inference>}
local INTERNAL = {<internal>}
local NAMING = {<naming>}
local keys, read_at = {}, nil

local function current()
  local now = os.time()
  if read_at and now - read_at < <seconds> then return keys end
  read_at = now
  keys = {}
  local file = io.open(FILE, "r")
  if not file then return keys end
  for line in file:lines() do
    local name, key = line:match("^%s*(%S+)%s+(%S+)%s*$")
    if name then keys[key] = name:match("^[^.]+") end
  end
  file:close()
  return keys
end

local function refuse(handle, status, code, message, kind, methods)
  local headers = {[":status"] = status, ["content-type"] = "application/json", ["allow"] = methods}
  if status == "401" then headers["www-authenticate"] = "Bearer" end
  local text = '{"error":{"message":"%s","type":"%s","code":"%s"}}'
  handle:respond(headers, text:format(message, kind or "authentication_error", code))
end

local function ends_with(text, ending)
  return text:sub(-#ending) == ending
end

-- Pickers send a request without a body to any replica. Only its headers have arrived when this is called.
local function is_empty(handle, headers)
  local length = headers:get("content-length")
  if length then return length == "0" end
  for _ in handle:bodyChunks() do return false end
  return true
end

-- The methods of a path of the API, nil where all are passed on.
local function methods_of(path)
  for _, inference in ipairs(INFERENCE) do
    if ends_with(path, inference) then return "POST" end
  end
  if ends_with(path, "<models>") then return "GET, HEAD" end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  headers:remove("<client>")
  for _, name in ipairs(INTERNAL) do headers:remove(name) end
  local key = headers:get("x-api-key")
  if not key then
    key = (headers:get("authorization") or ""):match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)$")
  end
  if not key then
    return refuse(handle, "401", "missing_api_key", "send an API key: Authorization: Bearer KEY")
  end
  local client = current()[key]
  if not client then
    return refuse(handle, "403", "invalid_api_key", "the API key is not valid here")
  end
  local methods = methods_of(headers:get(":path"):match("^[^?#]*"))
  if methods and not (", " .. methods .. ","):find(", " .. headers:get(":method") .. ",", 1, true) then
    return refuse(handle, "405", "method_not_allowed", "this path takes " .. methods, "invalid_request_error", methods)
  end
  headers:remove("authorization")
  headers:remove("x-api-key")
  headers:replace("<client>", client)
  for _, name in ipairs(NAMING) do headers:replace(name, client) end
  -- The last step: looking for a body lets the headers go on.
  if methods == "POST" and is_empty(handle, headers) then
    return refuse(handle, "400", "empty_body", "send a request as JSON", "invalid_request_error")
  end
end
