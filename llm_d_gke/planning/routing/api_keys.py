"""The filter that asks for an API key, in Envoy's Lua: Envoy's own filter of that name holds keys in its configuration.

A key in the configuration of a proxy would be in a custom resource, in the cluster's database and in the state. The
filter reads a file in place of it, which the kubelet keeps equal to a Secret. It looks at the file again every few
seconds, so that keys are added or removed without a restart. Without a readable file all requests are refused.

Sources: envoyproxy.io/docs, "Lua"; kubernetes.io/docs/concepts/configuration/secret ("Mounted Secrets are updated
automatically").
"""

from __future__ import annotations

from collections.abc import Iterable

from llm_d_gke.planning.routing.api_paths import API_PATHS, MODELS_LIST

# The verified owner of the key, for limits and logs.
CLIENT_HEADER = "x-llm-d-client"

# Headers by which pickers tell clients apart and find their InferenceObjective. The first of each is that of llm-d's
# router, which reads the second as well; the second is the only one of the extension's pickers v1.2 to v1.5 and of
# llm-d's scheduler (pkg/epp/metadata/consts.go of both).
FAIRNESS_HEADERS = ("x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id")
OBJECTIVE_HEADERS = ("x-llm-d-inference-objective", "x-gateway-inference-objective")

# Headers by which a client would choose the replica, the model or the host that prefills: they are the picker's to set
# (the same file; pkg/sidecar/proxy of llm-d's scheduler).
INTERNAL_HEADERS = (
    "x-llm-d-model-name-rewrite",
    "x-gateway-model-name-rewrite",
    "x-gateway-destination-endpoint",
    "x-gateway-destination-endpoint-subset",
    "x-llm-d-inference-ttl",
    "x-prefiller-host-port",
    "x-encoder-hosts-ports",
    "x-data-parallel-host-port",
)

READ_AGAIN_SECONDS = 5

_LUA = """\
local FILE = "%(file)s"
local INFERENCE = {%(inference)s}
local INTERNAL = {%(internal)s}
local NAMING = {%(naming)s}
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

local function refuse(handle, status, code, message, kind, methods)
  local headers = {[":status"] = status, ["content-type"] = "application/json", ["allow"] = methods}
  if status == "401" then headers["www-authenticate"] = "Bearer" end
  local text = '{"error":{"message":"%%s","type":"%%s","code":"%%s"}}'
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
  if ends_with(path, "%(models)s") then return "GET, HEAD" end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  headers:remove("%(client)s")
  for _, name in ipairs(INTERNAL) do headers:remove(name) end
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
  local methods = methods_of(headers:get(":path"):match("^[^?#]*"))
  if methods and not (", " .. methods .. ","):find(", " .. headers:get(":method") .. ",", 1, true) then
    return refuse(handle, "405", "method_not_allowed", "this path takes " .. methods, "invalid_request_error", methods)
  end
  headers:remove("authorization")
  headers:remove("x-api-key")
  headers:replace("%(client)s", client)
  for _, name in ipairs(NAMING) do headers:replace(name, client) end
  -- The last step: looking for a body lets the headers go on.
  if methods == "POST" and is_empty(handle, headers) then
    return refuse(handle, "400", "empty_body", "send a request as JSON", "invalid_request_error")
  end
end
"""


def key_filter(path: str) -> str:
    """The program of the filter, which names the client to the picker and passes on the API's methods only.

    `path` is the file with a line for each key: the client's name, a blank, the key. The name up to its first dot is
    the client, so that a client can have several keys while one replaces the other.
    """
    return _LUA % {
        "file": path,
        "seconds": READ_AGAIN_SECONDS,
        "client": CLIENT_HEADER,
        "inference": _list(path.value for path in API_PATHS),
        "models": MODELS_LIST[0].value,
        "internal": _list(INTERNAL_HEADERS),
        "naming": _list((*FAIRNESS_HEADERS, *OBJECTIVE_HEADERS)),
    }


def _list(texts: Iterable[str]) -> str:
    """Elements of a Lua table."""
    return ", ".join(f'"{text}"' for text in texts)
