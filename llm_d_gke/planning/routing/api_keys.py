"""The filter that asks for an API key, in Envoy's Lua: Envoy's own filter of that name holds keys in its configuration.

A key in the configuration of a proxy would be in a custom resource, in the cluster's database and in the state. The
filter reads a file in place of it, which the kubelet keeps equal to a Secret. It looks at the file again every few
seconds, so that keys are added or removed without a restart. Without a readable file all requests are refused.

Sources: envoyproxy.io/docs, "Lua"; kubernetes.io/docs/concepts/configuration/secret ("Mounted Secrets are updated
automatically").
"""

from __future__ import annotations

# The verified owner of the key, for limits, logs and the picker's fairness between clients.
CLIENT_HEADER = "x-llm-d-client"
FAIRNESS_HEADER = "x-llm-d-inference-fairness-id"

READ_AGAIN_SECONDS = 5

_LUA = """\
local FILE = "%(file)s"
local keys, read_at = {}, nil

local function current()
  local now = os.time()
  if read_at and now - read_at < %(seconds)d then return keys end
  read_at = now
  keys = {}
  local file = io.open(FILE, "r")
  if not file then return keys end
  for line in file:lines() do
    local name, key = line:match("^%%s*(%%S+)%%s+(%%S+)%%s*$")
    if name then keys[key] = name:match("^[^.]+") end
  end
  file:close()
  return keys
end

local function refuse(handle, status, code, message)
  local headers = {[":status"] = status, ["content-type"] = "application/json"}
  if status == "401" then headers["www-authenticate"] = "Bearer" end
  local text = '{"error":{"message":"%%s","type":"authentication_error","code":"%%s"}}'
  handle:respond(headers, text:format(message, code))
end

function envoy_on_request(handle)
  local headers = handle:headers()
  headers:remove("%(client)s")
  local key = headers:get("x-api-key")
  if not key then
    key = (headers:get("authorization") or ""):match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(%%S+)$")
  end
  if not key then
    return refuse(handle, "401", "missing_api_key", "send an API key: Authorization: Bearer KEY")
  end
  local client = current()[key]
  if not client then
    return refuse(handle, "403", "invalid_api_key", "the API key is not valid here")
  end
  headers:remove("authorization")
  headers:remove("x-api-key")
  headers:replace("%(client)s", client)
  headers:replace("%(fairness)s", client)
end
"""


def key_filter(path: str) -> str:
    """The program of the filter. `path` is the file with a line for each key: the client's name, a blank, the key.

    The name up to its first dot is the client, so that a client can have several keys while one replaces the other.
    """
    return _LUA % {
        "file": path,
        "seconds": READ_AGAIN_SECONDS,
        "client": CLIENT_HEADER,
        "fairness": FAIRNESS_HEADER,
    }
